import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'

import { compareBytes, END_OF_KEYS, isInRange, toBytes } from '#shared/bytes/bytes.ts'
import type { KeyRange } from '#shared/store/store.ts'
import {
  ALL_KEYS,
  contains,
  covers,
  intersect,
  isEmptyInterval,
  normalise,
  subtract,
  toInterval,
  toKeyRange,
  type IntervalSet,
} from '#shared/access/interval.ts'

/** Few byte values and short keys, so that generated bounds meet, touch and nest all the time. */
const ALPHABET = [0, 1, 0x2f, 0xff] as const
const byteString = fc
  .array(fc.constantFrom(...ALPHABET), { maxLength: 3 })
  .map((bytes) => Uint8Array.from(bytes))
const keyRange: fc.Arbitrary<KeyRange> = fc
  .tuple(byteString, fc.option(fc.oneof(byteString, fc.constant(END_OF_KEYS)), { nil: undefined }))
  .map(([key, end]) => (end === undefined ? { key } : { key, end }))
const ranges = fc.array(keyRange, { maxLength: 5 })

/** All keys of up to four bytes over the alphabet: enough to separate any two bounds of up to three bytes. */
const universe: readonly Uint8Array[] = (() => {
  let layer: number[][] = [[]]
  const all: number[][] = [[]]
  for (let length = 0; length < 4; length++) {
    layer = layer.flatMap((prefix) => ALPHABET.map((byte) => [...prefix, byte]))
    all.push(...layer)
  }
  return all.map((bytes) => Uint8Array.from(bytes))
})()

const inAny = (list: readonly KeyRange[], key: Uint8Array): boolean =>
  list.some((range) => isInRange(key, range))
const toSet = (list: readonly KeyRange[]): IntervalSet => normalise(list.map(toInterval))

function assertMembers(set: IntervalSet, expected: (key: Uint8Array) => boolean): void {
  for (const key of universe) assert.equal(contains(set, key), expected(key), `key [${key.join()}]`)
}

function assertNormal(set: IntervalSet): void {
  for (const [index, interval] of set.entries()) {
    assert.ok(!isEmptyInterval(interval))
    const next = set[index + 1]
    if (next === undefined) continue
    assert.ok(interval.end !== undefined && compareBytes(interval.end, next.start) < 0)
  }
}

describe('normalise()', () => {
  it('holds exactly the keys of its intervals, sorted and apart', () => {
    fc.assert(
      fc.property(ranges, (list) => {
        assertNormal(toSet(list))
        assertMembers(toSet(list), (key) => inAny(list, key))
      }),
    )
  })
})

describe('intersect()', () => {
  it('holds exactly the keys of both sets', () => {
    fc.assert(
      fc.property(ranges, ranges, (a, b) => {
        const both = intersect(toSet(a), toSet(b))
        assertNormal(both)
        assertMembers(both, (key) => inAny(a, key) && inAny(b, key))
      }),
    )
  })
})

describe('subtract()', () => {
  it('holds exactly the keys of the first set that the second lacks', () => {
    fc.assert(
      fc.property(ranges, ranges, (a, b) => {
        const rest = subtract(toSet(a), toSet(b))
        assertNormal(rest)
        assertMembers(rest, (key) => inAny(a, key) && !inAny(b, key))
      }),
    )
  })

  it('leaves nothing of a set without itself and all of it without nothing', () => {
    assert.deepEqual(subtract(ALL_KEYS, ALL_KEYS), [])
    assert.deepEqual(subtract(ALL_KEYS, []), ALL_KEYS)
  })
})

describe('covers()', () => {
  it('agrees with membership', () => {
    fc.assert(
      fc.property(ranges, ranges, (a, b) => {
        const expected = universe.every((key) => !inAny(b, key) || inAny(a, key))
        assert.equal(covers(toSet(a), toSet(b)), expected)
      }),
    )
  })
})

describe('toKeyRange()', () => {
  it('is the inverse of toInterval()', () => {
    fc.assert(
      fc.property(keyRange, (range) => {
        const interval = toInterval(range)
        fc.pre(!isEmptyInterval(interval))
        for (const key of universe) {
          assert.equal(isInRange(key, toKeyRange(interval)), isInRange(key, range))
        }
      }),
    )
  })

  it('turns an interval of one key into a point', () => {
    const key = toBytes('/ec/mars/')
    assert.deepEqual(toKeyRange(toInterval({ key })), { key })
  })
})
