import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import fc from 'fast-check'

import { isAvisoError } from '#shared/errors.ts'
import {
  canStartWith,
  formatsOverlap,
  parseKeyFormat,
  readKey,
  writeKey,
} from '#shared/notification/key_format.ts'

describe('parseKeyFormat()', () => {
  for (const format of ['{a}{b}', '{}', '{0:>4}', '{a', 'a}', 'x\n{a}']) {
    it(`refuses ${JSON.stringify(format)}`, () => {
      assert.throws(
        () => parseKeyFormat(format),
        (error) => isAvisoError(error, 'ERR_CONFIG'),
      )
    })
  }
})

describe('readKey()', () => {
  const format = parseKeyFormat('/x/{a}/date={b},n={c}')

  it('reads the fewest characters, at least one', () => {
    assert.deepEqual(readKey(format, '/x/A/date=1,n=2,n=3', 3), ['A', '1', '2,n=3'])
    assert.deepEqual(readKey(format, '/x/A/date=,n=,n=3', 3), ['A', ',n=', '3'])
    assert.equal(readKey(format, '/x/A/date=1,n=', 3), undefined)
    assert.equal(readKey(format, '/x//date=1,n=2', 3), undefined)
    assert.equal(readKey(format, '/X/A/date=1,n=2', 3), undefined)
  })

  it('takes slashes only behind the segment fields', () => {
    assert.deepEqual(readKey(format, '/x/A/date=1/2,n=3/4', 1), ['A', '1/2', '3/4'])
    assert.equal(readKey(format, '/x/A/date=1/2,n=3', 3), undefined)
    assert.equal(readKey(format, '/x/A/B/date=1,n=3', 1), undefined)
  })

  it('reads formats that end in text', () => {
    assert.deepEqual(readKey(parseKeyFormat('/x/{a}.z'), '/x/a.z.z', 1), ['a.z'])
    assert.deepEqual(readKey(parseKeyFormat('/x/'), '/x/', 0), [])
    assert.equal(readKey(parseKeyFormat('/x/'), '/x/y', 0), undefined)
  })

  it('takes linear time on hostile keys', () => {
    const hostile = `/x/${'/date='.repeat(200_000)}`
    const started = performance.now()
    readKey(format, hostile, 0)
    readKey(parseKeyFormat('{a},{b},{c},{d};'), ','.repeat(1_000_000), 0)
    assert.ok(performance.now() - started < 2000)
  })
})

describe('formatsOverlap()', () => {
  for (const [a, b, expected] of [
    ['/a/{x}', '/a/{y}', true],
    ['/a/{x}', '/b/{y}', false],
    ['/a/{x}', '/a/{x}/{y}', false],
    ['/a/{x}', '/a/fixed', true],
    ['/a/{x}', '/a/', false],
    ['/a/{x}-{y}', '/a/{z}', true],
    ['/a/{x}.z', '/a/b{y}', true],
    ['/a/{x}.z', '/a/{y}.q', false],
    ['/a/date={x}', '/a/time={x}', false],
  ] as const) {
    it(`${a} and ${b}: ${String(expected)}`, () => {
      assert.equal(formatsOverlap(parseKeyFormat(a), parseKeyFormat(b)), expected)
      assert.equal(formatsOverlap(parseKeyFormat(b), parseKeyFormat(a)), expected)
    })
  }

  it('never denies a key that both formats read', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 3 })
    const format = fc
      .array(fc.oneof(text, fc.constantFrom('{x}', '{y}')), { maxLength: 5 })
      .map((parts) => parts.join(''))
      .filter((each) => !each.includes('}{') && each.split('{x}').length < 3 && each.split('{y}').length < 3)
    const value = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(format, format, value, value, (one, other, x, y) => {
        const a = parseKeyFormat(one)
        const b = parseKeyFormat(other)
        const values = new Map([
          ['x', x],
          ['y', y],
        ])
        const key = writeKey(a, values)
        if (readKey(b, key, b.fields.length) !== undefined) assert.ok(formatsOverlap(a, b))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('canStartWith()', () => {
  for (const [format, expected] of [
    ['/_aviso/{x}', true],
    ['/{x}/{y}', true],
    ['/{x}o/{y}', true],
    ['/_aviso', false],
    ['/_avis{x}', false],
    ['/_avis{x}/{y}', true],
    ['/ec/{x}', false],
  ] as const) {
    it(`${format}: ${String(expected)}`, () => {
      assert.equal(canStartWith(parseKeyFormat(format), '/_aviso/'), expected)
    })
  }
})
