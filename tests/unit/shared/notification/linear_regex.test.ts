import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'

import { isAvisoError } from '#shared/errors.ts'
import { compileLinearRegex } from '#shared/notification/linear_regex.ts'
import { createSchemas } from '#shared/notification/schema.ts'

/** Far more than a match takes, far less than the minutes that JavaScript's own engine would take. */
const LIMIT_MS = 500

function timeOf(work: () => void): number {
  const startedAt = performance.now()
  work()
  return performance.now() - startedAt
}

describe('compileLinearRegex()', () => {
  for (const source of [
    '^(a+)+$',
    '(a|a)*c',
    '(a|aa)+$',
    '(.*)*x',
    '(a*)*b?$',
    'a*a*a*a*a*a*a*a*c',
    '([a-z]+)*$',
    '(?:a{1,30}){1,30}$',
  ]) {
    it(`matches ${source} in time that grows with the text alone`, () => {
      const matches = compileLinearRegex(source)
      let result: boolean | undefined
      const tookMs = timeOf(() => {
        result = matches(`${'a'.repeat(40)}!`)
      })
      assert.equal(typeof result, 'boolean')
      assert.ok(tookMs < LIMIT_MS, `${tookMs} ms`)
    })
  }

  it('matches from the beginning and not to the end, and takes anchors, as 1.x does', () => {
    const open = compileLinearRegex('a|bc')
    assert.deepEqual(['abc', 'bcd', 'cbc', ''].map(open), [true, true, false, false])
    const closed = compileLinearRegex('^(?:a|bc)$')
    assert.deepEqual(['a', 'bc', 'abc', 'bc\n'].map(closed), [true, true, false, false])
  })

  it('has the meaning that JavaScript gives to what schemas use', () => {
    const texts = [
      '',
      'A',
      'é',
      'α',
      '0',
      '12345',
      ' ',
      '\u00a0',
      '\u3000',
      '\v',
      '_',
      '-',
      ']',
      '𝕏',
      'foo bar',
    ]
    for (const source of [
      String.raw`\d{2,4}`,
      String.raw`\w+\s\w+`,
      String.raw`[\s\d]`,
      String.raw`\S+`,
      String.raw`\u{1d54f}`,
      String.raw`\u0041|\x30`,
      String.raw`(?<name>[A-Z])`,
      String.raw`\p{L}`,
      String.raw`\P{L}`,
      String.raw`[\]\-]`,
      String.raw`[^a-z0-9]`,
      String.raw`\bfoo\b`,
      '.',
      'x*?',
    ]) {
      const linear = compileLinearRegex(source)
      const own = new RegExp(`^(?:${source})`, 'u')
      for (const text of texts)
        assert.equal(linear(text), own.test(text), `${source} on ${JSON.stringify(text)}`)
    }
  })

  it('says the same as JavaScript for any pattern of letters, sets, groups and counts', () => {
    const atom = fc.oneof(
      fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', String.raw`\w`, String.raw`\d`, '^', '$'),
      fc.constantFrom('(a|b)', '(?:ab|c)', '(a?)'),
    )
    const piece = fc
      .tuple(atom, fc.constantFrom('', '?', '{1,2}', '{2}'))
      .map(([what, count]) => (what === '^' || what === '$' ? what : what + count))
    const pattern = fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join(''))
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1', '_'), maxLength: 12 })
    fc.assert(
      fc.property(pattern, text, (source, value) => {
        assert.equal(compileLinearRegex(source)(value), new RegExp(`^(?:${source})`, 'u').test(value))
      }),
      { numRuns: 500 },
    )
  })

  for (const source of [
    '(?=a)a',
    '(?!a)b',
    '(?<=a)b',
    String.raw`(a)\1`,
    String.raw`(?<x>a)\k<x>`,
    '(',
    '[',
    '*',
  ]) {
    it(`refuses ${source}, and says what it is about`, () => {
      assert.throws(
        () => compileLinearRegex(source),
        (error) =>
          isAvisoError(error, 'ERR_CONFIG') && error.message.includes(`The regex "${source}" cannot be used`),
      )
    })
  }

  it('refuses a pattern that is too long or that multiplies, before it takes the memory', () => {
    assert.throws(() => compileLinearRegex('a'.repeat(1001)), /must not be longer than 1000 characters/)
    const tookMs = timeOf(() => assert.throws(() => compileLinearRegex('((a{100}){100}){100}')))
    assert.ok(tookMs < LIMIT_MS, `${tookMs} ms`)
  })
})

describe('a schema with a regex', () => {
  const schemaWith = (regex: string): unknown => ({
    flight: {
      endpoint: [{ engine: ['etcd_rest'], base: '/x/flight/', stem: '{number}' }],
      request: { number: [{ type: 'RegexHandler', regex }] },
    },
  })

  it('is refused with the place of the regex and the regex itself', () => {
    assert.throws(
      () => createSchemas([{ source: 'my.json', content: schemaWith('(?=A)A') }]),
      /Schema my\.json, flight\.request\.number: The regex "\(\?=A\)A" cannot be used/,
    )
  })

  it('answers at once whatever a provider sends', () => {
    const schema = createSchemas([{ source: 'my.json', content: schemaWith('^(a+)+$') }]).require('flight')
    const tookMs = timeOf(() => assert.throws(() => schema.encode({ number: `${'a'.repeat(40)}b` })))
    assert.ok(tookMs < LIMIT_MS, `${tookMs} ms`)
    assert.equal(schema.encode({ number: 'aaa' }).stem, '/x/flight/aaa')
  })
})
