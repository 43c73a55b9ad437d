/**
 * Commits groups of notifications of one event type under the journal's guard, and finds out the outcome of every transaction.
 *
 * The guard is the journal's revision: a transaction applies only if the journal has not changed. Until this ingest sees a change, all its
 * transactions have the same guard, so at most one of them is applied. The journal names that one by its batch id. An abandoned
 * transaction is either found there, or can never be applied.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { KeyValue, OperationResult, Revision, Store, TxnResult } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import { runWithin } from '#shared/time/deadline.ts'
import { buildAttempt, type Attempt, type Frame, type Head } from './attempt.ts'
import type { IdWindow, StoredItem } from './id_window.ts'
import { createLedger } from './ledger.ts'
import type { PublishLimits } from './limits.ts'
import { settle, toReceipt, type Pending } from './pending.ts'
import { createStatusCache, readStatus } from './status_document.ts'

export interface CommitterParts {
  readonly frame: Frame
  readonly store: Store
  readonly clock: Clock
  readonly random: () => string
  readonly limits: PublishLimits
  readonly strictIds: boolean
}

export interface Committer {
  readonly window: IdWindow
  /** The newest known commit. The first call reads it. @throws {AvisoError} The store's error. */
  open(): Promise<Head>
  /**
   * Sends one transaction. `committed`: all items are answered. `lost`: another ingest was faster. Its commits are then read, and items
   * that turn out to be stored by an earlier transaction are answered.
   *
   * @throws {TxnError} When the transaction failed.
   * @throws {AvisoError} When the transaction was lost, and the other commits could not be read.
   */
  commit(items: readonly Pending[], options: CommitOptions): Promise<CommitOutcome>
  /** Forgets transactions whose items are all answered. */
  prune(): void
}

export interface CommitOptions {
  readonly head: Head
  /** By time to live in seconds. */
  readonly leases: ReadonlyMap<number, bigint>
  /** Whether to tell the other ingests that this one waits, if it loses again. */
  readonly isStarving: boolean
}

/** With `someoneWaits`, another ingest keeps losing against this one. */
export type CommitOutcome =
  | { readonly kind: 'committed'; readonly someoneWaits: boolean }
  | { readonly kind: 'lost' }

/** The failure of a transaction, as opposed to the failure of a read. */
export class TxnError extends Error {
  constructor(cause: unknown) {
    super('The transaction failed', { cause })
    this.name = 'TxnError'
  }
}

export function createCommitter(parts: CommitterParts): Committer {
  const { frame, store, clock, limits } = parts
  const { event } = frame
  const ledger = createLedger({ ...parts, event })
  const statuses = createStatusCache()
  /** Transactions sent under the present guard that may still appear in the journal. */
  let sent: Attempt[] = []
  /** Revision at which an ingest last wrote the waiting key. */
  let waiting: Revision | undefined

  async function send({ request }: Attempt): Promise<TxnResult> {
    try {
      const limit = { clock, ms: limits.attemptMs, late: failUnknown }
      return await runWithin((signal) => store.txn(request, { signal }), limit)
    } catch (error) {
      throw new TxnError(error)
    }
  }

  function committed(attempt: Attempt, { revision, results }: TxnResult): CommitOutcome {
    acknowledge(attempt, ledger.record(revision, attempt.batch))
    for (const { base, next } of attempt.bases) statuses.set(base, { revision, ...next.days })
    forgetSent(true)
    const last = results.at(-1)
    const sign = (last === undefined ? undefined : onlyKey(last))?.modRevision ?? 0n
    const someoneWaits = waiting !== undefined && sign > waiting
    waiting = sign
    return { kind: 'committed', someoneWaits }
  }

  async function learn(attempt: Attempt, { results }: TxnResult): Promise<void> {
    const [journal, ...present] = results.map(onlyKey)
    for (const [index, { base }] of attempt.bases.entries()) statuses.set(base, readStatus(present[index]))
    if ((journal?.modRevision ?? 0n) === ledger.head()?.revision) return
    const limit = { clock, ms: limits.deadlineMs, late: failUnavailable }
    const { commits, complete } = await runWithin((signal) => ledger.advance(journal, signal), limit)
    for (const { batch, stored } of commits) {
      const own = sent.find((candidate) => candidate.batch.batch === batch)
      if (own !== undefined) acknowledge(own, stored)
    }
    forgetSent(complete)
  }

  function acknowledge(attempt: Attempt, stored: readonly StoredItem[]): void {
    for (const [index, pending] of attempt.items.entries()) {
      const item = stored[index]
      if (item !== undefined) settle(pending, { ok: true, receipt: toReceipt(event, item, false) })
    }
  }

  /**
   * Forgets the sent transactions after the journal has changed: each is stored now, or never will be.
   *
   * @param fateKnown Whether all commits since are known, and with them which transactions are stored.
   */
  function forgetSent(fateKnown: boolean): void {
    for (const { items } of sent) {
      for (const pending of items) {
        if (!fateKnown && pending.maybeStored) settle(pending, { ok: false, error: outcomeUnknown() })
        pending.maybeStored = false
      }
    }
    sent = []
  }

  return {
    window: ledger.window,
    open: async () =>
      ledger.head() ??
      runWithin((signal) => ledger.open(signal), { clock, ms: limits.deadlineMs, late: failUnavailable }),
    commit: async (items, options) => {
      const { isStarving } = options
      const known = { frame, statuses, batchId: parts.random(), now: clock.now() }
      const attempt = buildAttempt(items, { ...options, ...known })
      sent.push(attempt)
      const result = await send(attempt)
      if (!result.succeeded) {
        // This ingest wrote the waiting key itself, so it need not let anyone pass because of it.
        if (isStarving) waiting = result.revision
        await learn(attempt, result)
        return { kind: 'lost' }
      }
      return committed(attempt, result)
    },
    prune: () => {
      if (sent.length > 0) sent = sent.filter(({ items }) => items.some(({ done }) => !done))
    },
  }
}

function onlyKey(result: OperationResult): KeyValue | undefined {
  return result.kind === 'range' ? result.result.kvs[0] : undefined
}

/** The error for a notification that was surely not stored. */
export function storeUnavailable(): AvisoError {
  return new AvisoError(
    'ERR_STORE_UNAVAILABLE',
    'The notification was not stored, because the store cannot be reached or is too busy: send it again',
  )
}

/** Fails a call that waited too long for the store and wrote nothing. */
export function failUnavailable(): never {
  throw storeUnavailable()
}

/** The error for a notification that may have been stored. */
export function outcomeUnknown(): AvisoError {
  return new AvisoError(
    'ERR_OUTCOME_UNKNOWN',
    'The notification may have been stored, or may still be stored: send it again with the same id',
  )
}

function failUnknown(): never {
  throw outcomeUnknown()
}
