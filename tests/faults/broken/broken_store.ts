/**
 * Stores with one mistake each, as a careless adapter or relay would make it.
 *
 * @module
 */

import { AvisoError, oldestRevisionOf } from '#shared/errors.ts'
import type {
  GuardedOperations,
  GuardedResult,
  KeyRange,
  Store,
  TxnRequest,
  WatchMessage,
  WatchRequest,
} from '#shared/store/store.ts'
import { toText } from '#shared/bytes/bytes.ts'
import type { Dice } from '../../support/dice.ts'

/** Whether a transaction publishes notifications. */
function isPublish(request: TxnRequest): boolean {
  return [request, ...(request.parts ?? [])].some(({ success }) =>
    success.some(
      (operation) => operation.kind === 'put' && toText(operation.key).startsWith('/_aviso/journal/'),
    ),
  )
}

/** A request whose guards are gone, those of its parts, too. */
function unguarded({ parts, ...request }: TxnRequest): TxnRequest {
  return { ...request, compare: [], parts: parts?.map((part) => ({ ...part, compare: [] })) }
}

/** Plain puts: publishing is no longer guarded by the journal. */
export function withoutGuard(store: Store): Store {
  return {
    ...store,
    txn: (request, options) => store.txn(isPublish(request) ? unguarded(request) : request, options),
  }
}

/** Now and then a write is acknowledged before the store has answered, and the store never gets it. */
export function acknowledgingEarly(store: Store, dice: Dice): Store {
  return {
    ...store,
    txn: async (request, options) => {
      if (!isPublish(request) || !dice.chance(0.05)) return store.txn(request, options)
      const { revision } = await store.status()
      const done = ({ success }: GuardedOperations): GuardedResult => ({
        succeeded: true,
        results: success.map((operation) =>
          operation.kind === 'range'
            ? { kind: 'range', result: { revision, kvs: [], count: 0n, more: false } }
            : { kind: 'put' },
        ),
      })
      const { parts } = request
      return { revision: revision + 1n, ...done(request), ...(parts && { parts: parts.map(done) }) }
    },
  }
}

/** A watch that goes on does so at the revision that another read tells, not where it was (APISIX #13067). */
export function resumingFromHeader(store: Store): Store {
  const seen = new Set<string>()
  return {
    ...store,
    async *watch(request): AsyncGenerator<WatchMessage> {
      if (!isResumed(seen, request)) return yield* store.watch(request)
      const { revision } = await store.range({ key: request.key })
      yield* store.watch({ ...request, from: revision + 1n })
    },
  }
}

/** A watch that goes on leaves out one revision (+2 instead of +1). */
export function resumingTooFar(store: Store): Store {
  const seen = new Set<string>()
  return {
    ...store,
    watch: (request) => {
      const { from } = request
      if (from === undefined || !isResumed(seen, request)) return store.watch(request)
      return store.watch({ ...request, from: from + 1n })
    },
  }
}

/** Whether a watch of a range goes on. Watches of single keys are an ingest's: they read a stretch once. */
function isResumed(seen: Set<string>, { key, end }: KeyRange): boolean {
  if (end === undefined) return false
  const name = `${toText(key)} ${toText(end)}`
  if (seen.has(name)) return true
  seen.add(name)
  return false
}

/** Half of a revision comes, then the watch breaks: what goes on behind that revision never sees the other half. */
export function splittingRevisions(store: Store, dice: Dice): Store {
  return {
    ...store,
    async *watch(request): AsyncGenerator<WatchMessage> {
      for await (const message of store.watch(request)) {
        if (message.kind !== 'revision' || message.events.length < 3 || !dice.chance(0.05)) {
          yield message
          continue
        }
        yield { ...message, events: message.events.slice(0, Math.floor(message.events.length / 2)) }
        throw new AvisoError('ERR_STORE_UNAVAILABLE', 'The test broke this watch')
      }
    },
  }
}

/** Compacted history is passed over in silence. */
export function hidingCompaction(store: Store): Store {
  return {
    ...store,
    async *watch(request: WatchRequest): AsyncGenerator<WatchMessage> {
      let { from } = request
      for (;;) {
        try {
          return yield* store.watch({ ...request, ...(from !== undefined && { from }) })
        } catch (error) {
          const oldest = oldestRevisionOf(error)
          if (oldest === undefined) throw error
          from = oldest
        }
      }
    },
  }
}
