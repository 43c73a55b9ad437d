import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import {
  createPositions,
  isFromTheBeginning,
  resolveStart,
  type Positions,
} from '#services/auth/listen/start.ts'
import type { StartRequest } from '#services/auth/listen/request.ts'
import { HistoryCompacted, isAvisoError } from '#shared/errors.ts'
import { encodeJournal } from '#shared/journal/codec.ts'
import { journalKey, type JournalBatch } from '#shared/journal/journal.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { damagedAt } from '../../../../support/damaged_reads.ts'
import { createMemoryStore } from '../../../../support/memory_store.ts'
import type { Revision, Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'

const NONE = {}

/** Writes journal entries at the given seconds, with so many notifications each; revisions count from 2. */
async function journalOf(commits: readonly (readonly [second: number, count: number])[]): Promise<Store> {
  const store = createMemoryStore({ clock: systemClock })
  let prev: Revision = 0n
  let seq = 1
  for (const [second, count] of commits) {
    const batch: JournalBatch = {
      batch: `b${seq}`,
      at: new Date(second * 1000).toISOString(),
      prev: prev.toString(),
      first_seq: seq,
      events: Array.from({ length: count }, (_, index) => ({
        key: `/k/${seq + index}`,
        seq: seq + index,
        id: `i${seq + index}`,
        source: '/s',
        hash: 'h',
      })),
    }
    seq += count
    const operation = { kind: 'put', key: toBytes(journalKey('e')), value: encodeJournal(batch) } as const
    prev = (await store.txn({ compare: [], success: [operation] })).revision
  }
  return store
}

const sequence = (number: bigint) => ({ kind: 'sequence', sequence: number }) as const
const date = (second: number) => ({ kind: 'date', at: second * 1000, text: '' }) as const

describe('createPositions()', () => {
  it('finds starts, also inside a commit', async () => {
    const { start } = createPositions(
      await journalOf([
        [10, 1],
        [20, 3],
        [30, 1],
      ]),
      () => 'epoch',
    )
    const find = (place: Parameters<Positions['start']>[1]) => start('e', place, NONE)
    assert.deepEqual(await find(sequence(1n)), { kind: 'revision', revision: 2n })
    assert.deepEqual(await find(sequence(2n)), { kind: 'revision', revision: 3n })
    assert.deepEqual(await find(sequence(4n)), { kind: 'revision', revision: 3n, afterIndex: 1 })
    assert.deepEqual(await find(sequence(6n)), { kind: 'revision', revision: 5n })
    // Nobody can have seen number 6 here.
    await assert.rejects(find(sequence(7n)), (error) => isAvisoError(error, 'ERR_EPOCH_CHANGED'))
    assert.deepEqual(await find(date(20)), { kind: 'revision', revision: 3n })
    assert.deepEqual(await find(date(20.001)), { kind: 'revision', revision: 4n })
    assert.deepEqual(await find(date(31)), { kind: 'revision', revision: 5n })
  })

  it('finds ends: everything up to and including a place', async () => {
    const { end } = createPositions(
      await journalOf([
        [10, 1],
        [20, 3],
        [30, 1],
      ]),
      () => 'epoch',
    )
    const find = (place: Parameters<Positions['end']>[1]) => end('e', place, NONE)
    assert.equal(await find(sequence(3n)), 3n)
    assert.equal(await find(sequence(5n)), 4n)
    assert.equal(await find(sequence(6n)), undefined)
    assert.equal(await find(date(9)), 1n)
    assert.equal(await find(date(10)), 2n)
    assert.equal(await find(date(29.999)), 3n)
    assert.equal(await find(date(30)), undefined)
  })

  it('begins at damage that may hold the place, and ends behind it', async () => {
    const journal = await journalOf([
      [10, 1],
      [20, 1],
      [30, 1],
      [40, 1],
    ])
    const { start, end, sequenceAt } = createPositions(damagedAt(journal, new Set([3n])), () => 'epoch')
    assert.deepEqual(await start('e', sequence(2n), NONE), { kind: 'revision', revision: 3n })
    assert.deepEqual(await start('e', sequence(3n), NONE), { kind: 'revision', revision: 4n })
    assert.deepEqual(await start('e', date(25), NONE), { kind: 'revision', revision: 3n })
    assert.equal(await end('e', sequence(1n), NONE), 2n)
    assert.equal(await end('e', sequence(2n), NONE), 4n)
    assert.equal(await end('e', date(15), NONE), 3n)
    assert.equal(await sequenceAt('e', 3n, NONE), undefined)
    const last = createPositions(damagedAt(journal, new Set([5n])), () => 'epoch')
    assert.deepEqual(await last.start('e', sequence(9n), NONE), { kind: 'revision', revision: 5n })
    assert.equal(await last.end('e', sequence(4n), NONE), undefined)
    assert.equal(await last.end('e', date(35), NONE), undefined)
  })

  it('numbers a revision', async () => {
    const positions = createPositions(
      await journalOf([
        [10, 1],
        [20, 3],
      ]),
      () => 'epoch',
    )
    const numbers = await Promise.all(
      [1n, 2n, 3n].map((revision) => positions.sequenceAt('e', revision, NONE)),
    )
    assert.deepEqual(numbers, [0n, 1n, 4n])
  })

  it('refuses places that are gone, naming the oldest that is not', async () => {
    const store = await journalOf([
      [10, 1],
      [20, 1],
      [30, 1],
      [40, 1],
    ])
    await store.compact(4n)
    const positions = createPositions(store, () => 'epoch')
    for (const place of [sequence(2n), date(15)]) {
      await assert.rejects(
        positions.start('e', place, NONE),
        (error) => error instanceof HistoryCompacted && error.oldest === 4n,
      )
    }
    await assert.rejects(positions.end('e', sequence(2n), NONE), (error) =>
      isAvisoError(error, 'ERR_HISTORY_COMPACTED'),
    )
    assert.deepEqual(await positions.start('e', sequence(4n), NONE), { kind: 'revision', revision: 5n })
    assert.equal(await positions.sequenceAt('e', 2n, NONE), undefined)
  })

  it('knows an event type without notifications', async () => {
    const positions = createPositions(createMemoryStore({ clock: systemClock }), () => 'epoch')
    assert.equal((await positions.start('e', sequence(1n), NONE)).kind, 'revision')
    await assert.rejects(positions.start('e', sequence(3n), NONE), (error) =>
      isAvisoError(error, 'ERR_EPOCH_CHANGED'),
    )
    assert.equal(await positions.end('e', date(30), NONE), undefined)
    assert.equal(await positions.sequenceAt('e', 1n, NONE), 0n)
  })
})

describe('resolveStart()', () => {
  const unused = (): never => assert.fail('nothing is looked up')
  const context = {
    event: 'e',
    positions: { start: unused, end: unused, sequenceAt: unused },
    epoch: 'x',
    signal: new AbortController().signal,
  }

  it('needs no look-up for live, for a cursor, and for everything', async () => {
    assert.deepEqual(await resolveStart({ kind: 'live' }, context), { kind: 'live' })
    assert.deepEqual(await resolveStart({ kind: 'cursor', text: 'x.7.2' }, context), {
      kind: 'revision',
      revision: 7n,
      afterIndex: 2,
    })
    for (const start of [sequence(0n), sequence(1n)]) {
      assert.deepEqual(await resolveStart(start, context), { kind: 'revision', revision: 1n })
    }
  })

  it('looks numbers and dates up', async () => {
    const asked: unknown[] = []
    const positions: Positions = {
      ...context.positions,
      start: (event, place) => {
        asked.push([event, place])
        return Promise.resolve({ kind: 'revision', revision: 9n })
      },
    }
    for (const start of [sequence(2n), date(3)]) {
      assert.deepEqual(await resolveStart(start, { ...context, positions }), {
        kind: 'revision',
        revision: 9n,
      })
    }
    assert.deepEqual(asked, [
      ['e', sequence(2n)],
      ['e', date(3)],
    ])
  })
})

describe('isFromTheBeginning()', () => {
  it('holds for 0, and for 1, which the official client sends for it', () => {
    const rows: readonly (readonly [StartRequest, boolean])[] = [
      [sequence(0n), true],
      [sequence(1n), true],
      [sequence(2n), false],
      [date(0), false],
      [{ kind: 'live' }, false],
    ]
    for (const [start, expected] of rows) assert.equal(isFromTheBeginning(start), expected)
  })
})
