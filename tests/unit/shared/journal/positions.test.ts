import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { encodeJournal } from '#shared/journal/codec.ts'
import { journalKey } from '#shared/journal/journal.ts'
import {
  revisionOfDate,
  revisionOfSequence,
  sequenceAt,
  type JournalPosition,
} from '#shared/journal/positions.ts'
import { toBytes } from '#shared/store/bytes.ts'
import { createMemoryStore } from '#shared/store/memory.ts'
import type { Revision, Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/telemetry/clock.ts'

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
    assert.equal((await revisionOfSequence(store, 'mars', 10n ** 30n)).kind, 'future')
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
