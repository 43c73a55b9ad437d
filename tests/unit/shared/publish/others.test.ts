import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { journalKey } from '#shared/journal/journal.ts'
import { OTHERS } from '#shared/publish/limits.ts'
import { createOthers, type Others } from '#shared/publish/others.ts'
import { createPublisher } from '#shared/publish/publisher.ts'
import type { Publisher } from '#shared/publish/publish.ts'
import type { Store } from '#shared/store/store.ts'
import { checkHistory, history, IDENTITY, item, receiptOf } from '../../../contract/publisher_support.ts'
import { createIdleClock, createManualClock, settle } from '../../../support/clock.ts'
import { createMemoryStores } from '../../../support/memory_store.ts'
import { eventually } from '../../../support/waiting.ts'

const memory = createMemoryStores()

/** A store that counts its open watches, and what is read. */
function counting(store: Store): { readonly store: Store; open: number; reads: number } {
  const counted = {
    open: 0,
    reads: 0,
    store: {
      ...store,
      range: (request, options) => {
        counted.reads++
        return store.range(request, options)
      },
      watch: async function* (request) {
        counted.open++
        try {
          yield* store.watch(request)
        } finally {
          counted.open--
        }
      },
    } satisfies Store,
  }
  return counted
}

function put(store: Store, event: string, value: string): Promise<unknown> {
  return store.txn({
    compare: [],
    success: [{ kind: 'put', key: toBytes(journalKey(event)), value: toBytes(value) }],
  })
}

/** @param clock One for publishers side by side: where each has its own, that of one goes on while the other waits. */
function open(store: Store, clock = createIdleClock()): Publisher {
  return createPublisher({ store, clock, random: randomUUID, identity: IDENTITY })
}

describe('createOthers()', () => {
  function setUp(watched: Store = memory()): {
    readonly others: Others
    readonly clock: ReturnType<typeof createManualClock>
    readonly seen: string[]
    readonly counted: ReturnType<typeof counting>
  } {
    const counted = counting(watched)
    const clock = createManualClock()
    const others = createOthers({ store: counted.store, clock })
    const seen: string[] = []
    for (const event of ['a', 'b'])
      others.register(journalKey(event), ({ value }) => void seen.push(`${event} ${toText(value)}`))
    return { others, clock, seen, counted }
  }

  it('follows all journals by one watch, once it is asked to', async () => {
    const { others, seen, counted } = setUp()
    await put(counted.store, 'a', '1')
    assert.equal(counted.open, 0)
    others.follow()
    others.follow()
    await settle()
    assert.equal(counted.open, 1)
    for (const [event, value] of [
      ['a', '2'],
      ['b', '3'],
      ['c', '4'],
      ['a', '5'],
    ] as const)
      await put(counted.store, event, value)
    await settle()
    assert.deepEqual(seen, ['a 2', 'b 3', 'a 5'])
    others.stop()
    await settle()
    assert.equal(counted.open, 0)
  })

  it('ends some time after it was last asked to', async () => {
    const { others, clock, counted } = setUp()
    others.follow()
    await clock.advance(OTHERS.ms - 1)
    others.follow()
    await clock.advance(OTHERS.ms - 1)
    assert.equal(counted.open, 1)
    await clock.advance(2)
    assert.equal(counted.open, 0)
    assert.equal(clock.timers, 0)
    others.follow()
    await settle()
    assert.equal(counted.open, 1)
    others.stop()
  })

  it('does not ask a store again at once that ends its watches', async () => {
    let watches = 0
    const failing: Store = {
      ...memory(),
      watch: () => {
        watches++
        throw new Error('as the test wants it')
      },
    }
    const { others, clock } = setUp(failing)
    others.follow()
    await settle()
    others.follow()
    await settle()
    assert.equal(watches, 1)
    await clock.advance(OTHERS.againMs)
    others.follow()
    await settle()
    assert.equal(watches, 2)
    assert.equal(clock.timers, 0)
  })
})

describe('createPublisher(), beside another one', () => {
  const TYPES = ['a', 'b', 'c']
  const one = (name: string) => TYPES.map((type) => item(type, name, { id: `${type} ${name}` }))

  it('loses a race once, and then knows what the other commits before it sends', async () => {
    const store = memory()
    let refused = 0
    const txn: Store['txn'] = async (request, options) => {
      const result = await store.txn(request, options)
      refused += result.parts?.filter(({ succeeded }) => !succeeded).length ?? 0
      return result
    }
    const counted = counting({ ...store, txn })
    const clock = createIdleClock()
    const [mine, other] = [open(counted.store, clock), open(store, clock)]
    ;(await mine.publish(one('first'))).forEach(receiptOf)
    ;(await other.publish(one('second'))).forEach(receiptOf)
    ;(await mine.publish(one('x'))).forEach(receiptOf)
    assert.equal(refused, TYPES.length)
    await eventually('it follows', () => counted.open === 1)
    const { reads } = counted
    for (let round = 0; round < 2 * OTHERS.mostSeen; round++)
      (await other.publish(one(`other-${round}`))).forEach(receiptOf)
    await settle()
    ;(await mine.publish(one('y'))).forEach(receiptOf)
    assert.deepEqual([refused, counted.reads], [TYPES.length, reads])
    // What it has only seen counts for ids, too.
    const again = (await mine.publish(one('other-7'))).map(receiptOf)
    assert.deepEqual(
      again.map(({ replayed }) => replayed),
      [true, true, true],
    )
    for (const type of TYPES) checkHistory(await history(store, type))
    await Promise.all([mine.close(), other.close()])
    await settle()
    assert.equal(counted.open, 0)
  })
})
