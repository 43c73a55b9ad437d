import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { expandList } from '#shared/runs/ranges.ts'

describe('expandList()', () => {
  const lists: Readonly<Record<string, readonly string[]>> = {
    oper: ['oper'],
    'a/b/c': ['a', 'b', 'c'],
    '0/to/24/by/6': ['0', '6', '12', '18', '24'],
    '0/TO/3': ['0', '1', '2', '3'],
    '0/to/2/by/1/3/to/9/by/3/12/15': ['0', '1', '2', '3', '6', '9', '12', '15'],
    '5/to/5': ['5'],
    '-2/to/2/by/2': ['-2', '0', '2'],
    '0/to/10/by/4': ['0', '4', '8'],
    '00/to/12/by/6': ['0', '6', '12'],
    ' 1 / 2 ': ['1', '2'],
  }
  for (const [text, values] of Object.entries(lists))
    it(`reads ${text}`, () => assert.deepEqual(expandList(text), { values }))

  const refused: Readonly<Record<string, RegExp>> = {
    '': /nothing between two slashes/,
    '0//6': /nothing between two slashes/,
    'to/6': /"to" without a number before it/,
    '0/to': /ends within a range/,
    '0/to/6/by': /ends within a range/,
    '0/to/six': /"six", which is not a whole number/,
    '0/to/6/by/0.5': /"0.5", which is not a whole number/,
    '0/to/6/by/0': /the step must be 1 or more/,
    '0/to/6/by/-1': /the step must be 1 or more/,
    '6/to/0': /empty range: 0 is less than 6/,
    '0/to/100000000': /more than 100000 values/,
    '0/to/99999/0/to/99999': /more than 100000 values/,
    '6/by/2': /"by" without a number/,
  }
  for (const [text, reason] of Object.entries(refused))
    it(`refuses ${JSON.stringify(text)}`, () => {
      const listed = expandList(text)
      assert.ok('reason' in listed)
      assert.match(listed.reason, reason)
    })
})
