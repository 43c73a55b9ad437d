/**
 * Damaged pages: what SQLite cannot read has no key to name, so it is looked for. The index by key has each event's place in history, and
 * each place is tried in the table.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { isEndOfKeys, nextKey, toText } from '#shared/bytes/bytes.ts'
import type { SqlView } from '#shared/runtime/runtime.ts'
import type { KeyRange, Revision, TxnRequest } from '../store.ts'
import { MAX_NAMED_BYTES, REMEDIES } from './checksum.ts'
import { bytesIn, ID, MAX_REVISION_EVENTS, numberIn } from './rows.ts'
import { orDamage } from './state.ts'
import { doNow, type Steps } from './steps.ts'
import { listPlaces, type Extent } from './walk.ts'

/** Keys that are tried in one step: their values are read, too. */
const STEP_KEYS = 50
/** What makes an index anew without loss: a backup is read by time, and a restored one gets new indexes. */
const REINDEX =
  'Nothing that is stored is lost: make a backup now with "aviso admin backup FILE", stop the service, and restore that backup with "aviso admin restore FILE", or start once with --accept-loss'

/** What was found to be unreadable. */
type Unreadable =
  | { readonly kind: 'row'; readonly key: Uint8Array; readonly revision: number }
  | { readonly kind: 'index'; readonly from: Uint8Array }

/** What a read wanted when it met a damaged page. */
export interface DamagedRead {
  readonly range: KeyRange
  /** The revision that it read at, and the newest one. */
  readonly at: Revision
  readonly current: Revision
  /** SQLite's error. */
  readonly cause: unknown
}

/** The error for a read that met a damaged page: it names the first key that cannot be read, what is lost, and the remedy. */
export function* namePageDamage(view: SqlView, read: DamagedRead): Steps<AvisoError> {
  const { range, at, current, cause } = read
  const found = yield* findUnreadable(view, range, at)
  if (found === undefined)
    return damaged(
      `A page of the embedded store's file is damaged, and ${rangeName(range)} cannot be read. ${REMEDIES}`,
      cause,
    )
  if (found.kind === 'index')
    return damaged(
      `A page of the embedded store's index is damaged, and ${rangeName({ ...range, key: found.from })} cannot be found. ${REINDEX}`,
      cause,
    )
  const { key, revision } = found
  const { first, last } = spanOf(view, revision, Number(current))
  const span = first === last ? `revision ${revision}` : `revisions ${first} to ${last}`
  return damaged(
    `The embedded store cannot read "${keyName(key)}" of revision ${revision}: a page of its file is damaged, and with it some or all of what was written at ${span}, of any event type. The rest is served. ${REMEDIES}`,
    cause,
    { damaged_key: keyName(key), damaged_revision: String(revision) },
  )
}

/** The error for a transaction that met a damaged page. @param current The newest revision. */
export function nameTxnDamage(
  view: SqlView,
  request: TxnRequest,
  current: Revision,
  cause: unknown,
): AvisoError {
  const guarded = [request, ...(request.parts ?? [])]
  const operations = guarded.flatMap(({ success, failure = [] }) => [...success, ...failure])
  const ranges = [
    ...guarded.flatMap(({ compare }) => compare).map(({ key }): KeyRange => ({ key })),
    ...operations.map((operation): KeyRange =>
      operation.kind === 'put' ? { key: operation.key } : operation.range,
    ),
  ]
  // Intervals may hold very many keys, and nothing comes in between here.
  for (const range of ranges.filter(({ end }) => end === undefined)) {
    if (doNow(findUnreadable(view, range, current)) === undefined) continue
    return doNow(namePageDamage(view, { range, at: current, current, cause }))
  }
  const written = operations.find(({ kind }) => kind !== 'range')
  const what = written?.kind === 'put' ? rangeName({ key: written.key }) : 'a transaction'
  return damaged(
    `A page of the embedded store's file is damaged, and ${what} cannot be written. ${REMEDIES}`,
    cause,
  )
}

function damaged(
  message: string,
  cause: unknown,
  details: Readonly<Record<string, string>> = {},
): AvisoError {
  return new AvisoError('ERR_STORE_DAMAGED', message, { cause, details })
}

/** @returns `undefined` where all keys of the range can be read: the damage lies in their past. */
function* findUnreadable(view: SqlView, { key, end }: KeyRange, at: Revision): Steps<Unreadable | undefined> {
  let extent: Extent = { key, end: end ?? nextKey(key), at }
  for (;;) {
    const rows = orDamage(() => listPlaces(view, extent, STEP_KEYS))
    if (rows === 'damaged') return { kind: 'index', from: extent.key }
    for (const row of rows) {
      const [revision, place] = [numberIn(row, 'revision'), numberIn(row, 'place')]
      if (revision > 0 && !isReadable(view, revision, place))
        return { kind: 'row', key: bytesIn(row, 'key'), revision }
    }
    const last = rows.at(-1)
    if (last === undefined || rows.length < STEP_KEYS) return undefined
    extent = { ...extent, key: nextKey(bytesIn(last, 'key')) }
    yield
  }
}

function isReadable(view: SqlView, revision: number, place: number): boolean {
  const sql = `SELECT e.key, e.value FROM events e NOT INDEXED WHERE e.id = ${ID}`
  return orDamage(() => view.all(sql, revision, place)) !== 'damaged'
}

/** The revisions around one whose places lie on pages that cannot be read. Rows lie in the order of time, so they are neighbours. */
function spanOf(
  view: SqlView,
  revision: number,
  newest: number,
): { readonly first: number; readonly last: number } {
  // A page may end in the middle of a revision.
  const isLost = (other: number): boolean =>
    !isReadable(view, other, 0) || !isReadable(view, other, 2 * MAX_REVISION_EVENTS - 1)
  // Where a single value is damaged, and not the page of its row.
  if (!isLost(revision)) return { first: revision, last: revision }
  return { first: edgeOf(isLost, revision, 1), last: edgeOf(isLost, revision, newest) }
}

/** The last one in a direction that is lost: steps that double, then halve. */
function edgeOf(isLost: (revision: number) => boolean, from: number, end: number): number {
  const direction = end < from ? -1 : 1
  let lost = from
  let step = 1
  for (; lost !== end; step *= 2) {
    const next = direction < 0 ? Math.max(end, lost - step) : Math.min(end, lost + step)
    if (!isLost(next)) break
    lost = next
  }
  for (; step >= 1; step = Math.floor(step / 2)) {
    const next = lost + direction * step
    const isWithin = direction < 0 ? next >= end : next <= end
    if (isWithin && isLost(next)) lost = next
  }
  return lost
}

/** A key as text; the one after another as that one. */
function keyName(key: Uint8Array): string {
  const end = key.at(-1) === 0 ? -1 : undefined
  return toText(key.subarray(0, end).subarray(0, MAX_NAMED_BYTES))
}

function rangeName({ key, end }: KeyRange): string {
  if (end === undefined) return `"${keyName(key)}"`
  return isEndOfKeys(end)
    ? `the keys from "${keyName(key)}" on`
    : `the keys from "${keyName(key)}" to "${keyName(end)}"`
}
