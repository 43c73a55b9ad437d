import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { prefixRange } from '#shared/bytes/bytes.ts'
import { createRangeMemory } from '#shared/hub/range_memory.ts'
import { createRing } from '#shared/hub/source/ring.ts'
import type { RangeResult } from '#shared/store/store.ts'
import { eventually } from '../../../support/waiting.ts'
import { decode } from './hub_support.ts'

describe('createRangeMemory()', () => {
  it('learns nothing from an answer that was under way when the ring started over', async () => {
    const ring = createRing(1_000, 1n, decode)
    ring.advance(50n)
    const memory = createRangeMemory({ ring, roots: ['/a/'], isFollowing: () => true })
    const request = { ...prefixRange('/a/'), minModRevision: 60n }
    const lost: RangeResult = { revision: 50n, kvs: [], count: 7n, more: false }
    const { promise, resolve } = Promise.withResolvers<RangeResult>()
    const early = memory.read({ ...request, minModRevision: 51n }, () => promise)
    // The store was wiped, and has been written since.
    memory.clear()
    ring.reset(1n)
    resolve(lost)
    await early
    ring.advance(60n)
    const now: RangeResult = { revision: 60n, kvs: [], count: 2n, more: false }
    assert.deepEqual(await memory.read(request, async () => now), now)
  })

  it('asks the store once for polls of a range that come together', async () => {
    const { memory, poll, asked } = createPolls()
    const polls = Array.from({ length: 16 }, () => memory.read(poll, asked.ask))
    assert.equal(asked.open.length, 1)
    asked.open[0]?.resolve({ revision: 50n, kvs: [], count: 7n, more: false })
    for (const result of await Promise.all(polls))
      assert.deepEqual(result, { revision: 50n, kvs: [], count: 7n, more: false })
    assert.equal(asked.open.length, 1)
  })

  it('has all others ask at once where the store fails', async () => {
    const { memory, poll, asked } = createPolls()
    const settled = Promise.allSettled(Array.from({ length: 6 }, () => memory.read(poll, asked.ask)))
    asked.open[0]?.reject(new Error('gone'))
    await eventually('all others ask', () => asked.open.length === 6, 0)
    asked.open.forEach(({ reject }) => reject(new Error('gone')))
    assert.ok((await settled).every(({ status }) => status === 'rejected'))
  })

  it('has the next of them ask where an answer is ahead of the ring, and all others in the end', async () => {
    const { memory, poll, asked } = createPolls()
    const polls = Array.from({ length: 6 }, () => memory.read(poll, asked.ask))
    const ahead: RangeResult = { revision: 60n, kvs: [], count: 7n, more: false }
    // One by one, three times; then all that are left.
    for (const open of [1, 2, 3, 6]) {
      await eventually('the next ones ask', () => asked.open.length === open, 0)
      asked.open.forEach(({ resolve }) => resolve(ahead))
    }
    assert.deepEqual(await Promise.all(polls), Array(6).fill(ahead))
  })
})

/** A memory whose ring is at revision 50, a poll, and what the store was asked. */
function createPolls() {
  const ring = createRing(1_000, 1n, decode)
  ring.advance(50n)
  const memory = createRangeMemory({ ring, roots: ['/a/'], isFollowing: () => true })
  const open: PromiseWithResolvers<RangeResult>[] = []
  const ask = (): Promise<RangeResult> => {
    const answer = Promise.withResolvers<RangeResult>()
    open.push(answer)
    return answer.promise
  }
  return { memory, poll: { ...prefixRange('/a/'), minModRevision: 51n }, asked: { open, ask } }
}
