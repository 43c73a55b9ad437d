/**
 * The whole system in the test's own process, over any store: what broken variants are tried on.
 *
 * @module
 */

import { readFile } from 'node:fs/promises'
import { loadConfig } from '#services/system/settings.ts'
import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import { toText } from '#shared/bytes/bytes.ts'
import type { Store, StoreEvent } from '#shared/store/store.ts'
import { doorOf, type Door } from './door.ts'
import { EPOCH, INTERNAL, nameOfValue, toJournal, type StoredRevision, type Write } from './records.ts'
import { eventually } from '../support/waiting.ts'
import { startTestSystem } from '../support/system.ts'

/** A running system. */
export interface LocalSystem {
  readonly door: Door
  /** Resolves when its services have started. */
  readonly ready: Promise<void>
  close(): Promise<void>
}

/** Starts one, and waits for its services. It leaves the store open, since others may use it. */
export async function startLocalSystem(store: Store): Promise<LocalSystem> {
  const system = await beginLocalSystem(store)
  await system.ready
  return system
}

/** Starts one, and does not wait. */
export async function beginLocalSystem(store: Store): Promise<LocalSystem> {
  const file = new URL('../../wrangler-like.config.json', import.meta.url)
  const config = loadConfig(await readFile(file, 'utf8'), 'wrangler-like.config.json')
  const schemas = createBuiltinSchemas()
  const system = startTestSystem({
    config,
    services: ['rest', 'auth'],
    store: { ...store, close: () => Promise.resolve() },
    schemas,
  })
  return { door: doorOf(system.fetch), ready: system.ready, close: () => system.close() }
}

/** Reads a store's whole history as it is made. */
export interface Truth {
  /** Everything up to what the store holds now. */
  finish(): Promise<readonly StoredRevision[]>
}

/** Everything that a store in this process holds now. */
export async function readTruth(store: Store): Promise<readonly StoredRevision[]> {
  const { revision: head } = await store.status()
  const revisions: StoredRevision[] = []
  const stop = new AbortController()
  const everything = { key: new Uint8Array([0]), end: new Uint8Array([0]), from: 1n, signal: stop.signal }
  for await (const message of store.watch(everything)) {
    if (message.kind === 'revision') revisions.push(toRevision(message.revision, message.events))
    if (message.kind !== 'created' && message.revision >= head) stop.abort()
  }
  return revisions
}

/** Follows a store that lives in this process and cannot fail, so that compaction takes nothing away. */
export function followTruth(store: Store): Truth {
  const revisions: StoredRevision[] = []
  let through = 0n
  const stop = new AbortController()
  const everything = { key: new Uint8Array([0]), end: new Uint8Array([0]), from: 1n, signal: stop.signal }
  const following = (async () => {
    for await (const message of store.watch(everything)) {
      if (message.kind === 'created') continue
      through = message.revision
      if (message.kind === 'revision') revisions.push(toRevision(message.revision, message.events))
    }
  })()
  return {
    finish: async () => {
      const { revision: head } = await store.status()
      await eventually('the truth is complete', () => Promise.resolve(through >= head))
      stop.abort()
      await following
      return revisions
    },
  }
}

function toRevision(revision: bigint, events: readonly StoreEvent[]): StoredRevision {
  const writes: Write[] = []
  const journals = []
  let epoch: string | undefined
  for (const { kind, kv } of events) {
    const key = toText(kv.key)
    const value = toText(kv.value)
    if (key === EPOCH && kind === 'put') epoch = value
    const journal = kind === 'put' ? toJournal(key, value) : undefined
    if (journal !== undefined) journals.push(journal)
    if (key.startsWith(INTERNAL)) continue
    writes.push({ kind, key, value: kind === 'put' ? nameOfValue(value) : '' })
  }
  return { revision, writes, journals, ...(epoch !== undefined && { epoch }) }
}
