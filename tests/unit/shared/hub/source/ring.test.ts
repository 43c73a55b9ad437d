import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { prefixRange, toText } from '#shared/bytes/bytes.ts'
import { readChunk } from '#shared/hub/source/chunk.ts'
import { createDecoder, type Decoder } from '#shared/hub/source/decode.ts'
import { frameOf, type Entry } from '#shared/hub/source/entry.ts'
import { createHistoryPages } from '#shared/hub/source/history_pages.ts'
import { CHUNK_BYTES, TURN_BYTES } from '#shared/hub/source/limits.ts'
import { createRing } from '#shared/hub/source/ring.ts'
import { silentLogger } from '#shared/logger.ts'
import { countingEncoding, decode, entryOf, putEvent } from '../hub_support.ts'

const MATCHER = { kind: 'notifications', event: 'a', predicates: [] } as const
/** A decoder, and how often it was used. */
function counting(decode: Decoder): { readonly decode: Decoder; count: number } {
  const counted = {
    count: 0,
    decode: (...args: Parameters<Decoder>) => {
      counted.count++
      return decode(...args)
    },
  }
  return counted
}

/** Events with their bytes as text, because the views have different memory. */
const shown = (events: Entry['events']) =>
  events.map(({ kind, kv }) => ({ kind, ...kv, key: toText(kv.key), value: toText(kv.value) }))

const one = (revision: bigint) => entryOf(revision, ['a', { name: 'n' }])

describe('createRing()', () => {
  it('keeps the newest within its bytes, and says from where on it is complete', () => {
    const ring = createRing(10_000, 5n, decode)
    assert.deepEqual([ring.floor, ring.through, ring.end - ring.start], [5n, 4n, 0])
    for (let revision = 5n; revision <= 1_000n; revision += 5n) ring.append(one(revision))
    assert.ok(ring.bytes <= 10_000 && ring.end - ring.start >= 5)
    assert.equal(ring.through, 1_000n)
    const oldest = ring.at(ring.start)
    // Nothing lies between the entry that was dropped last and the oldest one kept.
    assert.equal(ring.floor, (oldest?.revision ?? 0n) - 4n)
    assert.equal(ring.at(ring.start - 1), undefined)
    assert.equal(ring.at(ring.end), undefined)
    assert.equal(ring.at(ring.find(998n))?.revision, 1_000n)
    assert.equal(ring.find(1_001n), ring.end)
  })

  it('never drops its newest entry, however large', () => {
    const ring = createRing(1, 1n, decode)
    ring.append(one(1n))
    ring.append(one(2n))
    assert.deepEqual([ring.end - ring.start, ring.floor, ring.at(ring.start)?.revision], [1, 2n, 2n])
  })

  it('decodes what is asked for, and keeps that for a while, with its frames', () => {
    const counted = counting(decode)
    const ring = createRing(100_000, 1n, counted.decode)
    for (let revision = 1n; revision <= 20n; revision++) ring.append(one(revision))
    const packed = ring.bytes
    assert.equal(counted.count, 0)
    const encoding = countingEncoding(1_000)
    const readAll = (): void => {
      for (let position = ring.start; position < ring.end; position++) {
        const entry = ring.at(position)
        if (entry !== undefined) frameOf(entry, 0, encoding)
      }
    }
    for (let time = 0; time < 2; time++) readAll()
    assert.deepEqual([counted.count, encoding.made], [20, 20])
    assert.ok(ring.bytes > packed + 20_000)
    // What comes while there are readers need not be decoded for them.
    ring.append(one(21n))
    assert.equal(ring.at(ring.find(21n))?.revision, 21n)
    assert.equal(counted.count, 20)
    for (let sweep = 0; sweep < 10; sweep++) ring.sweep()
    assert.ok(ring.bytes < packed + 1_000)
    readAll()
    assert.deepEqual([counted.count, encoding.made], [41, 41])
  })

  it('lets go of what is decoded, and not of revisions, when frames are too much', () => {
    const ring = createRing(100_000, 1n, decode)
    for (let revision = 1n; revision <= 20n; revision++) ring.append(one(revision))
    const encoding = countingEncoding(10_000)
    const entries = Array.from({ length: 20 }, (_, index) => ring.at(ring.start + index))
    for (const entry of entries) if (entry !== undefined) frameOf(entry, 0, encoding)
    assert.ok(ring.bytes > 200_000)
    ring.sweep()
    assert.ok(ring.bytes <= 100_000)
    assert.deepEqual([ring.end - ring.start, ring.floor], [20, 1n])
    // An entry that was let go counts no more, also when frames are made of it later.
    ring.reset(50n)
    for (const entry of entries) if (entry !== undefined) frameOf(entry, 0, countingEncoding(10, 'other'))
    assert.deepEqual([ring.bytes, ring.floor, ring.through], [0, 50n, 49n])
  })

  it('has every entry as it was', () => {
    const deletion = { kind: 'delete', kv: { ...putEvent('/a/gone', 3n).kv, version: 0n } } as const
    const leased = putEvent('/a/x', 3n)
    const events = [
      deletion,
      { kind: 'put', kv: { ...leased.kv, version: 4n, lease: 2n ** 62n + 1n } } as const,
    ]
    const relayed = [putEvent('/_aviso/journal/a', 3n, 'no journal')]
    const plain = createDecoder({
      schemas: {
        decodeKey: (key) => ({ event: 'a', request: { name: key.slice('/a/'.length) } }),
      },
      roots: ['/a/'],
      logger: silentLogger,
    })
    const entry = plain(3n, [...relayed, ...events])
    const notifications = entry.notifications.map(
      (notification) => notification && { ...notification, precedingSequence: 7n },
    )
    // So large that blocks have room for many, and revisions that are far apart.
    const ring = createRing(10_000_000, 1n, plain)
    const entries = [entry, { ...entry, revision: 2n ** 60n, notifications }, plain(2n ** 61n, [])]
    entries.forEach(ring.append)
    for (const { bytes: _bytes, account: _account, frames: _frames, ...known } of entries) {
      const { events, relayed, ...rest } = ring.at(ring.find(known.revision)) ?? entry
      assert.deepEqual([shown(events), shown(relayed)], [shown(known.events), shown(known.relayed)])
      const found = rest.notifications.map((one) => one && { ...one, value: toText(one.value) })
      const revised = known.notifications.map(
        (one) => one && { ...one, revision: known.revision, value: toText(one.value) },
      )
      assert.deepEqual([rest.revision, found], [known.revision, revised])
    }
  })

  it('tells the events in a range, and decodes nothing for that', () => {
    const counted = counting(decode)
    const ring = createRing(10_000_000, 1n, counted.decode)
    ring.append(entryOf(1n, ['a', { name: '1' }], ['b', { name: '2' }], ['a', { name: '3' }]))
    ring.append(one(2n))
    const namesIn = (position: number, prefix: string): readonly string[] =>
      ring.eventsIn(position, prefixRange(prefix)).map(({ kv }) => toText(kv.key))
    assert.deepEqual(namesIn(ring.start, '/a/'), ['/a/1', '/a/3'])
    assert.deepEqual(namesIn(ring.start + 1, '/b/'), [])
    assert.deepEqual(namesIn(ring.end, '/'), [])
    assert.deepEqual(namesIn(ring.start - 1, '/'), [])
    assert.equal(counted.count, 0)
  })

  it('moves on without entries', () => {
    const ring = createRing(1_000, 1n, decode)
    ring.advance(7n)
    ring.advance(3n)
    assert.deepEqual([ring.floor, ring.through], [1n, 7n])
  })
})

describe('readChunk()', () => {
  it('joins frames up to its bound, and goes on where it stopped', () => {
    const ring = createRing(10_000_000, 1n, decode)
    ring.append(entryOf(1n, ['a', { n: '0' }], ['b', { n: '1' }], ['a', { n: '2' }], ['a', { n: '3' }]))
    ring.append(one(3n))
    ring.advance(5n)
    const encoding = countingEncoding(CHUNK_BYTES / 2)
    const reading = { matcher: MATCHER, encoding }
    const first = readChunk(ring, { next: 1n, index: 0 }, reading)
    assert.deepEqual([first.bytes?.length, first.next, first.index, first.isFull], [CHUNK_BYTES, 1n, 3, true])
    const second = readChunk(ring, first, reading)
    assert.deepEqual([second.bytes?.[0], second.bytes?.at(-1)], [13, 30])
    assert.deepEqual([second.next, second.index, second.isFull], [6n, 0, false])
    assert.equal(readChunk(ring, second, reading).bytes, undefined)
  })

  it('stops at the last revision asked for', () => {
    const ring = createRing(10_000_000, 1n, decode)
    for (let revision = 1n; revision <= 5n; revision++) ring.append(one(revision))
    const chunk = readChunk(
      ring,
      { next: 2n, index: 0 },
      { matcher: MATCHER, encoding: countingEncoding(1), last: 3n },
    )
    assert.deepEqual([[...(chunk.bytes ?? [])], chunk.next], [[20, 30], 4n])
  })

  it('stops where it has looked at so much that others should have their turn', () => {
    const ring = createRing(100_000_000, 1n, decode)
    let bytes = 0
    let revision = 0n
    while (bytes < 1.5 * TURN_BYTES) {
      const entry = one(++revision)
      bytes += entry.bytes
      ring.append(entry)
    }
    const reading = { matcher: { ...MATCHER, event: 'other' }, encoding: countingEncoding(1) }
    const first = readChunk(ring, { next: 1n, index: 0 }, reading)
    assert.deepEqual([first.bytes, first.isCut, first.isFull, first.index], [undefined, true, false, 0])
    assert.ok(first.next > revision / 2n && first.next < revision)
    const second = readChunk(ring, first, reading)
    assert.deepEqual([second.bytes, second.isCut, second.next], [undefined, false, revision + 1n])
  })

  it('shares a frame that stands alone', () => {
    const ring = createRing(10_000_000, 1n, decode)
    ring.append(one(1n))
    const reading = { matcher: MATCHER, encoding: countingEncoding(3 * CHUNK_BYTES) }
    const [first, second] = [1, 2].map(() => readChunk(ring, { next: 1n, index: 0 }, reading))
    assert.ok(first?.bytes !== undefined && first.bytes === second?.bytes)
  })

  it('shares frames that lie one behind the other in memory, and joins those that do not', () => {
    const memory = Uint8Array.from({ length: 20 }, (_, index) => index)
    // Where the frames of the revisions 1 to 4 lie: there is a gap before the third, and the fourth lies before them.
    const places = [
      [4, 6],
      [6, 9],
      [10, 12],
      [0, 1],
    ]
    const ring = createRing(10_000_000, 1n, decode)
    for (let revision = 1n; revision <= 4n; revision++) ring.append(one(revision))
    const encoding = {
      key: 'placed',
      encode: ({ revision }: Entry) => memory.subarray(...(places[Number(revision) - 1] ?? [])),
    }
    const read = (last: bigint) =>
      readChunk(ring, { next: 1n, index: 0 }, { matcher: MATCHER, encoding, last }).bytes
    assert.deepEqual([...(read(2n) ?? [])], [4, 5, 6, 7, 8])
    assert.equal(read(2n)?.buffer, memory.buffer)
    assert.deepEqual([...(read(4n) ?? [])], [4, 5, 6, 7, 8, 10, 11, 0])
  })
})

describe('createHistoryPages()', () => {
  it('finds the page that holds a revision, and nothing beyond', () => {
    const pages = createHistoryPages(() => 1_000_000)
    pages.add(10n, 19n, [one(12n)])
    pages.add(20n, 29n, [one(22n)])
    pages.add(40n, 49n, [])
    assert.deepEqual(
      [9n, 10n, 19n, 20n, 30n, 40n, 49n, 50n].map((revision) => pages.find(revision)?.from),
      [undefined, 10n, 10n, 20n, undefined, 40n, 40n, undefined],
    )
    assert.equal(pages.find(20n)?.at(0)?.revision, 22n)
  })

  it('keeps no page within another', () => {
    const pages = createHistoryPages(() => 1_000_000)
    pages.add(10n, 19n, [])
    pages.add(12n, 15n, [])
    pages.add(30n, 35n, [])
    pages.add(18n, 40n, [])
    pages.add(50n, 60n, [])
    assert.deepEqual(
      [13n, 19n, 31n, 41n, 55n].map((revision) => pages.find(revision)?.from),
      [10n, 18n, 18n, undefined, 50n],
    )
  })

  it('drops what was used least recently', () => {
    const pages = createHistoryPages(() => 6_000)
    pages.add(1n, 9n, [one(1n)])
    pages.add(10n, 19n, [one(11n)])
    pages.find(5n)
    for (let from = 20n; from < 50n; from += 10n) {
      pages.add(from, from + 9n, [one(from)])
      assert.ok(pages.find(5n) !== undefined)
    }
    assert.equal(pages.find(11n), undefined)
    assert.equal(pages.find(45n)?.from, 40n)
  })

  it('drops more when there may be less', () => {
    let most = 6_000
    const pages = createHistoryPages(() => most)
    pages.add(1n, 9n, [one(1n)])
    pages.add(10n, 19n, [one(11n)])
    assert.ok(pages.find(1n) !== undefined)
    most = 1
    pages.trim()
    assert.deepEqual([pages.find(1n)?.from, pages.find(11n)], [1n, undefined])
  })
})
