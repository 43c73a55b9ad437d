import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { END_OF_KEYS, isInRange } from '#shared/bytes/bytes.ts'
import { parsePolygon } from '#shared/geometry/parse.ts'
import type { FieldCondition } from '#shared/notification/notification.ts'
import type { Selection } from '#shared/hub/hub.ts'
import { commonBeginning, createRangeIndex } from '#shared/hub/range_index.ts'
import { createMatcher } from '#shared/hub/selection.ts'
import { nextMatch, type Matcher } from '#shared/hub/source/matcher.ts'
import { createSubscriptionIndex } from '#shared/hub/subscription_index.ts'
import { entryOf } from './hub_support.ts'

/** Few names and values, so that everything meets everything. */
const EVENTS = ['a', 'b'] as const
const FIELDS = ['x', 'y', 'z'] as const
const VALUES = ['0', '1', '2', '3'] as const

const condition: fc.Arbitrary<FieldCondition> = fc.oneof(
  fc.subarray([...VALUES]).map((values): FieldCondition => ({ kind: 'in', values: new Set(values) })),
  fc
    .constantFrom(...VALUES)
    .map((least): FieldCondition => ({ kind: 'test', test: (value) => value >= least })),
)
/** A square with its lower left corner at a small place. */
const square = fc.tuple(fc.nat(8), fc.nat(8), fc.integer({ min: 1, max: 3 })).map(([lat, lon, side]) =>
  parsePolygon([
    [lat, lon],
    [lat, lon + side],
    [lat + side, lon + side],
    [lat + side, lon],
    [lat, lon],
  ]),
)
const place: fc.Arbitrary<FieldCondition> = square.map(({ shape, json: text }): FieldCondition => ({
  kind: 'meets',
  stored: 'polygon',
  shape,
  text,
}))
const filter: fc.Arbitrary<Selection> = fc
  .tuple(
    fc.constantFrom(...EVENTS),
    fc.uniqueArray(fc.tuple(fc.constantFrom(...FIELDS), condition), { selector: ([field]) => field }),
    fc.option(place),
  )
  .map(([event, conditions, asked]) => ({
    kind: 'notifications',
    filter: {
      event,
      conditions: new Map<string, FieldCondition>(
        asked === null ? conditions : [...conditions, ['polygon', asked]],
      ),
    },
  }))
const bytes = fc
  .array(fc.constantFrom(0x2f, 0x30, 0x61, 0x62, 0xff), { maxLength: 5 })
  .map((list) => Uint8Array.from(list))
const range = fc
  .tuple(bytes, fc.option(fc.oneof(bytes, fc.constant(END_OF_KEYS)), { nil: undefined }))
  .map(([key, end]) => (end === undefined ? { key } : { key, end }))
const ranges: fc.Arbitrary<Selection> = fc
  .array(range, { maxLength: 3 })
  .map((list) => ({ kind: 'ranges', ranges: list }))
const polygon = fc.oneof(
  { weight: 9, arbitrary: square.map(({ json }) => json) },
  { weight: 1, arbitrary: fc.constant('no geometry') },
)
const values = fc.record(Object.fromEntries(FIELDS.map((field) => [field, fc.constantFrom(...VALUES)])), {
  requiredKeys: ['x'],
})
const request = fc
  .tuple(values, fc.record({ polygon }, { requiredKeys: [] }))
  .map((both) => ({ ...both[0], ...both[1] }))
const notified = fc.array(fc.tuple(fc.constantFrom(...EVENTS), request), { maxLength: 4 })

interface Item {
  readonly matcher: Matcher
}

/** What an item takes of an entry, found without an index. */
function placesOf({ matcher }: Item, entry: ReturnType<typeof entryOf>): number[] {
  const places: number[] = []
  for (let at = nextMatch(matcher, entry, 0); at >= 0; at = nextMatch(matcher, entry, at + 1)) places.push(at)
  return places
}

describe('createSubscriptionIndex()', () => {
  it('finds what brute force finds, whatever was added and removed', () => {
    const selections = fc.array(fc.tuple(fc.oneof(filter, ranges), fc.boolean()), { maxLength: 30 })
    const property = fc.property(selections, fc.array(notified, { maxLength: 5 }), (wanted, revisions) => {
      const index = createSubscriptionIndex<Item>()
      const items = wanted.map(([selection, isLeft]) => ({ matcher: createMatcher(selection), isLeft }))
      for (const item of items) index.add(item)
      for (const item of items) if (item.isLeft) index.remove(item)
      for (const [place, list] of revisions.entries()) {
        const entry = entryOf(BigInt(place + 1), ...(list as [string, Record<string, string>][]))
        const found = new Map<Item, number[]>()
        index.visit(entry, (item, at) => found.set(item, [...(found.get(item) ?? []), at]))
        for (const item of items)
          assert.deepEqual(found.get(item) ?? [], item.isLeft ? [] : placesOf(item, entry))
      }
    })
    fc.assert(property, { numRuns: 300 })
  })

  it('looks at few of many filters that have all but one field in common', () => {
    const index = createSubscriptionIndex<Item>()
    let tests = 0
    const counted: FieldCondition = { kind: 'test', test: () => ++tests > 0 }
    for (let count = 0; count < 1_000; count++) {
      const conditions = new Map<string, FieldCondition>([
        ['class', { kind: 'in', values: new Set(['od']) }],
        ['destination', { kind: 'in', values: new Set([`D${count}`]) }],
        ['step', counted],
      ])
      index.add({ matcher: createMatcher({ kind: 'notifications', filter: { event: 'a', conditions } }) })
    }
    let hits = 0
    const entry = entryOf(1n, ['a', { class: 'od', destination: 'D500', step: '1' }])
    index.visit(entry, () => hits++)
    assert.equal(hits, 1)
    assert.ok(tests <= 2, `${tests} of 1,000 filters were looked at`)
  })

  it('looks at few of many places that share all values', () => {
    const index = createSubscriptionIndex<Item>()
    let tests = 0
    const counted: FieldCondition = { kind: 'test', test: () => ++tests > 0 }
    const items = Array.from({ length: 1_000 }, (_, count) => {
      const [lat, lon] = [Math.floor(count / 40), count % 40]
      const corners = [
        [lat, lon],
        [lat, lon + 0.5],
        [lat + 0.5, lon],
        [lat, lon],
      ]
      const { shape, json: text } = parsePolygon(corners)
      const conditions = new Map<string, FieldCondition>([
        ['class', { kind: 'in', values: new Set(['od']) }],
        ['step', counted],
        ['polygon', { kind: 'meets', stored: 'polygon', shape, text }],
      ])
      return { matcher: createMatcher({ kind: 'notifications', filter: { event: 'a', conditions } }) }
    })
    for (const item of items) index.add(item)
    let hits = 0
    const polygon = '[[10.1,10.1],[10.1,11.1],[10.2,10.1],[10.1,10.1]]'
    const entry = entryOf(1n, ['a', { class: 'od', polygon, step: '1' }])
    index.visit(entry, () => hits++)
    assert.equal(hits, 2)
    assert.ok(tests <= 20, `${tests} of 1,000 filters were looked at`)
    for (const item of items) index.remove(item)
    index.visit(entry, () => assert.fail('removed'))
  })
})

describe('createRangeIndex()', () => {
  it('never misses a range that holds a key', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 10 }), bytes, (list, key) => {
        const index = createRangeIndex<number>()
        for (const [place, one] of list.entries()) index.add(place, [one])
        const found = new Set(index.find(key))
        for (const [place, one] of list.entries()) if (isInRange(key, one)) assert.ok(found.has(place))
        for (const [place, one] of list.entries()) index.remove(place, [one])
        assert.ok(index.isEmpty() && [...index.find(key)].length === 0)
      }),
    )
  })

  it('files a prefix under all of it', () => {
    const at = (key: string, end?: string): string =>
      String.fromCharCode(
        ...commonBeginning({
          key: Uint8Array.from(key, (text) => text.charCodeAt(0)),
          ...(end !== undefined && { end: Uint8Array.from(end, (text) => text.charCodeAt(0)) }),
        }),
      )
    assert.equal(at('/ec/diss/FOO/', '/ec/diss/FOO0'), '/ec/diss/FOO/')
    assert.equal(at('/ec/diss/FOO/'), '/ec/diss/FOO/')
    assert.equal(at('/ec/a', '/ec/c'), '/ec/')
    assert.equal(at('/ec/a\xff', '/ec/b'), '/ec/a')
    assert.equal(at('/ec/', '\0'), '')
  })
})
