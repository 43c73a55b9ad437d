/** A system with schemas of aviso 2.x, asked as its clients ask. */

import assert from 'node:assert/strict'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import type { System } from '#services/system/system.ts'
import { loadConfig } from '#services/system/settings.ts'
import { createSchemas } from '#shared/notification/schema.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { AVISO2 } from './aviso2_schemas.ts'
import { createMemoryStore } from './memory_store.ts'
import { BASE_URL, startTestSystem } from './system.ts'

/** An answer with its JSON. */
export interface JsonAnswer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

/** What a listener gets of a notification. */
export interface Delivered {
  readonly subject: string
  readonly data: { readonly identifier: Readonly<Record<string, unknown>>; readonly payload: unknown }
}

/** A running system. */
export interface Aviso2System {
  readonly store: Store
  /** For a socket. */
  readonly handle: System['handle']
  post(path: string, body: unknown): Promise<JsonAnswer>
  get(path: string): Promise<JsonAnswer>
  /** Publishes, and gives the answer's body. */
  publish(event: string, identifier: object, payload?: unknown): Promise<JsonAnswer['body']>
  /** Everything stored that a filter lets through. */
  replay(event: string, identifier: object): Promise<readonly Delivered[]>
  /** The answer to a replay that is refused. */
  refuse(event: string, identifier: object): Promise<JsonAnswer['body']>
}

/** Runs `use` with a system that is closed afterwards. @param schemas Contents of schema files. */
export async function withAviso2System(
  use: (system: Aviso2System) => Promise<void>,
  schemas: readonly object[] = [AVISO2],
): Promise<void> {
  const store = createMemoryStore({ clock: systemClock })
  const system = startTestSystem({
    config: loadConfig(JSON.stringify(configFile), 'test'),
    services: ['rest', 'auth'],
    schemas: createSchemas(schemas.map((content, index) => ({ source: `file${index}`, content }))),
    store,
  })
  try {
    await system.ready
    const fetch = (path: string, init?: RequestInit): Promise<Response> =>
      system.fetch(new Request(BASE_URL + path, init))
    await use({ ...createSystem(fetch, store), handle: system.handle })
  } finally {
    await system.close()
  }
}

function createSystem(
  fetch: (path: string, init?: RequestInit) => Promise<Response>,
  store: Store,
): Omit<Aviso2System, 'handle'> {
  const jsonOf = async (response: Response): Promise<JsonAnswer> => ({
    status: response.status,
    body: (await response.json()) as JsonAnswer['body'],
  })
  const send = (path: string, body: unknown): Promise<Response> =>
    fetch(path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) })
  const askReplay = (event: string, identifier: object): Promise<Response> =>
    send('/api/v1/replay', { event_type: event, identifier, from_id: '0' })
  return {
    store,
    post: async (path, body) => jsonOf(await send(path, body)),
    get: async (path) => jsonOf(await fetch(path)),
    publish: async (event, identifier, payload) => {
      const answer = await send('/api/v1/notification', { event_type: event, identifier, payload })
      const { status, body } = await jsonOf(answer)
      assert.equal(status, 200, JSON.stringify(body))
      return body
    },
    replay: async (event, identifier) => {
      const response = await askReplay(event, identifier)
      assert.equal(response.status, 200)
      return deliveredIn(await response.text())
    },
    refuse: async (event, identifier) => {
      const { status, body } = await jsonOf(await askReplay(event, identifier))
      assert.equal(status, 400, JSON.stringify(body))
      return body
    },
  }
}

function deliveredIn(stream: string): readonly Delivered[] {
  return stream.split('\n\n').flatMap((frame) => {
    const data = /^event: replay\ndata: (.*)$/.exec(frame)?.[1]
    return data === undefined ? [] : [JSON.parse(data) as Delivered]
  })
}
