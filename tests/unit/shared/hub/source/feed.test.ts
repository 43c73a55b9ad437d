import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import type { Entry } from '#shared/hub/source/entry.ts'
import { createFeed, type FeedMessage, type OwnFeed, type TakeEntry } from '#shared/hub/source/feed.ts'
import { TURN_REVISIONS } from '#shared/hub/source/limits.ts'
import { createRing, type Ring } from '#shared/hub/source/ring.ts'
import { nextTurn } from '#shared/time/turn.ts'
import { within } from '../../../../support/waiting.ts'
import { decode, entryOf } from '../hub_support.ts'

const BYTES = 10_000

/** A feed that is connected to the store with epoch `e`, and its ring from revision 1 on. */
function setUp(ringBytes = BYTES): {
  readonly ring: Ring
  readonly feed: OwnFeed
  readonly append: (...revisions: readonly bigint[]) => void
  /** Entries that the ring has decoded again. */
  readonly decoded: () => number
} {
  let decoded = 0
  const ring = createRing(ringBytes, 1n, (...given) => {
    decoded++
    return decode(...given)
  })
  const feed = createFeed(ring, { known: 'e' })
  feed.connected(true)
  const append = (...revisions: readonly bigint[]): void => {
    for (const revision of revisions) {
      const entry = entryOf(revision, ['a', { name: 'n' }])
      ring.append(entry)
      feed.appended(entry)
      feed.advanced()
    }
  }
  return { ring, feed, append, decoded: () => decoded }
}

const CONNECTED = 'connected'

function show(message: FeedMessage | void): unknown {
  if (message === undefined) return 'end'
  if (message.kind === 'connection') return message.connected ? CONNECTED : 'disconnected'
  return [message.entries.map(({ revision }) => Number(revision)), Number(message.through)]
}

/** Reads on, one message at a time. */
function read(
  feed: OwnFeed,
  from: bigint,
  {
    signal = new AbortController().signal,
    take = () => false,
  }: { readonly signal?: AbortSignal; readonly take?: TakeEntry } = {},
): () => Promise<unknown> {
  const messages = feed.follow(from, signal, take)
  return async () => show((await within('the next message', messages.next())).value)
}

describe('createFeed()', () => {
  it('gives what memory holds from a revision on, then what comes, all of a turn at once', async () => {
    const { ring, feed, append } = setUp()
    append(1n, 3n, 5n)
    const next = read(feed, 2n)
    assert.deepEqual([await next(), await next()], [CONNECTED, [[3, 5], 5]])
    const coming = next()
    await nextTurn()
    append(6n, 8n)
    assert.deepEqual(await coming, [[6, 8], 8])
    ring.advance(20n)
    feed.advanced()
    assert.deepEqual(await next(), [[], 20])
  })

  it('gives at most as many revisions at once as others take in a turn', async () => {
    const { feed, append } = setUp(10_000_000)
    append(...Array.from({ length: TURN_REVISIONS + 1 }, (_, index) => BigInt(2 * index + 2)))
    const next = read(feed, 1n)
    const parts = [await next(), await next(), await next()] as const
    assert.deepEqual(parts[0], CONNECTED)
    assert.deepEqual((parts[1] as unknown[])[1], 2 * TURN_REVISIONS)
    assert.deepEqual(parts[2], [[2 * TURN_REVISIONS + 2], 2 * TURN_REVISIONS + 2])
  })

  it('leaves out what comes before the revision, where the reader is ahead', async () => {
    const { feed, append } = setUp()
    const next = read(feed, 3n)
    assert.equal(await next(), CONNECTED)
    const coming = next()
    append(1n, 2n, 3n)
    assert.deepEqual(await coming, [[3], 3])
  })

  it('has its reader take what comes while it waits, and yields nothing of it', async () => {
    const { ring, feed, append, decoded } = setUp()
    const taken: number[] = []
    const take = ({ revision }: Entry): boolean => taken.push(Number(revision)) > 0
    append(1n)
    const next = read(feed, 1n, { take })
    assert.deepEqual([await next(), await next()], [CONNECTED, [[1], 1]])
    append(2n)
    assert.deepEqual(taken, [], 'It did not wait')
    assert.deepEqual(await next(), [[2], 2])
    const before = decoded()
    const coming = next()
    append(3n, 4n)
    await nextTurn()
    append(5n)
    assert.deepEqual([taken, decoded()], [[3, 4, 5], before])
    await nextTurn()
    ring.advance(9n)
    feed.advanced()
    assert.deepEqual(await coming, [[], 9])
  })

  it('yields what its reader does not take, and what comes after it in the turn', async () => {
    const { feed, append } = setUp()
    const taken: number[] = []
    const take = ({ revision }: Entry): boolean => revision !== 2n && taken.push(Number(revision)) > 0
    const next = read(feed, 1n, { take })
    assert.equal(await next(), CONNECTED)
    const coming = next()
    append(1n, 2n, 3n)
    assert.deepEqual([await coming, taken], [[[2, 3], 3], [1]])
    const later = next()
    append(4n)
    feed.connected(false)
    append(5n)
    assert.deepEqual([await later, await next(), taken], ['disconnected', [[5], 5], [1, 4]])
  })

  it('does not give what comes before the revision to a reader that is ahead', async () => {
    const { feed, append } = setUp()
    const taken: number[] = []
    const stop = new AbortController()
    const take = ({ revision }: Entry): boolean => taken.push(Number(revision)) > 0
    const next = read(feed, 3n, { signal: stop.signal, take })
    assert.equal(await next(), CONNECTED)
    const coming = next()
    append(1n, 2n, 3n)
    assert.deepEqual(taken, [3])
    stop.abort()
    assert.equal(await coming, 'end')
  })

  it('fails with what its reader has thrown, and goes on for others', async () => {
    const { feed, append } = setUp()
    const take = (): never => {
      throw new Error('It cannot be counted')
    }
    const next = read(feed, 1n, { take })
    const nextOfOther = read(feed, 1n)
    assert.deepEqual([await next(), await nextOfOther()], [CONNECTED, CONNECTED])
    const [coming, comingOfOther] = [next(), nextOfOther()]
    append(1n)
    await assert.rejects(coming, /It cannot be counted/)
    assert.deepEqual(await comingOfOther, [[1], 1])
    append(2n)
    assert.deepEqual(await nextOfOther(), [[2], 2])
  })

  it('does not have the ring keep decoded what comes after it was read', async () => {
    const { ring, feed, append } = setUp(10_000_000)
    append(1n)
    const packed = ring.bytes
    const next = read(feed, 1n)
    assert.deepEqual([await next(), await next()], [CONNECTED, [[1], 1]])
    append(2n)
    assert.equal(ring.bytes, packed)
  })

  it('ends for a reader that is so slow that memory has moved on', async () => {
    const { ring, feed, append } = setUp()
    const next = read(feed, 1n)
    append(1n, 2n)
    assert.deepEqual([await next(), await next()], [CONNECTED, [[1, 2], 2]])
    for (let revision = 3n; ring.floor <= 3n; revision++) append(revision)
    assert.equal(await next(), 'end')
  })

  it('covers what comes after the floor, in the same store, while the hub is connected', () => {
    const { ring, feed, append } = setUp()
    append(1n)
    ring.reset(10n)
    assert.deepEqual(
      [feed.covers(9n, 'e'), feed.covers(10n, 'e'), feed.covers(10n, 'other'), feed.covers(10n, undefined)],
      [false, true, false, false],
    )
    feed.connected(false)
    assert.equal(feed.covers(10n, 'e'), false)
  })

  it('says when the hub is disconnected and connected again, and goes on', async () => {
    const { feed, append } = setUp()
    const next = read(feed, 1n)
    assert.equal(await next(), CONNECTED)
    const coming = next()
    feed.connected(false)
    assert.equal(await coming, 'disconnected')
    feed.connected(true)
    append(1n)
    assert.deepEqual([await next(), await next()], [CONNECTED, [[1], 1]])
  })

  for (const [when, goOn] of [
    ['when the hub has missed revisions', ({ append }) => append(50n)],
    ['though the store is replaced before that is read', ({ feed }) => feed.lost(true)],
  ] satisfies readonly (readonly [string, (parts: ReturnType<typeof setUp>) => void])[])
    it(`gives what there was, and ends, ${when}`, async () => {
      const parts = setUp()
      const { ring, feed, append } = parts
      const next = read(feed, 1n)
      assert.equal(await next(), CONNECTED)
      append(1n, 2n)
      feed.connected(false)
      feed.lost(false)
      ring.reset(50n)
      goOn(parts)
      assert.deepEqual([await next(), await next()], [[[1, 2], 2], 'end'])
    })

  it('fails when the store was replaced, also while its reader waits', async () => {
    const { ring, feed, append } = setUp()
    append(1n, 2n)
    const next = read(feed, 1n)
    await next()
    await next()
    const coming = next()
    feed.connected(false)
    feed.lost(true)
    ring.reset(1n)
    await assert.rejects(coming, (error) => isAvisoError(error, 'ERR_EPOCH_CHANGED'))
  })

  it('fails when the store was replaced long after the hub was disconnected', async () => {
    const { feed } = setUp()
    feed.connected(false)
    const next = read(feed, 1n)
    assert.equal(await next(), 'disconnected')
    const coming = next()
    await nextTurn()
    feed.lost(true)
    await assert.rejects(coming, (error) => isAvisoError(error, 'ERR_EPOCH_CHANGED'))
  })

  it('ends at the signal, also while its reader waits', async () => {
    const { feed, append } = setUp()
    const stop = new AbortController()
    let taken = 0
    const next = read(feed, 1n, { signal: stop.signal, take: () => ++taken > 0 })
    assert.equal(await next(), CONNECTED)
    const coming = next()
    stop.abort()
    append(1n)
    assert.deepEqual([await coming, taken], ['end', 0])
  })
})
