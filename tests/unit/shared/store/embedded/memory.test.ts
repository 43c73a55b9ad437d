import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isAvisoError } from '#shared/errors.ts'
import { openSqlite } from '#shared/runtime/sqlite.ts'
import { END_OF_KEYS, toBytes, toText } from '#shared/bytes/bytes.ts'
import { openEmbeddedStore } from '#shared/store/embedded/embedded.ts'
import { createMemoryStore } from '#shared/store/embedded/memory.ts'
import { createKeyIndex } from '#shared/store/embedded/key_index.ts'
import type {
  Compare,
  KeyRange,
  RangeRequest,
  Store,
  StoreOperation,
  WatchRequest,
} from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { createManualClock, type ManualClock } from '../../../../support/clock.ts'

const EVERYTHING = { key: new Uint8Array([0]), end: END_OF_KEYS }

const keys = fc.constantFrom('a', 'ab', 'b', 'c', 'd').map(toBytes)
const values = fc.constantFrom('', '1', '2').map(toBytes)
const ranges: fc.Arbitrary<KeyRange> = fc.oneof(
  keys.map((key) => ({ key })),
  fc.tuple(keys, keys).map(([key, end]) => ({ key, end })),
  keys.map((key) => ({ key, end: END_OF_KEYS })),
)
const reads: fc.Arbitrary<RangeRequest> = fc
  .tuple(
    ranges,
    fc.record(
      {
        limit: fc.nat(3),
        revision: fc.bigInt(1n, 40n),
        sortTarget: fc.constant('KEY' as const),
        sortOrder: fc.constantFrom('NONE' as const, 'ASCEND' as const, 'DESCEND' as const),
        keysOnly: fc.boolean(),
        countOnly: fc.boolean(),
        minModRevision: fc.bigInt(0n, 30n),
        maxCreateRevision: fc.bigInt(0n, 30n),
      },
      { requiredKeys: [] },
    ),
  )
  .map(([range, options]) => ({ ...range, ...options }))
const operations: fc.Arbitrary<StoreOperation> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('put' as const), key: keys, value: values }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), range: ranges }) },
  fc.record({ kind: fc.constant('range' as const), range: reads }),
)
const guards: fc.Arbitrary<Compare> = fc.record({
  key: keys,
  target: fc.constantFrom('MOD' as const, 'CREATE' as const, 'VERSION' as const),
  result: fc.constantFrom('EQUAL' as const, 'NOT_EQUAL' as const, 'GREATER' as const, 'LESS' as const),
  value: fc.bigInt(0n, 20n),
})
type Step = (store: Store) => Promise<unknown>
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .record({
        compare: fc.array(guards, { maxLength: 2 }),
        success: fc.array(operations, { maxLength: 4 }),
        failure: fc.array(operations, { maxLength: 2 }),
      })
      .map(
        (request): Step =>
          (store) =>
            store.txn(request),
      ),
  },
  {
    weight: 4,
    arbitrary: reads.map(
      (request): Step =>
        (store) =>
          store.range(request),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.bigInt(1n, 30n).map(
      (revision): Step =>
        (store) =>
          store.compact(revision),
    ),
  },
)

/** The answer, or the code of the refusal. */
async function outcome(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call
  } catch (error) {
    if (isAvisoError(error)) return error.code
    throw error
  }
}

/** All history of a range from a revision up to now: a watch tells its progress once it has nothing more. */
async function replay(store: Store, clock: ManualClock, request: WatchRequest): Promise<unknown> {
  const seen: unknown[] = []
  for await (const message of store.watch(request)) {
    seen.push(message)
    if (message.kind === 'progress') break
    await clock.advance(5_000)
  }
  return seen
}

describe('createMemoryStore()', () => {
  it('answers any sequence of calls as the embedded store does', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(steps, { minLength: 5, maxLength: 30 }),
        fc.bigInt(1n, 20n),
        ranges,
        async (sequence, from, range) => {
          const clocks = [createManualClock(), createManualClock()] as const
          const memory = createMemoryStore({ clock: clocks[0] })
          const embedded = await openEmbeddedStore(await openSqlite(':memory:'), { clock: clocks[1] })
          for (const step of sequence)
            assert.deepEqual(await outcome(step(memory)), await outcome(step(embedded)))
          const request = { ...range, from }
          assert.deepEqual(
            await outcome(replay(memory, clocks[0], request)),
            await outcome(replay(embedded, clocks[1], request)),
          )
          await memory.close()
          await embedded.close()
        },
      ),
      { numRuns: 150 },
    )
  })

  it('ends leases by the clock it was given, and stops its timer when there are none', async () => {
    const clock = createManualClock()
    const store = createMemoryStore({ clock })
    assert.equal(clock.timers, 0)
    const lease = await store.grantLease(10)
    assert.equal(clock.timers, 1)
    await store.txn({
      compare: [],
      success: [{ kind: 'put', key: toBytes('a'), value: toBytes('v'), lease }],
    })
    const pass = async (ms: number): Promise<bigint> => {
      await clock.advance(ms)
      await store.txn({ compare: [], success: [] })
      return (await store.range({ key: toBytes('a') })).count
    }
    assert.equal(await pass(9_999), 1n)
    assert.equal(await pass(1), 0n)
    assert.equal(clock.timers, 0)
    await store.close()
  })

  it('keeps what was written when the caller reuses its buffers', async () => {
    const store = createMemoryStore({ clock: systemClock })
    const [key, value] = [toBytes('a'), toBytes('v')]
    const written = store.txn({ compare: [], success: [{ kind: 'put', key, value }] })
    await written
    key[0] = 0x62
    value[0] = 0x77
    const { kvs } = await store.range(EVERYTHING)
    assert.deepEqual(
      kvs.map((kv) => toText(kv.key) + toText(kv.value)),
      ['av'],
    )
    await store.close()
  })
})

describe('createKeyIndex()', () => {
  it('holds keys in order over many chunks', () => {
    const index = createKeyIndex<{ readonly key: Uint8Array }>()
    const names = Array.from({ length: 5_000 }, (_, number) => `${(number * 7_919) % 5_000}`.padStart(4, '0'))
    for (const name of names) index.insert({ key: toBytes(name) })
    const read = (key: string, end: Uint8Array): string[] => {
      const found: string[] = []
      index.visit({ key: toBytes(key), end }, (entry) => found.push(toText(entry.key)) > 0)
      return found
    }
    const sorted = names.toSorted()
    assert.deepEqual(read('0', END_OF_KEYS), sorted)
    assert.deepEqual(read('1234', toBytes('4321')), sorted.slice(1_234, 4_321))
    for (const name of sorted.slice(100, 4_900)) index.delete(toBytes(name))
    assert.deepEqual(read('0', END_OF_KEYS), [...sorted.slice(0, 100), ...sorted.slice(4_900)])
    assert.equal(index.get(toBytes('2000')), undefined)
    for (const name of sorted) index.delete(toBytes(name))
    assert.deepEqual(read('0', END_OF_KEYS), [])
    index.insert({ key: toBytes('x') })
    assert.deepEqual(read('0', END_OF_KEYS), ['x'])
  })
})
