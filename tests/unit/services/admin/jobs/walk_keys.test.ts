import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { walkKeys } from '#services/admin/jobs/walk_keys.ts'
import { RANGE_PAGES, PAGE_KEYS } from '#services/admin/jobs/limits.ts'
import { END_OF_KEYS, compareBytes, isInRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import type { KeyRange, KeyValue, RangeRequest, Store } from '#shared/store/store.ts'

const pacer = { run: <Value>(request: () => Promise<Value>) => request() }
const signal = new AbortController().signal

/** A store of nothing but keys, which notes how many keys each read has counted. */
function createKeys(keys: readonly Uint8Array[]) {
  const sorted = keys.toSorted(compareBytes)
  const counts: number[] = []
  const range = async (request: RangeRequest) => {
    const found = sorted.filter((key) => isInRange(key, request))
    counts.push(found.length)
    const cut = found.slice(0, request.limit)
    return {
      revision: 1n,
      kvs: cut.map(toKeyValue),
      count: BigInt(found.length),
      more: cut.length < found.length,
    }
  }
  return { store: { range } as unknown as Store, counts, sorted }
}

function toKeyValue(key: Uint8Array): KeyValue {
  return { key, value: new Uint8Array(), createRevision: 1n, modRevision: 1n, version: 1n, lease: 0n }
}

async function walk(store: Store, range: Required<KeyRange>): Promise<string[]> {
  const seen: string[] = []
  await walkKeys({ store, pacer, signal }, range, async (kvs) => {
    for (const { key } of kvs) seen.push(toText(key))
    return undefined
  })
  return seen
}

/** 100 destinations, 30 days, 20 steps. */
function disseminationKeys(): Uint8Array[] {
  const keys: Uint8Array[] = []
  for (let destination = 0; destination < 100; destination++)
    for (let day = 1; day <= 30; day++)
      for (let step = 0; step < 20; step++)
        keys.push(toBytes(`/ec/diss/D${destination}/date=202611${String(day).padStart(2, '0')},step=${step}`))
  return keys
}

describe('walkKeys()', () => {
  it('shows every key of a range once, in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.uint8Array({ minLength: 1, maxLength: 4, max: 5 }), {
          selector: String,
          maxLength: 300,
        }),
        fc.constantFrom(0, 200, 255),
        async (short, high) => {
          // Bytes at the edges: 0, and those behind which a prefix has no end of the same length.
          const keys = short.map((key) => key.map((byte) => (byte === 5 ? high : byte)))
          const { store, sorted } = createKeys([...new Map(keys.map((key) => [String(key), key])).values()])
          const seen: Uint8Array[] = []
          await walkKeys(
            { store, pacer, signal },
            { key: new Uint8Array([0]), end: END_OF_KEYS },
            async (kvs) => {
              seen.push(...kvs.map(({ key }) => key))
              return undefined
            },
          )
          assert.deepEqual(seen, sorted)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('has the store count few keys at once, after the first look', async () => {
    const keys = disseminationKeys()
    const { store, counts } = createKeys(keys)
    const seen = await walk(store, { key: toBytes('/ec/diss/'), end: toBytes('/ec/diss0') })
    assert.deepEqual(seen, keys.map(toText).toSorted())
    const [first, ...later] = counts
    assert.equal(first, 60_000)
    const large = later.filter((count) => count > RANGE_PAGES * PAGE_KEYS.most)
    assert.ok(large.length < 20, `${large.length} of ${later.length} reads counted more`)
    assert.ok(later.length < 2_000, `${later.length} reads`)
  })

  it('goes on where the visitor says', async () => {
    const keys = disseminationKeys()
    const { store, counts } = createKeys(keys)
    const visited = new Set<string>()
    await walkKeys(
      { store, pacer, signal },
      { key: toBytes('/ec/diss/'), end: toBytes('/ec/diss0') },
      async (kvs) => {
        for (const { key } of kvs) {
          const destination = toText(key).split('/')[3] ?? ''
          if (visited.has(destination)) continue
          visited.add(destination)
          return toBytes(`/ec/diss/${destination}0`)
        }
        return undefined
      },
    )
    // "D1" skips to "D10", which skips to "D100" and so on: all are met.
    assert.equal(visited.size, 100)
    assert.ok(counts.length < 2_000, `${counts.length} reads`)
  })
})
