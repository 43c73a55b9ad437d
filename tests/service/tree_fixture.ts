/**
 * Hubs in a tree: whole systems on loopback sockets, each of which may have another one's `/v3` as its store.
 *
 * @module
 */

import assert from 'node:assert/strict'

import type { System } from '#services/system/system.ts'
import type { ServiceName } from '#services/system/settings.ts'
import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import type { RunningServer } from '#shared/runtime/runtime.ts'
import { openStore } from '#shared/store/open/open.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { createLogger } from '#shared/logger.ts'
import { configOf } from '../support/auth_servers_system.ts'
import { readFrames, type Frame, type Receipt } from './auth_fixture.ts'
import { createSecret, createSecretReader } from '#shared/secret.ts'
import type { ItemReader } from '../support/streams.ts'
import { startTestSystem } from '../support/system.ts'
import { dissemination } from '../support/notifications.ts'

/** Tokens, and what the rules of every level say about them. */
export const TOKENS = {
  OPERATOR: 'operator-token-0123456789',
  RELAY: 'relay-token-0123456789',
  RELAY_FOO: 'relay-foo-token-0123456789',
  LISTENER: 'listener-token-0123456789',
  LISTENER_FOO: 'listener-foo-token-0123456789',
} as const

export type Role = keyof typeof TOKENS

const VARS = {
  identity: {
    providers: [
      {
        kind: 'tokens',
        tokens: Object.keys(TOKENS).map((name) => ({
          username: name.toLowerCase(),
          realm: 'local',
          roles: [name],
          secretEnv: name,
        })),
      },
    ],
  },
  policy: {
    rules: [
      { realm: 'local', roles: ['OPERATOR'], listen: 'everything', publish: 'everything', admin: true },
      { realm: 'local', roles: ['RELAY'], listen: 'everything', relay: true },
      { realm: 'local', roles: ['RELAY_FOO'], listen: ['/ec/diss/FOO/'], relay: true },
      { realm: 'local', roles: ['LISTENER'], listen: 'everything' },
      { realm: 'local', roles: ['LISTENER_FOO'], listen: ['/ec/diss/FOO/'] },
    ],
  },
}

/** One system. */
export interface Level {
  readonly system: System
  readonly url: string
  readonly logged: string[]
  publish(destination: string, step: number): Promise<Receipt>
  publishTogether(...notifications: readonly (readonly [destination: string, step: number])[]): Promise<void>
  /** Follows disseminations to FOO and BAR, or to one of them. */
  listen(
    query: string,
    options?: { readonly role?: Role; readonly destination?: string },
  ): Promise<ItemReader<Frame>>
  ask(path: string, init?: RequestInit, role?: Role): Promise<Response>
  close(): Promise<void>
}

/** How to start one. */
export interface LevelOptions {
  /** Closed with the system. */
  readonly store: Store
  readonly services?: readonly ServiceName[]
  /** Absent: a free one. */
  readonly port?: number
}

export const authorization = (role: Role) => ({ authorization: `Bearer ${TOKENS[role]}` })

/** Starts a system; it may not be ready yet. */
export async function startLevel({ store, services = ['auth'], port = 0 }: LevelOptions): Promise<Level> {
  const platform = await detectPlatform()
  const logged: string[] = []
  const system = startTestSystem({
    config: configOf(VARS),
    services,
    store,
    schemas: createBuiltinSchemas(),
    logger: createLogger((line) => logged.push(line), systemClock.now, 'debug'),
    readSecret: createSecretReader(TOKENS),
  })
  const server: RunningServer = await platform.serve(system.handle, { host: '127.0.0.1', port })
  const { url } = server
  const ask: Level['ask'] = (path, init = {}, role = 'OPERATOR') =>
    fetch(url + path, {
      ...init,
      headers: new Headers([...new Headers(authorization(role)), ...new Headers(init.headers)]),
    })
  const post = async (body: unknown, type: string): Promise<unknown> => {
    const headers = { 'content-type': type }
    const response = await ask('/api/v1/notification', {
      method: 'POST',
      body: JSON.stringify(body),
      headers,
    })
    const answer: unknown = await response.json()
    assert.equal(response.status, 200, JSON.stringify(answer))
    return answer
  }
  return {
    system,
    url,
    logged,
    ask,
    publish: async (destination, step) => {
      const identifier = dissemination(destination, step)
      const body = { event_type: 'dissemination', identifier, payload: `${destination} ${step}` }
      return (await post(body, 'application/json')) as Receipt
    },
    publishTogether: async (...notifications) => {
      const events = notifications.map(([destination, step]) => ({
        specversion: '1.0',
        id: crypto.randomUUID(),
        source: '/tests',
        type: 'aviso',
        data: { event: 'dissemination', request: dissemination(destination, step), location: 'here' },
      }))
      await post(events, 'application/cloudevents-batch+json')
    },
    listen: async (query, { role = 'LISTENER', destination } = {}) => {
      const destinations = destination === undefined ? ['FOO', 'BAR'] : [destination]
      const filter = destinations.map((name) => `&destination=${name}`).join('')
      return readFrames(await ask(`/api/v1/watch?event=dissemination${filter}${query}`, {}, role))
    },
    close: async () => {
      await system.close()
      await server.close()
    },
  }
}

/** A store that outlives the systems on it. */
export function keptOpen(store: Store): Store {
  return { ...store, close: () => Promise.resolve() }
}

/** The store of a level that stands on another one. */
export async function storeOn(url: string, bearer: string | undefined): Promise<Store> {
  return openStore(url, {
    platform: await detectPlatform(),
    dataFolder: '',
    clock: systemClock,
    logger: () => undefined,
    ...(bearer !== undefined && { bearer: createSecret(bearer) }),
  })
}

/** A notification as a stream shows it: its cursor, its id and what it says. */
export function told({ id, data }: Frame): readonly unknown[] {
  return [
    id,
    data.id,
    data.data?.identifier['destination'],
    data.data?.identifier['step'],
    data.data?.payload,
  ]
}

/** The next notifications of a stream. */
export async function take(reader: ItemReader<Frame>, count: number): Promise<(readonly unknown[])[]> {
  const frames: (readonly unknown[])[] = []
  while (frames.length < count) {
    const frame = await reader.next(({ data }) => data.data !== undefined || data.reason !== undefined)
    assert.equal(frame.data.reason, undefined, `the stream ended: ${frame.data.reason}`)
    frames.push(told(frame))
  }
  return frames
}
