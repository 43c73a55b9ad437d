/**
 * Checks the store's history by itself, and against what publishers were told.
 *
 * @module
 */

import type { Report } from './checker.ts'
import type { JournalRecord, Operation, Run, StoredRevision } from './records.ts'
import type { StoreView } from './store_view.ts'

/** Numbers of a new epoch begin at a multiple of this, plus one. */
const NUMBERS_PER_EPOCH = 1_000_000_000

/** How far the journal of an event type is. */
interface JournalHead {
  revision: bigint
  sequence: number
  /** Whether later ones may be lost: the revision before which something is; absent: none. */
  lostBefore?: bigint | undefined
}

interface Heads {
  readonly heads: Map<string, JournalHead>
  /** Revision of the newest epoch. */
  readonly epochAt: bigint
  readonly wholeFrom: bigint
}

/** Numbers are dense, the journal's chain has no break, and it describes exactly what was written beside it. */
export function checkStore(
  { operations, revisions, isRenewed = false, wholeFrom = 0n }: Run,
  report: Report,
): void {
  const heads = new Map<string, JournalHead>()
  let epochAt = 0n
  const ids = new Set(operations.map(({ id }) => id))
  let last = 0n
  for (const stored of revisions) {
    if (stored.revision <= last) report('reordered', 'store', `revision ${stored.revision} after ${last}`)
    last = stored.revision
    if (isRenewed && stored.epoch !== undefined) epochAt = stored.revision
    if (stored.revision < wholeFrom) {
      for (const journal of stored.journals) goOnBehind(journal, stored, { heads, wholeFrom })
      continue
    }
    for (const journal of stored.journals)
      checkJournal(journal, stored, { heads, epochAt, wholeFrom }, report)
    checkPlaces(stored, report)
    checkDescribed(stored, ids, report)
  }
}

/** What is left of a damaged history is not judged, but what is whole goes on behind it. */
function goOnBehind(
  { event, entries }: JournalRecord,
  { revision }: StoredRevision,
  { heads, wholeFrom }: { readonly heads: Map<string, JournalHead>; readonly wholeFrom: bigint },
): void {
  heads.set(event, { revision, sequence: entries.at(-1)?.sequence ?? 0, lostBefore: wholeFrom })
}

function checkJournal(
  { event, previous, entries }: JournalRecord,
  { revision, writes }: StoredRevision,
  { heads, epochAt, wholeFrom }: Heads,
  report: Report,
): void {
  const head: JournalHead = heads.get(event) ?? { revision: 0n, sequence: 0, lostBefore: wholeFrom }
  const place = `journal of ${event} at ${revision}`
  const { lostBefore = 0n } = head
  const isBehindLost = previous > head.revision && previous < lostBefore
  if (previous !== head.revision && !isBehindLost)
    report('journal', 'store', `${place} follows ${previous}, not ${head.revision}`)
  for (const [index, { key, sequence }] of entries.entries()) {
    const mayJump = index === 0 && head.revision < epochAt
    const isJump = sequence > head.sequence && sequence % NUMBERS_PER_EPOCH === 1
    const isLater = isBehindLost && index === 0 && sequence > head.sequence
    if (sequence !== head.sequence + 1 && !(mayJump && isJump) && !isLater)
      report('journal', 'store', `${place} has number ${sequence} after ${head.sequence}`)
    head.sequence = sequence
    if (writes.filter((write) => write.kind === 'put' && write.key === key).length !== 1)
      report('journal', 'store', `${place} names ${key}, which is not written beside it`)
  }
  head.revision = revision
  head.lostBefore = undefined
  heads.set(event, head)
}

/** Event types that share a revision have places of their own in it. */
function checkPlaces({ revision, journals }: StoredRevision, report: Report): void {
  let free = 0
  for (const { event, place, entries } of journals.toSorted((a, b) => a.place - b.place)) {
    if (place < free)
      report('journal', 'store', `journal of ${event} at ${revision} has place ${place} twice`)
    free = place + entries.length
  }
}

/** Every notification was published by somebody, and stands in the journal of its revision. */
function checkDescribed(
  { revision, writes, journals }: StoredRevision,
  ids: ReadonlySet<string>,
  report: Report,
): void {
  const described = new Set(journals.flatMap(({ entries }) => entries.map(({ key }) => key)))
  for (const { kind, key, value } of writes) {
    if (kind === 'delete') continue
    if (described.has(key)) {
      if (!ids.has(value)) report('invented', 'store', `${key} at ${revision} holds ${value}`)
    } else if (ids.has(value)) {
      report('journal', 'store', `${value} at ${revision} is in no journal`)
    }
  }
}

/** Every acknowledgement is true, no id is stored twice, and what was refused is not stored. */
export function checkAcknowledged({ operations }: Run, view: StoreView, report: Report): void {
  for (const operation of operations) checkOperation(operation, view, report)
  checkRealTime(operations, report)
}

function checkOperation({ id, key, event, tries }: Operation, view: StoreView, report: Report): void {
  const stored = view.withValue(id)
  const [first] = stored
  const where = 'acknowledged'
  if (stored.length > 1)
    report('doubled', where, `${id} is stored at ${stored.map(({ revision }) => revision).join(', ')}`)
  if (first !== undefined && (first.key !== key || first.event !== event))
    report('altered', where, `${id} is stored at ${first.key} of ${first.event}, not at ${key} of ${event}`)
  if (first !== undefined && tries.length > 0 && tries.every(({ outcome }) => outcome === 'none'))
    report('ghost', where, `${id} was refused, but is stored at ${first.revision}`)
  for (const answer of tries) {
    if (answer.outcome !== 'stored') continue
    const { revision, sequence } = answer
    if (first === undefined) {
      report('lost', where, `${id} was acknowledged at ${revision}, but is not stored`)
      return
    }
    const isTrue = stored.some(
      (place) => place.revision === revision && place.sequence === sequence && place.key === answer.key,
    )
    if (!isTrue)
      report(
        'misplaced',
        where,
        `${id} was acknowledged at ${revision} as number ${sequence}, but is at ${first.revision} as ${first.sequence}`,
      )
  }
}

/** What is published after an acknowledgement has arrived is stored behind it. */
function checkRealTime(operations: readonly Operation[], report: Report): void {
  const acknowledged = operations
    .flatMap(({ id, tries, invokedAt }) => {
      const answer = tries.find(({ outcome }) => outcome === 'stored')
      return answer?.outcome === 'stored' ? [{ id, invokedAt, at: answer.at, revision: answer.revision }] : []
    })
    .toSorted((a, b) => a.at - b.at)
  const invoked = acknowledged.toSorted((a, b) => a.invokedAt - b.invokedAt)
  let next = 0
  let newest = { id: '', revision: 0n }
  for (const { id, invokedAt, revision } of invoked) {
    for (
      let before = acknowledged[next];
      before !== undefined && before.at < invokedAt;
      before = acknowledged[++next]
    ) {
      if (before.revision > newest.revision) newest = before
    }
    if (revision <= newest.revision)
      report(
        'not_real_time',
        'acknowledged',
        `${id} at ${revision} was published after ${newest.id} at ${newest.revision}`,
      )
  }
}
