import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import type { HistoryCommit, HistoryReads } from '#services/auth/history/reads.ts'
import { walkBack } from '#services/auth/history/walk.ts'

/** A journal whose commits are at these revisions, ascending, with one notification each. */
function createReads(
  revisions: readonly number[],
  keptFrom = 1,
): { reads: HistoryReads; rounds: () => number } {
  let rounds = 0
  let isOpen = false
  const commits = revisions.map((revision, place): HistoryCommit => {
    const prev = String(revisions[place - 1] ?? 0)
    const events = [{ key: '/k', seq: place + 1, id: 'i', source: 's', hash: 'h' }]
    const batch = { batch: 'b', at: '2026-01-01T00:00:00.000Z', prev, first_seq: place + 1, events }
    const kv = { key: new Uint8Array(), value: new Uint8Array(), createRevision: 1n, version: 1n, lease: 0n }
    return { revision: BigInt(revision), batch, kv: { ...kv, modRevision: BigInt(revision) } }
  })
  return {
    rounds: () => rounds,
    reads: {
      event: 'e',
      at: async () => commits.at(-1),
      atKept: async (revision) => {
        // Reads of one turn are one round.
        if (!isOpen) {
          rounds++
          isOpen = true
          setImmediate(() => {
            isOpen = false
          })
        }
        await new Promise((next) => setImmediate(next))
        if (revision < BigInt(keptFrom)) return 'lost'
        return commits.findLast((commit) => commit.revision <= revision)
      },
      value: () => Promise.reject(new Error('not asked for')),
      cost: () => ({ reads: 0, keys: 0, bytes: 0 }),
    },
  }
}

async function numbersOf(reads: HistoryReads, wanted = 100): Promise<{ numbers: number[]; end: string }> {
  const newest = await reads.at()
  assert.ok(newest !== undefined)
  const walk = walkBack(reads, newest, wanted)
  const numbers: number[] = []
  for (;;) {
    const { done, value } = await walk.next()
    if (done === true) return { numbers, end: value }
    numbers.push(value.batch.first_seq)
  }
}

const count = 200
const down = Array.from({ length: count }, (_, place) => count - place)

describe('walkBack()', () => {
  for (const [name, revisionOf] of [
    ['next to each other', (place: number) => place + 2],
    ['with others in between', (place: number) => 3 * place + 2 + (place % 2)],
    ['far apart', (place: number) => 1000 * place + 7],
    ['in clusters', (place: number) => place + 2 + 5000 * Math.floor(place / 20)],
  ] as const) {
    it(`goes through commits ${name}, each once`, async () => {
      const { reads } = createReads(Array.from({ length: count }, (_, place) => revisionOf(place)))
      assert.deepEqual(await numbersOf(reads), { numbers: down, end: 'first' })
    })
  }

  it('reads a page of singles in a few rounds', async () => {
    const { reads, rounds } = createReads(Array.from({ length: count }, (_, place) => place + 2))
    await numbersOf(reads)
    assert.ok(rounds() <= 5, String(rounds()))
  })

  it('ends where history is no longer kept', async () => {
    const { reads } = createReads(
      Array.from({ length: count }, (_, place) => place + 2),
      100,
    )
    const { numbers, end } = await numbersOf(reads)
    assert.deepEqual([numbers.at(-1), end], [99, 'lost'])
  })
})
