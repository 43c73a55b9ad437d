import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'

import { normalise, toInterval, type IntervalSet } from '#shared/access/interval.ts'
import { INTERNAL_PREFIX } from '#shared/journal/journal.ts'
import { decideAccess, mayNarrow } from '#shared/access/policy/decision.ts'
import { END_OF_KEYS, isInRange, prefixEnd, prefixRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import type { KeyRange } from '#shared/store/store.ts'

/**
 * Every key of up to four letters over an alphabet that has what matters: the slash, the byte before and behind it, and both ends of the
 * bytes; and some of the service's own.
 */
const LETTERS = [0x00, 0x2e, 0x2f, 0x30, 0xff]
const UNIVERSE: readonly Uint8Array[] = [
  ...words(4),
  ...['/_aviso/', '/_aviso/journal/x', '/_aviso', '/_aviso0', '/_avisoz', '/_aviso/\u0000'].map(toBytes),
]

function words(most: number): Uint8Array[] {
  let longest: number[][] = [[]]
  const all: number[][] = []
  for (let length = 1; length <= most; length++) {
    longest = longest.flatMap((word) => LETTERS.map((letter) => [...word, letter]))
    all.push(...longest)
  }
  return all.map((word) => Uint8Array.from(word))
}

const word = fc
  .array(fc.constantFrom(...LETTERS), { minLength: 1, maxLength: 4 })
  .map((bytes) => Uint8Array.from(bytes))
const ownKey = fc.constantFrom('/_aviso/', '/_aviso/journal/x', '/_avisoz', '/_aviso').map(toBytes)
const key = fc.oneof({ weight: 5, arbitrary: word }, ownKey)

/** Single keys, half-open ranges of any ends, "from here on", and prefixes. */
const range: fc.Arbitrary<KeyRange> = fc.oneof(
  key.map((start) => ({ key: start })),
  fc.tuple(key, key).map(([start, end]) => ({ key: start, end })),
  key.map((start) => ({ key: start, end: END_OF_KEYS })),
  key.map((start) => ({ key: start, end: prefixEnd(start) })),
  fc.constant({ key: new Uint8Array([0]), end: END_OF_KEYS }),
)
/** What rules grant: prefixes that end at a slash. */
const grant = fc.array(fc.constantFrom(...LETTERS), { maxLength: 3 }).map((bytes) => {
  const prefix = Uint8Array.from([...bytes, 0x2f])
  return { key: prefix, end: prefixEnd(prefix) }
})

const setOf = (ranges: readonly KeyRange[]): IntervalSet => normalise(ranges.map(toInterval))
const isInside = (ranges: readonly KeyRange[], candidate: Uint8Array): boolean =>
  ranges.some((each) => isInRange(candidate, each))
const isInternal = (candidate: Uint8Array): boolean => toText(candidate).startsWith(INTERNAL_PREFIX)
const show = (bytes: readonly Uint8Array[]): string => bytes.map((each) => [...each].join('.')).join(' ')

describe('decideAccess()', () => {
  it('shows exactly the keys that are asked for, granted, and not the service’s own', () => {
    const many = fc.array(range, { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(many, fc.array(fc.oneof(grant, range), { maxLength: 4 }), (requested, granted) => {
        const decision = decideAccess(setOf(requested), setOf(granted))
        const effective = decision.kind === 'refused' ? [] : decision.effective
        const shown = UNIVERSE.filter((each) => isInSet(effective, each))
        const wanted = UNIVERSE.filter((each) => isInside(requested, each) && !isInternal(each))
        const right = wanted.filter((each) => isInside(granted, each))
        assert.equal(show(shown), show(right))
        // The universe is a sample of the keys: what it holds must not be missing, what it lacks may be.
        if (decision.kind === 'whole') assert.equal(right.length, wanted.length)
        if (right.length > 0) assert.notEqual(decision.kind, 'refused')
      }),
      { numRuns: 3000 },
    )
  })

  it('refuses no range whose every key is granted', () => {
    fc.assert(
      fc.property(fc.array(grant, { minLength: 1, maxLength: 4 }), fc.nat(3), (granted, index) => {
        const requested = granted.slice(index % granted.length, (index % granted.length) + 1)
        assert.equal(decideAccess(setOf(requested), setOf(granted)).kind, 'whole')
      }),
    )
  })

  it('shows no less for a further grant, and no more for a withdrawn one', () => {
    fc.assert(
      fc.property(range, fc.array(grant, { maxLength: 3 }), grant, (requested, granted, further) => {
        const keysOf = (grants: readonly KeyRange[]): Set<string> => {
          const decision = decideAccess(setOf([requested]), setOf(grants))
          const effective = decision.kind === 'refused' ? [] : decision.effective
          return new Set(UNIVERSE.filter((each) => isInSet(effective, each)).map((each) => each.join()))
        }
        const before = keysOf(granted)
        const after = keysOf([...granted, further])
        assert.ok([...before].every((each) => after.has(each)))
      }),
      { numRuns: 500 },
    )
  })

  it('counts a range across the service’s own keys as whole where everything else is granted', () => {
    const everything = setOf([{ key: new Uint8Array([0]), end: END_OF_KEYS }])
    const decision = decideAccess(everything, everything)
    assert.equal(decision.kind, 'whole')
    assert.ok(decision.kind === 'whole' && !isInSet(decision.effective, toBytes('/_aviso/epoch')))
    assert.equal(decideAccess(setOf([prefixRange('/_aviso/')]), everything).kind, 'refused')
  })
})

describe('mayNarrow()', () => {
  const granted = setOf([prefixRange('/ec/diss/FOO/'), prefixRange('/ec/mars/')])
  const prefix = (text: string): KeyRange => prefixRange(text)

  it('takes a 1.x prefix of what is granted, with or without its slash', () => {
    for (const text of ['/ec/diss/FOO', '/ec/diss/FOO/', '/ec/diss/FOO/d=1', '/ec/mars']) {
      assert.ok(mayNarrow(prefix(text), granted), text)
    }
  })

  it('takes nothing that was made to reach too far', () => {
    const wide: readonly KeyRange[] = [
      { key: toBytes('/ec/diss/FOO'), end: toBytes('/zz') },
      { key: toBytes('/ec/diss/FOO/'), end: END_OF_KEYS },
      { key: toBytes('/ec/diss/FOO/'), end: new Uint8Array([0xff]) },
      { key: toBytes('/ec/diss/FOO/'), end: toBytes('/ec/diss/FOOBAR0') },
      { key: new Uint8Array([0]), end: END_OF_KEYS },
      { key: toBytes('/ec/diss/FOO') },
      ...[
        '/',
        '/ec',
        '/ec/',
        '/ec/diss',
        '/ec/diss/',
        '/ec/diss/F',
        '/ec/diss/FOOBAR',
        '/ec/diss/foo',
        '/ec/mar',
      ].map(prefix),
    ]
    for (const each of wide)
      assert.ok(!mayNarrow(each, granted), `${toText(each.key)} ${toText(each.end ?? toBytes(''))}`)
  })
})

function isInSet(set: IntervalSet, candidate: Uint8Array): boolean {
  return set.some(({ start, end }) => isInRange(candidate, { key: start, end: end ?? END_OF_KEYS }))
}
