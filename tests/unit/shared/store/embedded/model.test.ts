import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isAvisoError } from '#shared/errors.ts'
import { openSqlite } from '#shared/runtime/sqlite.ts'
import { END_OF_KEYS, toBytes } from '#shared/bytes/bytes.ts'
import { openEmbeddedStore } from '#shared/store/embedded/store.ts'
import type {
  Compare,
  KeyRange,
  RangeRequest,
  Store,
  StoreOperation,
  WatchRequest,
} from '#shared/store/store.ts'
import { ModelRefusal, StoreModel } from './model.ts'
import { createManualClock, type ManualClock } from '../../../../support/clock.ts'

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
        revision: fc.bigInt(1n, 12n),
        sortTarget: fc.constantFrom(
          'KEY' as const,
          'VERSION' as const,
          'CREATE' as const,
          'MOD' as const,
          'VALUE' as const,
        ),
        sortOrder: fc.constantFrom('NONE' as const, 'ASCEND' as const, 'DESCEND' as const),
        keysOnly: fc.boolean(),
        countOnly: fc.boolean(),
        minModRevision: fc.bigInt(0n, 30n),
        maxModRevision: fc.bigInt(0n, 30n),
        minCreateRevision: fc.bigInt(0n, 30n),
        maxCreateRevision: fc.bigInt(0n, 30n),
      },
      { requiredKeys: [] },
    ),
  )
  .map(([range, options]) => ({ ...range, ...options }))
const operations: fc.Arbitrary<StoreOperation> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('put' as const), key: keys, value: values }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), range: ranges }) },
  fc.record({ kind: fc.constant('range' as const), range: reads }),
)
const guards: fc.Arbitrary<Compare> = fc.record({
  key: keys,
  target: fc.constantFrom('MOD' as const, 'CREATE' as const, 'VERSION' as const),
  result: fc.constantFrom('EQUAL' as const, 'NOT_EQUAL' as const, 'GREATER' as const, 'LESS' as const),
  value: fc.bigInt(0n, 20n),
})
/** One call, on the store and on the model. */
interface Step {
  readonly store: (store: Store) => Promise<unknown>
  readonly model: (model: StoreModel) => unknown
}
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .record({
        compare: fc.array(guards, { maxLength: 2 }),
        success: fc.array(operations, { maxLength: 4 }),
        failure: fc.array(operations, { maxLength: 2 }),
      })
      .map((request): Step => ({
        store: (store) => store.txn(request),
        model: (model) => model.txn(request),
      })),
  },
  {
    weight: 4,
    arbitrary: reads.map((request): Step => ({
      store: (store) => store.range(request),
      model: (model) => model.range(request),
    })),
  },
  {
    weight: 1,
    arbitrary: fc.bigInt(2n, 12n).map((revision): Step => ({
      store: (store) => store.compact(revision),
      model: (model) => model.compact(revision),
    })),
  },
)

/** The answer, or the code of the refusal. */
async function outcome(call: () => unknown): Promise<unknown> {
  try {
    return await call()
  } catch (error) {
    if (isAvisoError(error) || error instanceof ModelRefusal) return error.code
    throw error
  }
}

/** All history of a range from a revision up to now: a watch tells its progress once it has nothing more. */
async function replay(store: Store, clock: ManualClock, request: WatchRequest): Promise<unknown> {
  const revisions: unknown[] = []
  for await (const message of store.watch(request)) {
    if (message.kind === 'progress') break
    if (message.kind === 'revision') revisions.push({ revision: message.revision, events: message.events })
    await clock.advance(5_000)
  }
  return revisions
}

describe('openEmbeddedStore() beside a model', () => {
  it('answers any sequence of calls as a list of all history would', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(steps, { minLength: 10, maxLength: 30 }),
        fc.bigInt(1n, 12n),
        ranges,
        async (sequence, from, range) => {
          const clock = createManualClock()
          const database = openSqlite(':memory:')
          const store = openEmbeddedStore({ ...database, close: () => undefined }, { clock })
          const model = new StoreModel()
          for (const step of sequence)
            assert.deepEqual(await outcome(() => step.store(store)), await outcome(() => step.model(model)))
          const request = { ...range, from }
          const expected = await outcome(() => model.replay(request))
          assert.deepEqual(await outcome(() => replay(store, clock, request)), expected)
          await store.close()
          // Opened again, it has nothing in memory: all of it comes from the tables.
          const reopened = openEmbeddedStore(database, { clock })
          assert.deepEqual(await outcome(() => replay(reopened, clock, request)), expected)
          await reopened.close()
        },
      ),
      { numRuns: 400 },
    )
  })
})
