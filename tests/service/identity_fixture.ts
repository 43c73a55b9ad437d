/**
 * The whole system with identities and a policy: a store in memory, real ingest, hub, listening and admin services, asked through the Fetch
 * handler; stand-ins for every server behind, over sockets.
 *
 * @module
 */

import assert from 'node:assert/strict'

import type { System } from '#services/system/system.ts'
import type { SystemParts } from '#services/system/system_parts.ts'
import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import { END_OF_KEYS, toText } from '#shared/bytes/bytes.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock, type Clock } from '#shared/time/clock.ts'
import { createLogger } from '#shared/logger.ts'
import {
  configOf,
  OPERATOR_TOKEN,
  startAccessStandIns,
  type AccessStandIns,
} from '../support/auth_servers_system.ts'
import { createSecretReader } from '#shared/secret.ts'
import { CANARY } from '../support/tokens.ts'
import { BASE_URL, startTestSystem } from '../support/system.ts'
import { dissemination } from '../support/notifications.ts'

/** A running system behind identities. */
export interface IdentitySystem {
  readonly standIns: AccessStandIns
  readonly system: System
  readonly store: Store
  /** What was logged and answered; in the end what was measured, too. */
  readonly printed: string[]
  /** Records of the audit log so far, the newest last. */
  audited(): Promise<readonly Readonly<Record<string, unknown>>[]>
  call(path: string, init?: RequestInit): Promise<Response>
  /** A POST of JSON, or of text as it stands. */
  post(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>
  /** Publishes one dissemination as the operator. */
  publish(destination: string, step: number): Promise<void>
  close(): Promise<void>
}

/** What differs from the usual. */
export interface IdentitySystemOptions {
  /** Laid over `vars` of the configuration. */
  readonly vars?: object
  /** Most streams of the listening service. */
  readonly maxStreams?: number
  readonly clock?: Clock
  readonly store?: Store
  /** How the servers behind are asked. */
  readonly fetchVerdict?: SystemParts['fetchVerdict']
}

/** `Authorization` of a bearer token. */
export function bearer(token: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${token}` }
}

/** Starts a system; `close` it after the test. */
export async function startIdentitySystem(options: IdentitySystemOptions = {}): Promise<IdentitySystem> {
  const { clock = systemClock, store = createMemoryStore({ clock }) } = options
  const standIns = await startAccessStandIns()
  const config = configOf({ ...standIns.vars, ...options.vars })
  const { auth } = config.workers
  const { maxStreams = auth.vars.maxStreams } = options
  const printed: string[] = []
  const auditLines: string[] = []
  const system = startTestSystem({
    config: {
      ...config,
      workers: { ...config.workers, auth: { ...auth, vars: { ...auth.vars, maxStreams } } },
    },
    services: ['rest', 'auth', 'admin'],
    store,
    schemas: createBuiltinSchemas(),
    clock,
    logger: createLogger((line) => printed.push(line), clock.now, 'debug'),
    readSecret: createSecretReader(standIns.environment),
    ...(options.fetchVerdict !== undefined && { fetchVerdict: options.fetchVerdict }),
    auditSink: (lines) => void auditLines.push(...lines.trimEnd().split('\n')),
  })
  await system.ready
  const call = async (path: string, init?: RequestInit): Promise<Response> => {
    const response = await system.fetch(new Request(BASE_URL + path, init))
    printed.push([...response.headers].join())
    return response
  }
  const post = (
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> =>
    call(path, { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) })
  return {
    standIns,
    system,
    store,
    printed,
    call,
    post,
    audited: async () => {
      // Lines are written once a second.
      await clock.sleep(1100)
      return auditLines.map((line) => JSON.parse(line) as Record<string, unknown>)
    },
    publish: async (destination, step) => {
      const body = {
        event_type: 'dissemination',
        identifier: dissemination(destination, step),
        payload: 'here',
      }
      const response = await post('/api/v1/notification', body, bearer(OPERATOR_TOKEN))
      assert.equal(response.status, 200, await response.text())
    },
    close: async () => {
      const stored = await store.range({ key: new Uint8Array([0]), end: END_OF_KEYS })
      printed.push(await (await call('/metrics')).text())
      await system.close()
      await standIns.close()
      const texts = stored.kvs.map((kv) => toText(kv.key) + toText(kv.value))
      const leaks = [...printed, ...auditLines, ...texts].filter((text) => text.includes(CANARY))
      assert.deepEqual(leaks, [], 'a secret got out')
    },
  }
}
