import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodeJournal } from '#shared/journal/codec.ts'
import { journalKey } from '#shared/journal/journal.ts'
import { compareBytes, isInRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import type { StoreEvent } from '#shared/store/store.ts'
import { silentLogger } from '#shared/logger.ts'
import { createDecoder, hullOf } from '#shared/hub/source/decode.ts'
import { putEvent } from '../hub_support.ts'

const schemas = {
  decodeKey: (key: string) => {
    const [, event, name] = /^\/t\/(\w+)\/(\w+)$/.exec(key) ?? []
    return event === undefined || name === undefined ? undefined : { event, request: { name } }
  },
}

function journal(event: string, ...keys: readonly string[]): StoreEvent {
  return journalAt(0, event, ...keys)
}

/** The journal of an event type behind others in its revision. */
function journalAt(place: number, event: string, ...keys: readonly string[]): StoreEvent {
  const events = keys.map((key, index) => ({
    key,
    seq: 7 + index,
    id: `id ${index}`,
    source: 'source',
    hash: '0123456789abcdef',
    ...(index === 0 && { time: '2026-08-10T00:00:00Z', traceparent: '00-ab' }),
  }))
  const batch = { batch: 'b', at: '2026-08-10T12:00:00.000Z', prev: '4', first_seq: 7, events, place }
  const put = putEvent(journalKey(event), 5n)
  return { ...put, kv: { ...put.kv, value: encodeJournal(batch) } }
}

describe('createDecoder()', () => {
  const decode = createDecoder({ schemas, roots: ['/t/'], logger: silentLogger })

  it('joins notifications with the journal of their revision, whatever the order', () => {
    const events = [
      putEvent('/t/a/one', 5n),
      journal('a', '/t/a/one', '/t/a/two'),
      putEvent('/t/a/', 5n),
      putEvent('/t/a/two', 5n),
      putEvent('/elsewhere', 5n),
      putEvent('/t/b/foreign', 5n),
    ]
    const entry = decode(5n, events)
    assert.deepEqual(
      entry.events.map(({ kv }) => toText(kv.key)),
      ['/t/a/one', '/t/a/', '/t/a/two', '/t/b/foreign'],
    )
    const common = { revision: 5n, source: 'source', committedAt: '2026-08-10T12:00:00.000Z' }
    assert.deepEqual(
      entry.notifications
        .flatMap((notification) => notification ?? [])
        .map(({ value, key, ...rest }) => ({
          ...rest,
          key: key + toText(value).slice(0, 0),
        })),
      [
        {
          ...common,
          index: 0,
          event: 'a',
          request: { name: 'one' },
          sequence: 7n,
          id: 'id 0',
          time: '2026-08-10T00:00:00Z',
          traceparent: '00-ab',
          key: '/t/a/one',
        },
        {
          ...common,
          index: 1,
          event: 'a',
          request: { name: 'two' },
          sequence: 8n,
          id: 'id 1',
          key: '/t/a/two',
        },
        { revision: 5n, index: 2, event: 'b', request: { name: 'foreign' }, key: '/t/b/foreign' },
      ],
    )
  })

  it('joins what the key does not hold, and counts its memory', () => {
    const sized = (text: string): ReturnType<typeof decode> => {
      const put = putEvent(journalKey('a'), 5n)
      const common = { key: '/t/a/one', seq: 7, id: 'i', source: 's', hash: '0' }
      const events = [{ ...common, payload: 'empty' as const, fields: { polygon: text } }]
      const batch = { batch: 'b', at: '2026-08-10T12:00:00.000Z', prev: '4', first_seq: 7, events }
      const kv = { ...put.kv, value: encodeJournal(batch) }
      return decode(5n, [putEvent('/t/a/one', 5n), { ...put, kv }])
    }
    const [notification] = sized('[[1,2]]').notifications
    assert.deepEqual(notification?.request, { name: 'one', polygon: '[[1,2]]' })
    assert.deepEqual(notification?.unkeyed, { polygon: '[[1,2]]' })
    assert.equal(notification?.payloadKind, 'empty')
    const more = sized('x'.repeat(10_000)).bytes - sized('').bytes
    assert.ok(more >= 20_000, `${more} bytes: once in the journal, once in the notification`)
  })

  it('takes no number from the journal of another event type, and none from one it cannot read', () => {
    const logged: string[] = []
    const logging = createDecoder({ schemas, roots: ['/t/'], logger: (level) => logged.push(level) })
    const other = logging(5n, [putEvent('/t/a/one', 5n), journal('b', '/t/a/one')])
    const broken = logging(5n, [putEvent('/t/a/one', 5n), putEvent(journalKey('a'), 5n, 'not JSON')])
    assert.deepEqual(
      [other.notifications[0]?.sequence, broken.notifications[0]?.sequence],
      [undefined, undefined],
    )
    assert.equal(broken.notifications.length, 1)
    assert.deepEqual(logged, ['error'])
  })

  it('keeps the place of what its store does not show', () => {
    const entry = decode(5n, [journal('a', '', '/t/a/two', ''), putEvent('/t/a/two', 5n)])
    assert.deepEqual(
      entry.notifications.map((notification) => [notification?.index, notification?.sequence]),
      [
        [undefined, undefined],
        [1, 8n],
      ],
    )
  })

  it('gives the same places to whoever sees all event types of a revision, and to whoever sees one', () => {
    const ofA = ['/t/a/one', '/t/a/two'].map((key) => putEvent(key, 5n))
    const ofB = ['/t/b/one', '/t/b/two'].map((key) => putEvent(key, 5n))
    const journalOfB = journalAt(2, 'b', '/t/b/one', '/t/b/two')
    const places = (events: readonly StoreEvent[]) =>
      decode(5n, events).notifications.map((known) => known && [known.index, known.key, known.id])
    const whole = [
      [0, '/t/a/one', 'id 0'],
      [1, '/t/a/two', 'id 1'],
      [2, '/t/b/one', 'id 0'],
      [3, '/t/b/two', 'id 1'],
    ]
    assert.deepEqual(places([...ofA, journal('a', '/t/a/one', '/t/a/two'), ...ofB, journalOfB]), whole)
    const hidden = [undefined, undefined]
    assert.deepEqual(places([journal('a', '', ''), ...ofB, journalOfB]), [...hidden, ...whole.slice(2)])
    assert.deepEqual(places([...ofB.slice(1), journalOfB]), [...hidden, undefined, ...whole.slice(3)])
  })

  it('keeps apart what another hub needs of our own keys, and drops the rest of them', () => {
    const keys = [
      '/_aviso/epoch',
      '/_aviso/removed/a',
      '/_aviso/waiting/a',
      '/_aviso/admin/history',
      '/_aviso/zz',
    ]
    const entry = createDecoder({ schemas, roots: ['/'], logger: silentLogger })(5n, [
      ...keys.map((key) => putEvent(key, 5n)),
      journal('a'),
      putEvent('/t/a/one', 5n),
    ])
    const names = (events: readonly StoreEvent[]): string[] => events.map(({ kv }) => toText(kv.key))
    assert.deepEqual(names(entry.relayed), ['/_aviso/epoch', '/_aviso/removed/a', journalKey('a')])
    assert.deepEqual(names(entry.events), ['/t/a/one'])
  })

  it('has no notification for a deletion, but its event', () => {
    const { kv } = putEvent('/t/a/one', 5n)
    const entry = decode(5n, [{ kind: 'delete', kv }])
    assert.deepEqual([entry.events.length, entry.notifications.length], [1, 0])
  })
})

describe('hullOf()', () => {
  it('holds the internal keys and every root, and little else', () => {
    const hull = hullOf(['/tmp/aviso/', '/ec/'])
    for (const key of ['/_aviso/journal/x', '/ec/a', '/tmp/aviso/z']) assert.ok(isInRange(toBytes(key), hull))
    for (const key of ['/_', '/tmp/aviso0', '/z']) assert.ok(!isInRange(toBytes(key), hull))
    assert.ok(compareBytes(hull.key, hull.end) < 0)
  })

  it('has no end where a root has none', () => {
    assert.deepEqual(hullOf(['\u00ff', '']).end, new Uint8Array([0]))
  })
})
