/**
 * The claim to publish runs: of several instances, which all follow the journal, one publishes and stores.
 *
 * It is a key that its holder rewrites. Its revision guards every write of the holder to the service's own keys, so an instance that was
 * stopped for an hour and goes on writes nothing. What it publishes then is refused too, because a notification of a run has an id that
 * follows from the run and its state.
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import { compareBytes, toBytes } from '#shared/bytes/bytes.ts'
import type { Compare, Revision, Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import { RUNS_LIMITS } from './limits.ts'
import { RUNS_PREFIX } from './run_store.ts'

/** Key of the claim. */
const HOLDER_KEY = toBytes(`${RUNS_PREFIX}holder`)

export interface RunsClaimParts {
  readonly store: Store
  readonly clock: Clock
  /** Name of this instance, unique. */
  readonly holder: string
  /** Whether no other process can have the store: then a claim that is there at the start is of a process that has ended. */
  readonly isAlone: boolean
}

/** The claim of one instance. */
export interface RunsClaim {
  /** Takes or renews the claim, if it is free, abandoned or its own. @throws {AvisoError} The store's error. */
  renew(): Promise<void>
  /** Guards for writes; `undefined` while another instance has the claim, or this one cannot know. */
  fence(): readonly Compare[] | undefined
  /** Called when a write was refused: another instance has taken over. */
  lost(): void
  /** Gives the claim up, so that another instance need not wait. Never rejects. */
  release(): Promise<void>
}

/** Makes a claim that is not taken yet. */
export function createRunsClaim({ store, clock, holder, isAlone }: RunsClaimParts): RunsClaim {
  const value = toBytes(JSON.stringify({ holder }))
  /** Revision of this instance's own last write. */
  let own: Revision | undefined
  let renewedAt = -Infinity
  /** Whether nothing has been taken yet. */
  let isFirst = true
  /** The claim of another, and since when it has not been renewed, by this instance's own time. */
  let seen: { readonly revision: Revision; readonly since: number } | undefined

  async function take(revision: Revision): Promise<void> {
    const startedAt = clock.monotonic()
    const { succeeded, revision: written } = await store.txn({
      compare: [{ key: HOLDER_KEY, target: 'MOD', result: 'EQUAL', value: revision }],
      success: [{ kind: 'put', key: HOLDER_KEY, value }],
    })
    own = succeeded ? written : undefined
    isFirst = false
    // Another instance sees the write later than this.
    renewedAt = startedAt
    seen = undefined
  }

  return {
    async renew() {
      const startedAt = clock.monotonic()
      if (own !== undefined) return take(own)
      const [kv] = (await store.range({ key: HOLDER_KEY })).kvs
      if (kv === undefined) return take(0n)
      // A write whose outcome was not known was applied.
      if (compareBytes(kv.value, value) === 0) return take(kv.modRevision)
      // Once only: an instance that is replaced in the same process must not take it back.
      if (isAlone && isFirst) return take(kv.modRevision)
      if (seen?.revision !== kv.modRevision) seen = { revision: kv.modRevision, since: startedAt }
      if (startedAt - seen.since >= RUNS_LIMITS.abandonedMs) await take(kv.modRevision)
    },
    fence() {
      // An instance that could not renew in time must count itself as replaced.
      const isFresh = clock.monotonic() - renewedAt < RUNS_LIMITS.abandonedMs
      if (own === undefined || !isFresh) return undefined
      return [{ key: HOLDER_KEY, target: 'MOD', result: 'EQUAL', value: own }]
    },
    lost() {
      own = undefined
    },
    async release() {
      if (own === undefined) return
      const compare: Compare[] = [{ key: HOLDER_KEY, target: 'MOD', result: 'EQUAL', value: own }]
      own = undefined
      try {
        await store.txn({ compare, success: [{ kind: 'delete', range: { key: HOLDER_KEY } }] })
      } catch (error) {
        // The others then wait until it is abandoned.
        if (!isAvisoError(error)) throw error
      }
    },
  }
}
