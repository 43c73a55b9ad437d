import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { encodeJournal } from '#shared/journal/codec.ts'
import { journalKey } from '#shared/journal/journal.ts'
import { MAX_OUTLINES } from '#shared/journal/outlines.ts'
import {
  revisionOfDate,
  revisionOfSequence,
  sequenceAt,
  sharePositions,
  type JournalPosition,
} from '#shared/journal/positions.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { damagedAt } from '../../../support/damaged_reads.ts'
import { createMemoryStore } from '../../../support/memory_store.ts'
import type { Revision, Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'

interface Commit {
  readonly revision: Revision
  readonly at: number
  readonly first: number
  readonly count: number
}

/** A store with commits of `mars` and other writes between them. */
async function fill(
  steps: readonly { pause: number; count: number; others: number }[],
): Promise<{ store: Store; commits: Commit[]; head: Revision }> {
  const store = createMemoryStore({ clock: systemClock })
  const put = async (key: string, value: Uint8Array): Promise<Revision> =>
    (await store.txn({ compare: [], success: [{ kind: 'put', key: toBytes(key), value }] })).revision
  const commits: Commit[] = []
  let head: Revision = await put('/other', toBytes(''))
  let at = Date.parse('2026-01-01T00:00:00.000Z')
  let first = 1
  for (const { pause, count, others } of steps) {
    for (let other = 0; other < others; other++) head = await put('/other', toBytes(''))
    at += pause
    const events = Array.from({ length: count }, (_, index) => ({
      key: '/k',
      seq: first + index,
      id: '',
      source: '',
      hash: '',
    }))
    const prev = (commits.at(-1)?.revision ?? 0n).toString()
    const batch = { batch: 'b', at: new Date(at).toISOString(), prev, first_seq: first, events }
    head = await put(journalKey('mars'), encodeJournal(batch))
    commits.push({ revision: head, at, first, count })
    first += count
  }
  return { store, commits, head }
}

/** What must come out, by looking at every commit. */
function expected(
  commits: readonly Commit[],
  head: Revision,
  oldest: Revision,
  qualifies: (commit: Commit) => boolean,
): JournalPosition | 'compacted' {
  const index = commits.findIndex(qualifies)
  const found = commits[index]
  if (found === undefined) return { kind: 'future', revision: head + 1n }
  if (found.revision < oldest) return 'compacted'
  return { kind: 'found', revision: found.revision, index: 0 }
}

const STEPS = fc.array(
  fc.record({
    pause: fc.integer({ min: 0, max: 5 }),
    count: fc.integer({ min: 1, max: 4 }),
    others: fc.integer({ min: 0, max: 6 }),
  }),
  { minLength: 1, maxLength: 30 },
)

describe('revisionOfDate()', () => {
  it('finds the first commit at or after every time, whatever is compacted', async () => {
    await fc.assert(
      fc.asyncProperty(STEPS, fc.nat(), async (steps, cut) => {
        const { store, commits, head } = await fill(steps)
        const oldest = BigInt(cut % Number(head)) + 1n
        if (oldest > 1n) await store.compact(oldest)
        const times = [...commits.flatMap(({ at }) => [at - 1, at, at + 1]), 0]
        for (const time of times) {
          const want = expected(commits, head, oldest, ({ at }) => at >= time)
          checkPosition(await revisionOfDate(store, 'mars', time), want, { commits, oldest })
        }
      }),
      { numRuns: 60 },
    )
  })

  it('takes about log2(revisions) reads', async () => {
    const { store, commits, head } = await fill(
      Array.from({ length: 400 }, () => ({ pause: 1, count: 1, others: 2 })),
    )
    let reads = 0
    const counting: Store = { ...store, range: (request) => (reads++, store.range(request)) }
    for (const commit of [commits[0], commits[7], commits[200], commits[399]]) {
      reads = 0
      const position = await revisionOfDate(counting, 'mars', commit?.at ?? 0)
      assert.deepEqual(position, { kind: 'found', revision: commit?.revision, index: 0 })
      assert.ok(reads <= 2 * Math.log2(Number(head)), `${reads} reads`)
    }
  })

  it('points to what is to come where nothing is stored', async () => {
    const store = createMemoryStore({ clock: systemClock })
    const { revision } = await store.status()
    assert.deepEqual(await revisionOfDate(store, 'mars', 0), { kind: 'future', revision: revision + 1n })
    assert.deepEqual(await revisionOfSequence(store, 'mars', 1n), { kind: 'future', revision: revision + 1n })
  })
})

/** Where the commit before the oldest readable revision cannot be seen, `compacted` is right too, if nothing readable is skipped. */
function checkPosition(
  got: JournalPosition,
  want: JournalPosition | 'compacted',
  { commits, oldest }: { commits: readonly Commit[]; oldest: Revision },
): void {
  if (got.kind !== 'compacted') return assert.deepEqual(got, want)
  assert.equal(got.revision, oldest)
  if (want === 'compacted') return
  assert.equal(want.kind, 'found')
  const hidden = commits.findLast(({ revision }) => revision < want.revision)
  assert.ok(want.revision === oldest && hidden !== undefined, `${want.revision} was to be found`)
}

describe('revisionOfSequence()', () => {
  it('finds the revision and the place in it', async () => {
    const { store, commits } = await fill(
      Array.from({ length: 20 }, (_, index) => ({ pause: 1, count: (index % 3) + 1, others: index % 4 })),
    )
    for (const { revision, first, count } of commits) {
      for (let index = 0; index < count; index++) {
        assert.deepEqual(await revisionOfSequence(store, 'mars', BigInt(first + index)), {
          kind: 'found',
          revision,
          index,
        })
      }
    }
    const [first] = commits
    assert.deepEqual(await revisionOfSequence(store, 'mars', -3n), {
      kind: 'found',
      revision: first?.revision,
      index: 0,
    })
    const last = commits.reduce((sum, { count }) => sum + count, 0)
    assert.equal((await revisionOfSequence(store, 'mars', BigInt(last + 1))).kind, 'future')
    assert.equal((await revisionOfSequence(store, 'mars', BigInt(last + 2))).kind, 'unknown')
    assert.equal((await revisionOfSequence(store, 'mars', 10n ** 30n)).kind, 'unknown')
  })

  it('counts what other event types have in the revision before', async () => {
    const store = createMemoryStore({ clock: systemClock })
    const events = [1, 2, 3].map((seq) => ({ key: '/k', seq, id: '', source: '', hash: '' }))
    const batch = { batch: 'b', at: '2026-01-01T00:00:00.000Z', prev: '0', first_seq: 1, events, place: 40 }
    const { revision } = await store.txn({
      compare: [],
      success: [{ kind: 'put', key: toBytes(journalKey('mars')), value: encodeJournal(batch) }],
    })
    const shared = sharePositions(store, () => 'e')
    for (const [sequence, index] of [
      [1n, 40],
      [3n, 42],
    ] as const) {
      const found = { kind: 'found', revision, index }
      assert.deepEqual(await revisionOfSequence(store, 'mars', sequence), found)
      assert.deepEqual(await shared.ofSequence('mars', sequence), found)
    }
    const date = await revisionOfDate(store, 'mars', 0)
    assert.deepEqual(date, { kind: 'found', revision, index: 40 })
  })

  it('finds a number in the very commit that history was compacted to', async () => {
    const { store, commits } = await fill(
      Array.from({ length: 9 }, () => ({ pause: 1, count: 2, others: 1 })),
    )
    const { revision, first } = commits[4] ?? { revision: 0n, first: 0 }
    await store.compact(revision)
    for (const index of [0, 1]) {
      const found = { kind: 'found', revision, index }
      assert.deepEqual(await revisionOfSequence(store, 'mars', BigInt(first + index)), found)
    }
    assert.equal((await revisionOfSequence(store, 'mars', BigInt(first - 1))).kind, 'compacted')
  })

  it('tells that the place is compacted', async () => {
    const { store, commits, head } = await fill(
      Array.from({ length: 20 }, () => ({ pause: 1, count: 2, others: 1 })),
    )
    const oldest = commits[10]?.revision ?? 0n
    await store.compact(oldest + 1n)
    assert.deepEqual(await revisionOfSequence(store, 'mars', 5n), {
      kind: 'compacted',
      revision: oldest + 1n,
    })
    assert.deepEqual(await revisionOfSequence(store, 'mars', 22n), {
      kind: 'compacted',
      revision: oldest + 1n,
    })
    assert.deepEqual(await revisionOfSequence(store, 'mars', 23n), {
      kind: 'found',
      revision: commits[11]?.revision,
      index: 0,
    })
    assert.deepEqual(await revisionOfSequence(store, 'mars', 40n), {
      kind: 'found',
      revision: head,
      index: 1,
    })
  })
})

/** What must come out where some commits are damaged and nothing is compacted, by looking at every commit. */
function expectedWithDamage(
  commits: readonly Commit[],
  head: Revision,
  damaged: ReadonlySet<Revision>,
  qualifies: (commit: Commit) => boolean,
): JournalPosition {
  const isWhole = ({ revision }: Commit): boolean => !damaged.has(revision)
  const place = commits.findIndex((commit) => isWhole(commit) && qualifies(commit))
  const before = place < 0 ? commits : commits.slice(0, place)
  const run = before.slice(before.findLastIndex(isWhole) + 1)
  const [behind] = place < 0 ? [] : commits.slice(place)
  if (run[0] !== undefined) return { kind: 'damaged', revision: run[0].revision, behind: behind?.revision }
  return behind === undefined
    ? { kind: 'future', revision: head + 1n }
    : { kind: 'found', revision: behind.revision, index: 0 }
}

describe('positions in a journal with damage', () => {
  /** For each commit, whether it is damaged. */
  const DAMAGE = fc.array(fc.boolean(), { minLength: 30, maxLength: 30 })

  it('are found, or begin at the damage where that may hold them', async () => {
    await fc.assert(
      fc.asyncProperty(STEPS, DAMAGE, async (steps, isDamaged) => {
        const { store, commits, head } = await fill(steps)
        const damaged = new Set(
          commits.filter((_, index) => isDamaged[index]).map(({ revision }) => revision),
        )
        const partly = damagedAt(store, damaged)
        const shared = sharePositions(partly, () => 'epoch')
        for (const time of [...commits.flatMap(({ at }) => [at - 1, at, at + 1]), 0]) {
          const want = expectedWithDamage(commits, head, damaged, ({ at }) => at >= time)
          assert.deepEqual(await revisionOfDate(partly, 'mars', time), want)
          assert.deepEqual(await shared.ofDate('mars', time), want)
        }
        for (const { revision, first, count } of commits) {
          const last = BigInt(first + count - 1)
          const want = damaged.has(revision)
            ? expectedWithDamage(commits, head, damaged, (commit) => commit.first + commit.count > last)
            : { kind: 'found', revision, index: count - 1 }
          assert.deepEqual(await revisionOfSequence(partly, 'mars', last), want)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('are never behind the first that is readable, and end, whatever is compacted too', async () => {
    await fc.assert(
      fc.asyncProperty(STEPS, DAMAGE, fc.nat(), async (steps, isDamaged, cut) => {
        const { store, commits, head } = await fill(steps)
        const oldest = BigInt(cut % Number(head)) + 1n
        if (oldest > 1n) await store.compact(oldest)
        const damaged = new Set(
          commits.filter((_, index) => isDamaged[index]).map(({ revision }) => revision),
        )
        for (const time of commits.map(({ at }) => at)) {
          const { revision } = await revisionOfDate(damagedAt(store, damaged), 'mars', time)
          const first = commits.find(
            (commit) => commit.at >= time && commit.revision >= oldest && !damaged.has(commit.revision),
          )
          assert.ok(first === undefined || revision <= first.revision, `${revision} for ${first?.revision}`)
        }
      }),
      { numRuns: 60 },
    )
  })
})

/** A store whose reads are counted, and answered in a later turn so that many are under way at once. */
function countingReads(store: Store): { readonly store: Store; reads: number } {
  const counting = {
    reads: 0,
    store: {
      ...store,
      range: async (request: Parameters<Store['range']>[0]) => {
        counting.reads++
        const result = await store.range(request)
        await new Promise((next) => setImmediate(next))
        return result
      },
    },
  }
  return counting
}

describe('sharePositions()', () => {
  const many = Array.from({ length: 1000 }, (_, index) => ({ pause: 1, count: 2, others: index % 4 }))

  it('finds what a search alone finds, in whatever order it is asked, whatever is compacted', async () => {
    await fc.assert(
      fc.asyncProperty(STEPS, fc.nat(), fc.infiniteStream(fc.nat()), async (steps, cut, order) => {
        const { store, commits, head } = await fill(steps)
        const oldest = BigInt(cut % Number(head)) + 1n
        if (oldest > 1n) await store.compact(oldest)
        const shared = sharePositions(store, () => 'epoch')
        const last = commits.reduce((sum, { count }) => sum + count, 0)
        for (let asked = 0; asked < 12; asked++) {
          const sequence = BigInt(([...order.take(1)][0] ?? 0) % (last + 2))
          assert.deepEqual(
            await shared.ofSequence('mars', sequence),
            await revisionOfSequence(store, 'mars', sequence),
          )
          const at = (commits[Number(sequence) % commits.length]?.at ?? 0) + (asked % 3) - 1
          const want = expected(commits, head, oldest, (commit) => commit.at >= at)
          checkPosition(await shared.ofDate('mars', at), want, { commits, oldest })
        }
      }),
      { numRuns: 60 },
    )
  })

  it('reads for a thousand listeners at one place what it reads for one', async () => {
    const { store, commits, head } = await fill(many)
    const alone = countingReads(store)
    await revisionOfSequence(alone.store, 'mars', 601n)
    assert.ok(alone.reads <= 2 * Math.log2(Number(head)), `${alone.reads} reads`)
    const counting = countingReads(store)
    const shared = sharePositions(counting.store, () => 'epoch')
    const found = { kind: 'found', revision: commits[300]?.revision, index: 0 }
    const storm = () => Promise.all(Array.from({ length: 1000 }, () => shared.ofSequence('mars', 601n)))
    for (const position of await storm()) assert.deepEqual(position, found)
    assert.ok(counting.reads <= alone.reads + 1, `${counting.reads} reads, ${alone.reads} for one`)
    await storm()
    assert.ok(counting.reads <= alone.reads + 1, `${counting.reads} reads later`)
  })

  it('shares the way where places differ and publishing goes on', async () => {
    const { store, commits } = await fill(many)
    const counting = countingReads(store)
    const shared = sharePositions(counting.store, () => 'epoch')
    const places = Array.from({ length: 64 }, (_, index) => 500 + index)
    await Promise.all(
      places.map(async (place, index) => {
        for (let turn = 0; turn < index % 8; turn++) await new Promise((next) => setImmediate(next))
        await store.txn({
          compare: [],
          success: [{ kind: 'put', key: toBytes('/other'), value: toBytes('') }],
        })
        const { revision, first } = commits[place] ?? { revision: 0n, first: 0 }
        assert.deepEqual(await shared.ofSequence('mars', BigInt(first)), {
          kind: 'found',
          revision,
          index: 0,
        })
      }),
    )
    // Each commit is read itself; the way to all of them is about one way.
    assert.ok(counting.reads <= 2 * places.length, `${counting.reads} reads`)
  })

  it('tells what was stored before it was asked', async () => {
    const { store, head } = await fill(many.slice(0, 3))
    const shared = sharePositions(countingReads(store).store, () => 'epoch')
    const early = shared.ofSequence('mars', 7n)
    const { batch } = {
      batch: { batch: 'b', at: '2027-01-01T00:00:00.000Z', prev: head.toString(), first_seq: 7 },
    }
    const event = { key: '/k', seq: 7, id: '', source: '', hash: '' }
    const value = encodeJournal({ ...batch, events: [event] })
    const { revision } = await store.txn({
      compare: [],
      success: [{ kind: 'put', key: toBytes(journalKey('mars')), value }],
    })
    assert.deepEqual(await shared.ofSequence('mars', 7n), { kind: 'found', revision, index: 0 })
    await early
  })

  it('forgets what it has read when the store is replaced', async () => {
    const [one, other] = [await fill(many.slice(0, 9)), await fill(many.slice(5, 14))]
    let [current, epoch] = [one.store, 'one']
    const range: Store['range'] = (request) => current.range(request)
    const shared = sharePositions({ ...one.store, range }, () => epoch)
    const revisions = [(await shared.ofSequence('mars', 5n)).revision]
    current = other.store
    epoch = 'other'
    revisions.push((await shared.ofSequence('mars', 5n)).revision)
    assert.deepEqual(revisions, [one.commits[2]?.revision, other.commits[2]?.revision])
    assert.notEqual(revisions[0], revisions[1])
  })

  it('forgets what would be too much, and what failed', async () => {
    const { store, commits } = await fill(
      Array.from({ length: MAX_OUTLINES + 50 }, () => ({ pause: 1, count: 1, others: 0 })),
    )
    let fails = true
    const failing: Store = {
      ...store,
      range: (request) => (fails ? Promise.reject(new Error('away')) : store.range(request)),
    }
    const shared = sharePositions(failing, () => 'epoch')
    await assert.rejects(shared.ofSequence('mars', 7n), /away/)
    fails = false
    for (const { revision, first } of commits) {
      assert.deepEqual(await shared.ofSequence('mars', BigInt(first)), { kind: 'found', revision, index: 0 })
    }
  })
})

describe('sequenceAt()', () => {
  it('is the number of the last notification at or before a revision', async () => {
    const { store, commits, head } = await fill(
      Array.from({ length: 6 }, () => ({ pause: 1, count: 3, others: 1 })),
    )
    for (let revision = 1n; revision <= head; revision++) {
      const last = commits.findLast((commit) => commit.revision <= revision)
      const want = last === undefined ? 0n : BigInt(last.first + last.count - 1)
      assert.equal(await sequenceAt(store, 'mars', revision), want)
    }
  })
})
