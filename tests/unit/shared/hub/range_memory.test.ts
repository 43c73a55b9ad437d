import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { prefixRange } from '#shared/bytes/bytes.ts'
import { createRangeMemory } from '#shared/hub/range_memory.ts'
import { createRing } from '#shared/hub/source/ring.ts'
import type { RangeResult } from '#shared/store/store.ts'
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
})
