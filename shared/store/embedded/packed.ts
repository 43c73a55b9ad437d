/**
 * Reads many events at little cost. On Node, most of the cost of a row is memory of its own for its key and for its value. So the keys and
 * values of many rows come as one piece of memory, and the numbers of the rows beside it.
 *
 * @module
 */

import { NO_BYTES } from '#shared/bytes/bytes.ts'
import { KeyDamaged } from '#shared/errors.ts'
import type { SqlList, SqlView } from '#shared/runtime/runtime.ts'
import type { KeyValue, Revision, StoreEvent } from '../store.ts'
import { damagedError, HEAD_BYTES, writeHead } from './checksum.ts'
import type { RevisionEvents } from './revisions.ts'
import { bytesIn, COLUMNS, ID, toKeyValue, type Condition } from './rows.ts'

/** Most bytes of a pack, unless one event has more: a Durable Object's database has values of up to 2 MB. */
const PACK_BYTES = 1_048_576

/** The numbers of a row, in the order in which {@link toHead} reads them. */
const NUMBERS =
  'e.id >> 20, e.id & 1048575, e.created, e.version, e.lease, e.sum, length(e.key), length(e.value)'
/** The bytes that a row's checksum is over, with room for its numbers. */
const BYTES = `zeroblob(${HEAD_BYTES}) || coalesce(e.key, '') || coalesce(e.value, '')`

/** Whole revisions, up to the first that cannot be given out whole. */
export interface Packed {
  readonly revisions: readonly RevisionEvents[]
  readonly damage: KeyDamaged | undefined
}

/** The numbers of a row. */
interface Head {
  readonly revision: number
  readonly place: number
  readonly created: number
  readonly version: number
  readonly lease: number
  readonly sum: number
  readonly keyBytes: number
  readonly valueBytes: number
}

/** Heads that follow each other in the source. */
interface Run {
  readonly heads: readonly Head[]
  /** Bytes of the pack with their rows. */
  readonly bytes: number
}

/**
 * Reads events in the order of their ids, from one revision up to and including another.
 *
 * @param source The table `events e`, and a condition on it.
 */
export function readPacked(
  view: SqlView,
  { where, bounds }: Condition,
  { from, through }: { readonly from: Revision; readonly through: Revision },
): Packed {
  const source = `FROM ${where} AND e.id >= ${ID} AND e.id < ${ID} ORDER BY e.id`
  const rows = view.lists(`SELECT ${NUMBERS} ${source}`, ...bounds, Number(from), 0, Number(through) + 1, 0)
  const revisions = createRevisions()
  try {
    for (const run of toRuns(rows)) {
      const [first, last] = [run.heads[0], run.heads.at(-1)]
      if (first === undefined || last === undefined) continue
      const ids = [first.revision, first.place, last.revision, last.place + 1]
      const [row] = view.all(
        `SELECT CAST(group_concat(bytes, '') AS BLOB) AS pack FROM (SELECT ${BYTES} AS bytes ${source})`,
        ...bounds,
        ...ids,
      )
      const pack = row === undefined ? NO_BYTES : bytesIn(row, 'pack')
      // Where lengths do not add up, something is damaged.
      if (pack.length === run.bytes) unpack(view, pack, { heads: run.heads, take: revisions.add })
      else
        for (const one of view.all(`SELECT ${COLUMNS} ${source}`, ...bounds, ...ids))
          revisions.add(toKeyValue(one, view))
    }
    return { revisions: revisions.all, damage: undefined }
  } catch (error) {
    if (!(error instanceof KeyDamaged)) throw error
    return { revisions: revisions.all.filter(({ revision }) => revision < error.revision), damage: error }
  }
}

/** Cuts rows into runs of at most {@link PACK_BYTES}. */
function toRuns(rows: readonly SqlList[]): readonly Run[] {
  const runs: { heads: Head[]; bytes: number }[] = []
  let run: { heads: Head[]; bytes: number } | undefined
  for (const row of rows) {
    const head = toHead(row)
    const bytes = HEAD_BYTES + head.keyBytes + head.valueBytes
    if (run === undefined || run.bytes + bytes > PACK_BYTES) {
      run = { heads: [], bytes: 0 }
      runs.push(run)
    }
    run.heads.push(head)
    run.bytes += bytes
  }
  return runs
}

function toHead(row: SqlList): Head {
  return {
    revision: Number(row[0]),
    place: Number(row[1]),
    created: Number(row[2]),
    version: Number(row[3]),
    lease: Number(row[4]),
    sum: Number(row[5]),
    keyBytes: Number(row[6]),
    // NULL is 0.
    valueBytes: Number(row[7]),
  }
}

/** Takes the events of a pack apart. They share its memory. @throws {KeyDamaged} for one that does not agree with its checksum. */
function unpack(
  view: Pick<SqlView, 'crc32'>,
  pack: Uint8Array,
  { heads, take }: { readonly heads: readonly Head[]; readonly take: (kv: KeyValue) => void },
): void {
  const fields = new DataView(pack.buffer, pack.byteOffset, pack.byteLength)
  let start = 0
  let revision: Revision = 0n
  let isOf = -1
  for (const head of heads) {
    writeHead(fields, start, head)
    const key = start + HEAD_BYTES
    const value = key + head.keyBytes
    const end = value + head.valueBytes
    if (head.revision !== isOf) {
      isOf = head.revision
      revision = BigInt(isOf)
    }
    const kv: KeyValue = {
      key: pack.subarray(key, value),
      value: pack.subarray(value, end),
      createRevision: head.created === isOf ? revision : BigInt(head.created),
      modRevision: revision,
      version: BigInt(head.version),
      lease: BigInt(head.lease),
    }
    if (view.crc32(pack.subarray(start, end)) !== head.sum) throw damagedError(kv)
    take(kv)
    start = end
  }
}

/** Puts events of one revision together. */
function createRevisions(): {
  readonly all: readonly RevisionEvents[]
  readonly add: (kv: KeyValue) => void
} {
  const all: { revision: Revision; events: StoreEvent[] }[] = []
  let last: (typeof all)[number] | undefined
  return {
    all,
    add: (kv) => {
      const event: StoreEvent = { kind: kv.version === 0n ? 'delete' : 'put', kv }
      if (last?.revision !== kv.modRevision) {
        last = { revision: kv.modRevision, events: [] }
        all.push(last)
      }
      last.events.push(event)
    },
  }
}
