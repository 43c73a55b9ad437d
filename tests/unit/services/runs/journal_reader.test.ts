import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { readJournals } from '#services/runs/journal_reader.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { isAvisoError } from '#shared/errors.ts'
import { createHub } from '#shared/hub/shared_hub.ts'
import { readOrCreateEpoch } from '#shared/journal/epoch.ts'
import { journalKey } from '#shared/journal/journal.ts'
import { encodeRemoved, removedKey } from '#shared/journal/removed.ts'
import { silentLogger } from '#shared/logger.ts'
import { BUILTIN_SCHEMAS } from '#shared/notification/builtin_schemas.ts'
import { createSchemas } from '#shared/notification/schema.ts'
import { createPublisher } from '#shared/publish/publisher.ts'
import type { Feed } from '#shared/hub/source/feed.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { nextTurn } from '#shared/time/turn.ts'
import { toHubLimits, authVars } from '#services/auth/settings.ts'
import * as v from 'valibot'
import { createFlakyStore, type FlakyStore } from '../../../contract/hub_flaky_store.ts'
import { IDENTITY } from '../../../contract/publisher_support.ts'
import { createMemoryStores } from '../../../support/memory_store.ts'
import { eventually, within } from '../../../support/waiting.ts'

const memory = createMemoryStores()
const schemas = createSchemas(
  (['ecmwf', 'flight'] as const).map((source) => ({ source, content: BUILTIN_SCHEMAS.get(source) })),
)
const FLIGHT = { date: '20260610', country: 'italy', number: 'AZ203' }
const COMMON = { clock: systemClock, random: randomUUID, logger: silentLogger }

interface Scene {
  readonly store: FlakyStore
  /** Publishes products, each in a commit of its own. */
  readonly publish: (count: number) => Promise<void>
  /** Publishes as many that are of no run. */
  readonly publishOthers: (count: number) => Promise<void>
  /** What was told: numbers of products, removals, and whether all was told. */
  readonly told: readonly string[]
  readonly products: () => readonly string[]
  readonly isUpToDate: () => boolean
  /** Entries that the reader has not taken as they came. */
  readonly yielded: () => number
  /** Ends with the reader. */
  readonly reading: Promise<void>
}

/** Reads a store beside a hub. */
async function withReader(
  use: (scene: Scene) => Promise<void>,
  {
    ringBytes,
    earlier = 0,
    isAlone = false,
    onProduct = () => undefined,
  }: {
    readonly ringBytes?: number
    readonly earlier?: number
    readonly isAlone?: boolean
    readonly onProduct?: (stop: () => void) => void
  } = {},
): Promise<void> {
  const inner = memory()
  const store = createFlakyStore(inner)
  await readOrCreateEpoch(store, randomUUID)
  const publisher = createPublisher({ ...COMMON, store: inner, identity: IDENTITY })
  let step = 0
  const publish = async (count: number): Promise<void> => {
    for (let each = 0; each < count; each++) {
      const request = { class: 'od', stream: 'oper', expver: '1', domain: 'g', date: '20260610', time: '0' }
      await publishOne('mars', { ...request, step: String(step++) })
    }
  }
  const publishOthers = async (count: number): Promise<void> => {
    for (let each = 0; each < count; each++) await publishOne('flight', { ...FLIGHT, airport: `A${each}` })
  }
  const publishOne = async (event: string, request: Readonly<Record<string, string>>): Promise<void> => {
    const keys = schemas.require(event).encode(request)
    const item = { event, keys, value: toBytes('here'), id: randomUUID(), source: 'urn:test' }
    const [result] = await publisher.publish([item])
    assert.equal(result?.ok, true)
  }
  await publish(earlier)
  const limits = toHubLimits(v.getDefaults(authVars))
  const hub = await createHub({
    ...COMMON,
    store,
    schemas,
    roots: schemas.roots,
    limits: { ...limits, ringBytes: ringBytes ?? limits.ringBytes },
  })
  const told: string[] = []
  let isUpToDate = false
  const stop = new AbortController()
  const readers = {
    passed: () => undefined,
    product: ({ sequence }: { readonly sequence: number }) => {
      told.push(String(sequence))
      onProduct(() => stop.abort())
    },
    announced: () => undefined,
    removal: ({ fields }: { readonly fields?: Readonly<Record<string, string>> }) =>
      void told.push(`-${fields?.['step']}`),
    removalsRead: () => undefined,
    upToDate: (isSo: boolean) => {
      isUpToDate = isSo
    },
  }
  const listening = countListeners(stop.signal)
  const { feed, yielded } = countYielded(hub.feed)
  const reading = readJournals(
    { ...COMMON, store, schemas, events: ['mars'], feed: isAlone ? undefined : feed },
    { bookmark: undefined, removed: new Map() },
    { readers, signal: stop.signal },
  )
  reading.catch(() => undefined)
  const products = (): readonly string[] => told.filter((each) => !each.startsWith('-'))
  try {
    await use({
      store,
      publish,
      publishOthers,
      told,
      products,
      isUpToDate: () => isUpToDate,
      yielded,
      reading,
    })
  } finally {
    stop.abort()
    await reading.catch(() => undefined)
    await publisher.close()
    await hub.close()
  }
  assert.deepEqual([store.open, listening.size], [0, 0])
}

function countYielded(feed: Feed): { readonly feed: Feed; readonly yielded: () => number } {
  let yielded = 0
  async function* follow(...given: Parameters<Feed['follow']>): ReturnType<Feed['follow']> {
    for await (const message of feed.follow(...given)) {
      if (message.kind === 'entries') yielded += message.entries.length
      yield message
    }
  }
  return { feed: { ...feed, follow }, yielded: () => yielded }
}

/** Who listens to a signal, from now on. */
function countListeners(signal: AbortSignal): ReadonlySet<unknown> {
  const listening = new Set<unknown>()
  const { addEventListener, removeEventListener } = signal
  signal.addEventListener = (type: string, listener: EventListener) => {
    listening.add(listener)
    addEventListener.call(signal, type, listener)
  }
  signal.removeEventListener = (type: string, listener: EventListener) => {
    listening.delete(listener)
    removeEventListener.call(signal, type, listener)
  }
  return listening
}

/** A store whose watches tell what has happened when the test says so. */
function withLateEvents(store: Store): {
  readonly store: Store
  readonly open: () => void
  /** Whether it was asked for the newest revision. */
  readonly isAsked: () => boolean
} {
  const gate = Promise.withResolvers<void>()
  let isAsked = false
  return {
    open: gate.resolve,
    isAsked: () => isAsked,
    store: {
      ...store,
      range: async (...given) => {
        const result = await store.range(...given)
        isAsked ||= given[0].sortTarget === 'MOD'
        return result
      },
      async *watch(request) {
        for await (const message of store.watch(request)) {
          if (message.kind !== 'created') await gate.promise
          yield message
        }
      },
    },
  }
}

const numbers = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => String(index + 1))

describe('readJournals() beside a hub', () => {
  it('catches up in the store, and then has no watch of its own', () =>
    withReader(
      async ({ store, publish, told, isUpToDate }) => {
        await eventually('all is told', () => isUpToDate() && told.length === 5)
        await eventually('only the watch of the hub is open', () => store.open === 1)
        const { watches } = store
        await publish(5)
        await eventually('all is told', () => told.length === 10)
        assert.deepEqual([told, store.watches], [numbers(10), watches])
      },
      { earlier: 5 },
    ))

  it('takes what the hub has decoded as it comes, and tells its products', () =>
    withReader(async ({ store, publish, publishOthers, products, isUpToDate, yielded }) => {
      await eventually('only the watch of the hub is open', () => isUpToDate() && store.open === 1)
      // The reader has begun to wait by then.
      await nextTurn()
      const before = yielded()
      for (let count = 1; count <= 5; count++) {
        await publishOthers(1)
        await publish(1)
        await nextTurn()
        assert.deepEqual([products(), yielded()], [numbers(count), before])
      }
    }))

  it('ends when it was stopped as it told', () =>
    withReader(
      async ({ store, publish, reading, products }) => {
        await eventually('only the watch of the hub is open', () => store.open === 1)
        await publish(2)
        await within('the end of reading', reading)
        assert.deepEqual(products(), numbers(1))
      },
      { onProduct: (stop) => stop() },
    ))

  for (const [where, parts] of [
    ['the memory is too small', { ringBytes: 1 }],
    ['there is no hub in its process', { isAlone: true }],
  ] as const)
    it(`tells each product once, in order, though ${where} and watches break`, () =>
      withReader(
        async ({ store, publish, products }) => {
          for (let round = 1; round <= 10; round++) {
            const published = publish(20)
            if (round % 3 === 0) store.breakAll()
            await published
            await eventually('all is told', () => products().length >= 10 + 20 * round)
          }
          assert.deepEqual(products(), numbers(210))
        },
        { ...parts, earlier: 10 },
      ))

  it('knows that it does not know all while the store is away, and all once it is back', () =>
    withReader(async ({ store, publish, products, isUpToDate }) => {
      await eventually('it reads in memory', () => isUpToDate() && store.open === 1)
      store.isDown = true
      store.breakAll()
      await eventually('it is not up to date', () => !isUpToDate())
      await publish(3)
      const late = withLateEvents(store.inner)
      store.inner = late.store
      store.isDown = false
      try {
        await eventually('it knows what must come', late.isAsked)
        assert.deepEqual([isUpToDate(), products()], [false, []])
      } finally {
        late.open()
      }
      await eventually('it is up to date', isUpToDate)
      assert.deepEqual(products(), numbers(3))
    }))

  it('tells what is removed', () =>
    withReader(async ({ store, publish, told, isUpToDate }) => {
      await eventually('it reads in memory', () => isUpToDate() && store.open === 1)
      await publish(2)
      await eventually('both are told', () => told.length === 2)
      const [kv] = (await store.range({ key: toBytes(journalKey('mars')) })).kvs
      const value = encodeRemoved({ wipedThrough: 0n, ids: new Map([[2n, kv?.modRevision ?? 0n]]) })
      await store.txn({ compare: [], success: [{ kind: 'put', key: toBytes(removedKey('mars')), value }] })
      await publish(1)
      await eventually('the next one is told', () => told.includes('3'))
      assert.deepEqual(told, ['1', '2', '-1', '3'])
    }))

  it('fails when the store was replaced', () =>
    withReader(async ({ store, isUpToDate, reading }) => {
      await eventually('it reads in memory', () => isUpToDate() && store.open === 1)
      store.inner = memory()
      await readOrCreateEpoch(store, randomUUID)
      store.breakAll()
      await assert.rejects(reading, (error) => isAvisoError(error, 'ERR_EPOCH_CHANGED'))
    }))
})
