/**
 * Commits groups of notifications of one event type under the journal's guard, and knows what became of every transaction it sent.
 *
 * Until the journal is seen to have moved, every transaction carries the same guard. So of all transactions ever sent under one guard at most
 * one is applied, and the journal names it: an abandoned one is recognised by its batch id, or can never be applied any more.
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
  /** The newest commit known. The first time it is read. @throws {AvisoError} What the store throws. */
  open(): Promise<Head>
  /**
   * Sends one transaction. `committed`: all items are answered. `lost`: somebody was faster; what they did is learnt, and items
   * that an earlier transaction turns out to have stored are answered.
   *
   * @throws {TxnError} The transaction failed.
   * @throws {AvisoError} It was lost, and what happened could not be read.
   */
  commit(items: readonly Pending[], options: CommitOptions): Promise<CommitOutcome>
  /** Forgets transactions that nobody waits for. */
  prune(): void
}

export interface CommitOptions {
  readonly head: Head
  /** By time to live in seconds. */
  readonly leases: ReadonlyMap<number, bigint>
  /** Whether to tell the others that this ingest waits, if it loses again. */
  readonly isStarving: boolean
}

/** With `someoneWaits`, another ingest keeps losing against this one. */
export type CommitOutcome =
  | { readonly kind: 'committed'; readonly someoneWaits: boolean }
  | { readonly kind: 'lost' }

/** Why a transaction failed, told apart from reads that fail. */
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
  /** Transactions sent under the present guard that may be found in the journal yet. */
  let sent: Attempt[] = []
  /** Revision of the newest sign of somebody who waits. */
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

  /** The journal has moved: what was sent before is stored, or never will be. Which of them, is known if all commits since are. */
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
        // Our own sign is none to heed.
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

/** The answer to what was surely not stored. */
export function storeUnavailable(): AvisoError {
  return new AvisoError(
    'ERR_STORE_UNAVAILABLE',
    'The notification was not stored, because the store cannot be reached or is too busy: send it again',
  )
}

/** Fails what waited too long for the store before it wrote anything. */
export function failUnavailable(): never {
  throw storeUnavailable()
}

/** The answer to what may have been stored. */
export function outcomeUnknown(): AvisoError {
  return new AvisoError(
    'ERR_OUTCOME_UNKNOWN',
    'The notification may have been stored, or may yet be: send it again with the same id',
  )
}

function failUnknown(): never {
  throw outcomeUnknown()
}
