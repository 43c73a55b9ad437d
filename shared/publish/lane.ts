/**
 * The lane of one event type into the store: a queue, and one guarded transaction at a time.
 *
 * Flow: ingest → **lane** → store
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { MAX_TXN_OPERATIONS } from '#shared/store/store.ts'
import type { Logger } from '#shared/logger.ts'
import { runWithin } from '#shared/time/deadline.ts'
import { refusalOf, selectItems, type AttemptOptions, type Selected } from './attempt.ts'
import type { CommitDelay } from './commit_delay.ts'
import {
  createCommitter,
  TxnError,
  type CommitOutcome,
  type Committer,
  type CommitterParts,
} from './committer.ts'
import { failUnavailable, outcomeUnknown, storeUnavailable } from './outcome.ts'
import type { Leases } from './leases.ts'
import type { Others } from './others.ts'
import { createPace } from './pace.ts'
import { createSeen, type Seen } from './seen.ts'
import { settle, type Load, type Pending } from './pending.ts'
import { createTurns, type Arrivals, type Turns } from './turns.ts'

export interface LaneParts extends Omit<CommitterParts, 'onReplaced'> {
  readonly logger: Logger
  readonly leases: Leases
  readonly others: Others
  readonly delay: CommitDelay
  /** The notifications of the publisher. */
  readonly load: Load
}

export interface Lane {
  /** Queues a notification, or refuses it. Its `answer` is called later. */
  add(pending: Pending): void
  /**
   * Reads ahead what the first notification would wait for: the journal's head and the recent ids. A notification that arrives meanwhile
   * waits for the same read. Never rejects, because what could not be read is read with the first notification.
   *
   * @param signal Ends the read.
   * @returns the number of ids that are remembered then
   */
  warmUp(signal: AbortSignal): Promise<number>
  /** Resolves when everything queued is answered. Nothing is added any more. */
  close(): Promise<void>
}

/** Commits in a row after which a lowered limit on notifications per transaction is raised again. */
const COMMITS_BEFORE_GROWTH = 16

/** A queue and its worker, which runs only while there is work. */
export function createLane(parts: LaneParts): Lane {
  const { frame, joint, load, clock, strictIds, leases, others } = parts
  const pace = createPace(parts)
  const turns = createTurns(parts)
  const committer = createCommitter({ ...parts, onReplaced: () => forget(parts, turns, seen) })
  const queue: Pending[] = []
  /** Most notifications in a transaction. */
  let most = MAX_TXN_OPERATIONS
  let commits = 0
  let running: Promise<void> | undefined
  const seen = createSeen({ ...parts, committer, onMany: () => void (running ??= run()) })

  /** Works until the queue is empty. */
  async function run(): Promise<void> {
    await joint.enter()
    if (queue.length === 0) await seen.take().catch(() => undefined)
    while (queue.length > 0) {
      const wait = waitForMore(queue, turns, parts)
      if (wait !== undefined) await wait
      await step()
      tidy(queue, clock.monotonic())
      committer.prune()
    }
    running = undefined
    joint.leave()
  }

  async function step(): Promise<void> {
    let items: readonly Pending[] = queue
    try {
      // Each wait that is not needed costs half a microsecond, for each commit of each event type.
      if (!seen.isEmpty) await seen.take()
      if (!turns.isMine()) await turns.mine(await committer.open(), arrivalsOf(seen, committer))
      const head = committer.opened() ?? (await committer.open())
      const selected = selectItems(queue, { frame, window: committer.window(), strictIds, most })
      if (selected.known.length > 0 && !(await answerKnown(selected, committer))) return
      const granted = selected.items.some(isLeased) ? await grantLeases(selected.items, parts) : NO_GRANTS
      items = selected.items.every(isOpen) ? selected.items : selected.items.filter(isOpen)
      if (items.length === 0) return
      const endsTurn = turns.isEnding(items.length === queue.length)
      const sentAt = clock.monotonic()
      const { isWaiting } = turns
      const isShared = turns.isShared || others.isFollowing
      const names = items.length === selected.items.length ? selected.names : undefined
      const options = { head, names, bytes: selected.bytes, leases: granted, endsTurn, isShared, isWaiting }
      const outcome = await send(items, options, { committer, load })
      pace.afterSuccess()
      if (outcome.kind === 'lost') return afterLost(outcome, turns, others)
      turns.afterCommit({ ...outcome, endsTurn, sentAt })
      if (++commits % COMMITS_BEFORE_GROWTH === 0) most = Math.min(most * 2, MAX_TXN_OPERATIONS)
    } catch (error) {
      if (error instanceof TxnError) return afterFailedTxn(items, error.cause)
      if (isTransient(error)) return pace.afterFailure()
      fail(queue, logUnread(toAvisoError(error), parts))
    }
  }

  async function afterFailedTxn(items: readonly Pending[], error: unknown): Promise<void> {
    if (isAvisoError(error, 'ERR_STORE_UNAVAILABLE')) return pace.afterFailure()
    if (isAvisoError(error, 'ERR_STORE_FULL')) {
      return (await settleFull(items, error, committer)) ? undefined : pace.afterFailure()
    }
    if (isAvisoError(error, 'ERR_STORE_DAMAGED', 'ERR_READ_ONLY')) return fail(items, error)
    if (isAvisoError(error, 'ERR_TOO_LARGE', 'ERR_INVALID_RANGE')) {
      commits = 0
      // One item may cause the refusal. Halves are tried until that item is alone.
      most = items.length > 1 ? Math.ceil(items.length / 2) : MAX_TXN_OPERATIONS
      return items.length > 1 ? undefined : fail(items, error)
    }
    if (isAvisoError(error, 'ERR_NOT_FOUND')) {
      leases.forget()
      return pace.afterFailure()
    }
    doubt(items, error, parts)
    return pace.afterFailure()
  }

  return {
    add: (pending) => {
      const refusal = refusalOf(pending, frame)
      if (refusal !== undefined) return settle(pending, { ok: false, error: refusal })
      queue.push(pending)
      running ??= run()
    },
    warmUp: async (signal) => {
      // A lane that works has read all this, or reads it now.
      if (running === undefined) {
        const read = readAhead(committer, parts, signal)
        running = read.then(run)
        await read
      }
      return committer.window().size()
    },
    close: async () => {
      while (running !== undefined) await running
      turns.stop()
    },
  }
}

/** Waits for more notifications, where that pays. Ingests that take turns wait for each other already. */
function waitForMore(
  [oldest]: readonly Pending[],
  { isShared }: Turns,
  { delay, clock, limits }: LaneParts,
): Promise<void> | undefined {
  if (oldest === undefined || isShared) return undefined
  return delay.wait(clock.monotonic() - (oldest.deadline - limits.deadlineMs))
}

/** Commits notifications, which count as sent meanwhile. */
async function send(
  items: readonly Pending[],
  options: AttemptOptions,
  { committer, load }: { readonly committer: Committer; readonly load: Load },
): Promise<CommitOutcome> {
  const count = items.length
  load.sent += count
  try {
    return await committer.commit(items, options)
  } finally {
    load.sent -= count
  }
}

/**
 * Answers what memory alone knows, after the store was asked whether it is still the one that is remembered.
 *
 * @returns whether it is. @throws {AvisoError} The store's error.
 */
async function answerKnown({ known }: Selected, committer: Committer): Promise<boolean> {
  if (!(await committer.confirm())) return false
  for (const { pending, result } of known) settle(pending, result)
  return true
}

function afterLost(
  { isRace, isAlone }: CommitOutcome & { readonly kind: 'lost' },
  turns: Turns,
  others: Others,
): void {
  if (!isRace) return
  others.follow()
  turns.afterLostRace(isAlone)
}

/** Remembers what a failure after the transaction was sent means: it may have been applied. */
function doubt(items: readonly Pending[], error: unknown, { frame, logger }: LaneParts): void {
  for (const pending of items) pending.maybeStored = true
  const code = isAvisoError(error) ? error.code : 'ERR_INTERNAL'
  logger('warn', 'A publish has an unknown outcome and is sent again', { event: frame.event, code })
}

function logUnread(error: AvisoError, { logger, frame: { event } }: LaneParts): AvisoError {
  logger('error', 'The journal cannot be read', { event, code: error.code, reason: error.message })
  return error
}

/**
 * Answers what a full store has refused. etcd refuses the transaction that takes its last room, and applies it all the same: the journal
 * decides.
 *
 * @returns whether the store has said so. Otherwise it is to be found out later.
 */
async function settleFull(
  items: readonly Pending[],
  error: AvisoError,
  committer: Committer,
): Promise<boolean> {
  const before = items.map(({ maybeStored }) => maybeStored)
  for (const pending of items) pending.maybeStored = true
  try {
    // Otherwise the journal has changed: what is stored is answered, and the rest goes again.
    if (!(await committer.confirm())) return true
  } catch (failure) {
    if (isTransient(failure)) return false
    fail(items, toAvisoError(failure))
    return true
  }
  for (const [index, pending] of items.entries()) pending.maybeStored = before[index] ?? false
  fail(items, error)
  return true
}

/** Answers what has waited too long, and takes what is answered out of a queue. */
function tidy(queue: Pending[], now: number): void {
  expire(queue, now)
  dropAnswered(queue)
}

/** Answers notifications that have waited too long. The queue is in the order of arrival, so they are at its front. */
function expire(queue: readonly Pending[], now: number): void {
  for (const pending of queue) {
    if (pending.deadline > now) break
    fail([pending], storeUnavailable())
  }
}

function dropAnswered(queue: Pending[]): void {
  let answered = 0
  while (queue[answered]?.done === true) answered++
  if (answered === queue.length) queue.length = 0
  else queue.splice(0, answered)
}

/** Reads what the first notification would wait for. Never rejects. */
async function readAhead(
  committer: Committer,
  { frame, logger }: LaneParts,
  signal: AbortSignal,
): Promise<void> {
  try {
    await committer.open(signal)
  } catch (error) {
    if (signal.aborted) return
    const { code, message } = toAvisoError(error)
    logger('warn', 'Recent ids could not be read yet', { event: frame.event, code, reason: message })
  }
}

function arrivalsOf({ arrive, take }: Seen, { open }: Committer): Arrivals {
  return {
    arrive,
    take: async () => {
      await take()
      return open()
    },
  }
}

/** Forgets what belongs to a store that was replaced. */
function forget({ frame, leases, logger }: LaneParts, turns: Turns, seen: Seen): void {
  leases.forget()
  seen.forget()
  turns.stop()
  logger('error', 'The store was replaced: what was known of it is forgotten', { event: frame.event })
}

function isLeased({ item: { ttlSeconds } }: Pending): boolean {
  return ttlSeconds !== undefined
}

function isOpen({ done }: Pending): boolean {
  return !done
}

type Grants = ReadonlyMap<number, bigint>

const NO_GRANTS: Grants = new Map()

/**
 * Leases for notifications with a time to live. Those whose time to live the store refuses for good fail.
 *
 * @returns leases by time to live in seconds. @throws {AvisoError} The store's error, if trying again may help.
 */
async function grantLeases(items: readonly Pending[], { clock, leases, limits }: LaneParts): Promise<Grants> {
  const ttls = new Set<number>()
  for (const { item } of items) if (item.ttlSeconds !== undefined) ttls.add(item.ttlSeconds)
  const granted = new Map<number, bigint>()
  const grant = async (ttl: number): Promise<void> => {
    try {
      const limit = { clock, ms: limits.attemptMs, late: failUnavailable }
      granted.set(ttl, await runWithin((signal) => leases.get(ttl, { signal }), limit))
    } catch (error) {
      if (isTransient(error)) throw error
      const affected = items.filter(({ item }) => item.ttlSeconds === ttl)
      fail(affected, toAvisoError(error))
    }
  }
  await Promise.all(Array.from(ttls, grant))
  return granted
}

function fail(items: readonly Pending[], error: AvisoError): void {
  for (const pending of items) {
    settle(pending, { ok: false, error: pending.maybeStored ? outcomeUnknown() : error })
  }
}

/** Whether a read, or the grant of a lease, may succeed when tried again. */
function isTransient(error: unknown): boolean {
  return isAvisoError(error, 'ERR_STORE_UNAVAILABLE', 'ERR_OUTCOME_UNKNOWN', 'ERR_OVERLOADED')
}

function toAvisoError(cause: unknown): AvisoError {
  return isAvisoError(cause)
    ? cause
    : new AvisoError('ERR_INTERNAL', 'The notification could not be stored', { cause })
}
