import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import type { Entry } from '#shared/hub/source/entry.ts'
import { createFeed, KEPT_BYTES, type FeedMessage, type OwnFeed } from '#shared/hub/source/feed.ts'
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
  readonly appendOther: (revision: bigint) => void
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
  const appendEntry = (entry: Entry): void => {
    ring.append(entry)
    feed.appended(entry)
    feed.advanced()
  }
  const append = (...revisions: readonly bigint[]): void => {
    for (const revision of revisions) appendEntry(entryOf(revision, ['a', { name: 'n' }]))
  }
  const appendOther = (revision: bigint): void => appendEntry(entryOf(revision, ['b', { name: 'n' }]))
  return { ring, feed, append, appendOther, decoded: () => decoded }
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
    wants = () => true,
  }: { readonly signal?: AbortSignal; readonly wants?: (entry: Entry) => boolean } = {},
): () => Promise<unknown> {
  const messages = feed.follow(from, signal, wants)
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

  it('gives what came since a reader began as it is, without decoding it again', async () => {
    const { feed, append, decoded } = setUp(10_000_000)
    const next = read(feed, 1n)
    assert.equal(await next(), CONNECTED)
    append(1n, 2n)
    assert.deepEqual([await next(), decoded()], [[[1, 2], 2], 0])
    append(3n)
    assert.deepEqual([await next(), decoded()], [[[3], 3], 0])
  })

  it('lets go of what came when it is too much, and decodes it again', async () => {
    const { feed, append, decoded } = setUp(100_000_000)
    const next = read(feed, 1n)
    assert.equal(await next(), CONNECTED)
    const large = Math.ceil(KEPT_BYTES / entryOf(1n, ['a', { name: 'n' }]).bytes)
    const revisions = Array.from({ length: large + 1 }, (_, index) => BigInt(index + 1))
    append(...revisions)
    const parts: unknown[] = []
    for (let through = 0; through < revisions.length;) {
      const [numbers, last] = (await next()) as [number[], number]
      parts.push(...numbers)
      through = last
    }
    assert.deepEqual(parts, revisions.map(Number))
    assert.ok(decoded() >= large, `${decoded()} of ${large} were decoded again`)
    append(BigInt(large + 2))
    const before = decoded()
    assert.deepEqual([await next(), decoded()], [[[large + 2], large + 2], before])
  })

  it('calls who waits for many notifications once so many have come, at the end of the turn', async () => {
    const { feed, append } = setUp()
    const next = read(feed, 1n)
    assert.equal(await next(), CONNECTED)
    let calls = 0
    feed.whenWaiting(3, () => calls++)
    const forget = feed.whenWaiting(3, () => assert.fail('It was forgotten'))
    append(1n, 2n)
    await nextTurn()
    forget()
    append(3n)
    assert.equal(calls, 0)
    await nextTurn()
    append(4n)
    await nextTurn()
    assert.equal(calls, 1)
    feed.whenWaiting(4, () => calls++)
    await nextTurn()
    assert.equal(calls, 2, 'Those that wait already count')
    assert.deepEqual(await next(), [[1, 2, 3, 4], 4])
    feed.whenWaiting(1, () => calls++)
    await nextTurn()
    assert.equal(calls, 2, 'Those that were read do not count')
  })

  it('leaves out what came and its reader does not want, and calls none for it', async () => {
    const { feed, append, appendOther, decoded } = setUp()
    const wants = ({ notifications }: Entry): boolean => notifications.some((each) => each?.event === 'a')
    const next = read(feed, 1n, { wants })
    assert.equal(await next(), CONNECTED)
    feed.whenWaiting(2, () => assert.fail('One that is wanted waits'))
    append(1n)
    appendOther(2n)
    appendOther(3n)
    await nextTurn()
    assert.deepEqual([await next(), decoded()], [[[1], 3], 0])
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

  it('gives what there was, and ends, when the hub has missed revisions', async () => {
    const { ring, feed, append } = setUp()
    const next = read(feed, 1n)
    assert.equal(await next(), CONNECTED)
    append(1n, 2n)
    feed.connected(false)
    feed.lost(false)
    ring.reset(50n)
    append(50n)
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

  it('ends at the signal, also while its reader waits', async () => {
    const { feed } = setUp()
    const stop = new AbortController()
    const next = read(feed, 1n, { signal: stop.signal })
    assert.equal(await next(), CONNECTED)
    const coming = next()
    stop.abort()
    assert.equal(await coming, 'end')
  })
})
