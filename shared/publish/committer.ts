/**
 * Commits groups of notifications of one event type under the journal's guard, and finds out the outcome of every transaction.
 *
 * The guard is the journal's revision: a transaction applies only if the journal has not changed. Until this ingest sees a change, all its
 * transactions have the same guard, so at most one of them is applied. The journal names that one by its batch id. An abandoned
 * transaction is either found there, or can never be applied.
 *
 * What is remembered belongs to one history of the store. The guard holds the store's epoch, too, and after a silence or a failure the
 * newest known commit is looked up in the store. If the store is another one, or an older copy was put back, everything is forgotten, and
 * the store gets a new epoch.
 *
 * @module
 */

import type { KeyValue, Revision, Store, TxnRequest, TxnResult } from '#shared/store/store.ts'
import { KeyDamaged } from '#shared/errors.ts'
import { toText } from '#shared/bytes/bytes.ts'
import { renewEpoch } from '#shared/journal/epoch.ts'
import type { Clock } from '#shared/time/clock.ts'
import { runWithin } from '#shared/time/deadline.ts'
import { buildAttempt, type Attempt, type AttemptOptions, type Frame, type Head } from './attempt.ts'
import { buildCheck, checkedPresent, isKnownEpoch, type Present } from './guards.ts'
import type { IdentityHash } from './identity_hash.ts'
import type { IdWindow } from './id_window.ts'
import type { JointCommit } from './joint_commit.ts'
import type { Applied, Outcome } from './joint_txn.ts'
import { createLedger } from './ledger.ts'
import type { PublishLimits } from './limits.ts'
import { failUnavailable } from './outcome.ts'
import type { Pending } from './pending.ts'
import { createSentAttempts } from './sent.ts'
import { createStatusCache, readStatus, type StatusCache } from './status_document.ts'

export interface CommitterParts {
  readonly frame: Frame
  readonly store: Store
  readonly joint: JointCommit
  readonly clock: Clock
  readonly random: () => string
  readonly limits: PublishLimits
  readonly strictIds: boolean
  readonly identityHash: IdentityHash
  /** Number of the first notification of the event type; default: 1. */
  readonly firstNumber?: number
  /** Called when the store was replaced, or an older copy of it was put back. What else is remembered of it is void. */
  readonly onReplaced: () => void
}

export interface Committer {
  window(): IdWindow
  /** Revision of the newest known commit; 0n: none. `undefined` while nothing is known of the journal. */
  newest(): Revision | undefined
  /**
   * The newest known commit, as the store has it: it is read first, and after a silence or a failure.
   *
   * @param signal When it aborts, the read fails at once.
   * @throws {AvisoError} The store's error.
   */
  open(signal?: AbortSignal): Promise<Head>
  /** What {@link Committer.open} would give without a read; `undefined` where it has to read. */
  opened(): Head | undefined
  /**
   * Checks that the newest known commit is the newest in the store, now.
   *
   * @returns whether it is. If not, what has changed was read. @throws {AvisoError} The store's error.
   */
  confirm(): Promise<boolean>
  /**
   * Sends what is to be committed. `committed`: all items are answered. `lost`: another ingest was faster. Its commits are then read, and items
   * that turn out to be stored by an earlier transaction are answered.
   *
   * @throws {TxnError} When the transaction failed.
   * @throws {AvisoError} When the transaction was lost, and the other commits could not be read.
   */
  commit(items: readonly Pending[], options: AttemptOptions): Promise<CommitOutcome>
  /** Takes the journal as another ingest has left it. The values come in order, and none is left out. @throws {AvisoError} The store's error. */
  take(journal: KeyValue): Promise<void>
  /** Forgets transactions whose items are all answered. */
  prune(): void
}

/**
 * With `someoneWaits`, another ingest keeps losing against this one. With `isRace`, another ingest was faster; with `isAlone`, a whole transaction
 * was in vain.
 */
export type CommitOutcome =
  | { readonly kind: 'committed'; readonly revision: Revision; readonly someoneWaits: boolean }
  | { readonly kind: 'lost'; readonly isRace: boolean; readonly isAlone: boolean }

/** The failure of a transaction, as opposed to the failure of a read. */
export class TxnError extends Error {
  constructor(cause: unknown) {
    super('The transaction failed', { cause })
    this.name = 'TxnError'
  }
}

/** No store can be replaced within this time without one call failing: its members stop, get other data and start. */
const MAX_SILENCE_MS = 5_000

export function createCommitter(parts: CommitterParts): Committer {
  const { frame, store, clock } = parts
  const { event } = frame
  const ledger = createLedger({ ...parts, event })
  const calls = createCalls(parts)
  const { read } = calls
  let statuses = createStatusCache()
  const sent = createSentAttempts(event)
  /** Revision at which an ingest last wrote the waiting key. */
  let waiting: Revision | undefined

  function committed(attempt: Attempt, { revision, sign }: Applied): CommitOutcome {
    const { batch, items, names } = attempt
    sent.acknowledge(batch.batch, ledger.record(revision, batch, names && { items, names }))
    for (const { base, next } of attempt.bases) statuses.set(base, { revision, ...next.days })
    sent.forget(true)
    const someoneWaits = waiting !== undefined && sign > waiting
    waiting = sign
    return { kind: 'committed', revision, someoneWaits }
  }

  /**
   * Learns from a transaction that did not apply.
   *
   * @returns whether another ingest was faster. Otherwise something else has changed.
   */
  async function learn(
    bases: Attempt['bases'],
    { journal, epoch, statuses: present }: Present,
  ): Promise<boolean> {
    const head = ledger.head()
    if (!isKnownEpoch(head, epoch)) {
      await startOver()
      return false
    }
    for (const [index, { base }] of bases.entries()) statuses.set(base, readStatus(present[index]))
    if ((journal?.modRevision ?? 0n) === head?.revision) return false
    await advance(journal)
    return true
  }

  async function advance(journal: KeyValue | undefined): Promise<void> {
    const change = await read((signal) => ledger.advance(journal, signal))
    switch (change.kind) {
      case 'replaced':
        return startOver()
      case 'advanced':
        for (const commit of change.commits) {
          sent.acknowledge(commit.batch.batch, commit.stored)
          statuses.follow(commit)
        }
        return sent.forget(change.complete)
    }
  }

  /** Forgets the store that was, and gives the present one a new epoch unless another process has. */
  async function startOver(): Promise<void> {
    const lost = ledger.head()?.epoch?.epoch
    if (lost !== undefined) await read(() => renewEpoch(store, lost, parts.random))
    ledger.forget()
    statuses = createStatusCache()
    waiting = undefined
    sent.forget(false)
    parts.onReplaced()
  }

  return {
    window: ledger.window,
    newest: () => ledger.head()?.revision,
    opened: () => (calls.isSilent() ? undefined : ledger.head()),
    open: async (signal) => {
      if (calls.isSilent() && !(await read(ledger.isKept))) await startOver()
      calls.hear()
      return ledger.head() ?? read(ledger.open, signal)
    },
    confirm: async () => {
      const head = ledger.head()
      if (head === undefined) return false
      const result = await calls.check(buildCheck(head, frame))
      if (!result.succeeded) await learn([], checkedPresent(result))
      return result.succeeded
    },
    commit: async (items, options) => {
      const known = { frame, statuses, batchId: parts.random(), now: clock.now() }
      const attempt = buildAttempt(items, known, options)
      sent.add(attempt)
      const outcome = await send(attempt, { joint: parts.joint, calls, statuses })
      if (outcome === undefined) return { kind: 'lost', isRace: false, isAlone: false }
      if (outcome.kind === 'applied') return committed(attempt, outcome)
      // This ingest wrote the waiting key itself, so it need not let anyone pass because of it.
      if (options.isWaiting) waiting = outcome.revision
      const { present, isAlone } = outcome
      return { kind: 'lost', isRace: await learn(attempt.bases, present), isAlone }
    },
    take: async (journal) => {
      if (journal.modRevision > (ledger.head()?.revision ?? 0n)) await advance(journal)
    },
    prune: sent.prune,
  }
}

/**
 * Sends an attempt.
 *
 * @returns what became of it; `undefined` where it was refused because of a damaged status document, which is passed by now.
 * @throws {TxnError}
 */
async function send(
  attempt: Attempt,
  { joint, calls, statuses }: { joint: JointCommit; calls: Calls; statuses: StatusCache },
): Promise<Outcome | undefined> {
  calls.ask()
  try {
    const outcome = await joint.send(attempt)
    calls.hear()
    return outcome
  } catch (error) {
    if (!passDamaged(statuses, attempt, error)) throw new TxnError(error)
    return undefined
  }
}

/** The calls of the store, within their limits. */
interface Calls {
  /** Sends a transaction that changes nothing. */
  check(request: TxnRequest): Promise<TxnResult>
  /** Says that a transaction is sent by other means, which have their own limits. {@link Calls.hear} follows, unless it fails. */
  ask(): void
  read<Result>(work: (signal: AbortSignal) => Promise<Result>, signal?: AbortSignal): Promise<Result>
  /** Whether the store has answered no transaction for so long, or since a failure, that it may be another one. */
  isSilent(): boolean
  /** Takes the store for the one that is known. */
  hear(): void
}

function createCalls({ store, clock, limits }: Pick<CommitterParts, 'store' | 'clock' | 'limits'>): Calls {
  /** When the store last answered, in monotonic time; absent after a failure. */
  let heardAt: number | undefined
  const hear = (): void => {
    heardAt = clock.monotonic()
  }
  const ask = (): void => {
    heardAt = undefined
  }
  return {
    check: async (request) => {
      const limit = { clock, ms: limits.attemptMs, late: failUnavailable }
      ask()
      const result = await runWithin((signal) => store.txn(request, { signal }), limit)
      hear()
      return result
    },
    ask,
    read: (work, signal) => runWithin(work, { clock, ms: limits.deadlineMs, signal, late: failUnavailable }),
    isSilent: () => heardAt === undefined || clock.monotonic() - heardAt > MAX_SILENCE_MS,
    hear,
  }
}

/**
 * Takes a damaged status document for one that says nothing: nothing but its revision is needed.
 *
 * @returns whether a transaction failed at one. It did nothing then.
 */
function passDamaged(statuses: StatusCache, { bases }: Attempt, error: unknown): boolean {
  if (!(error instanceof KeyDamaged)) return false
  const base = toText(error.key)
  if (!bases.some((other) => other.base === base)) return false
  statuses.set(base, { revision: error.revision })
  return true
}
