/** Rows A of the conformance cases of aviso 2.x: every handler with its spellings, canonical forms and refusals. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import type { FieldRule, GeometryRule } from '#shared/notification/aviso2/field_rule.ts'
import { createField, MAX_TEXT_BYTES } from '#shared/notification/aviso2/fields.ts'

type Rule = Exclude<FieldRule, GeometryRule>

interface Row {
  readonly row: string
  readonly rule: Rule
  /** Value → canonical text. */
  readonly takes?: readonly (readonly [value: unknown, canonical: string])[]
  readonly refuses?: readonly unknown[]
  /** What every refusal of the row says. */
  readonly saying?: RegExp
}

const INT: Rule = { type: 'IntHandler' }
const FLOAT: Rule = { type: 'FloatHandler' }

const ROWS: readonly Row[] = [
  {
    row: 'A1, A3',
    rule: { type: 'DateHandler', canonical_format: '%Y%m%d' },
    takes: [
      ['2025-07-06', '20250706'],
      ['20250706', '20250706'],
      [20250706, '20250706'],
      ['2025-187', '20250706'],
      ['2024-366', '20241231'],
      ['2025-001', '20250101'],
      ['2024-02-29', '20240229'],
      ['0099-01-01', '00990101'],
    ],
  },
  {
    row: 'A1: the format is %Y%m%d where there is none',
    rule: { type: 'DateHandler' },
    takes: [['2025-187', '20250706']],
  },
  {
    row: 'A2',
    rule: { type: 'DateHandler', canonical_format: '%Y-%m-%d' },
    takes: [
      ['20250706', '2025-07-06'],
      ['2025-07-06', '2025-07-06'],
      ['2025-187', '2025-07-06'],
    ],
  },
  {
    row: 'A4',
    rule: { type: 'DateHandler' },
    refuses: [
      '2025-13-01',
      '20250230',
      '2025-366',
      'today',
      '2025-000',
      '2025-00-01',
      '2025-01-00',
      '2025-7-6',
      '2025-0706',
      '202507-06',
      '20250706 ',
      '2025-07-06T00:00',
      '２０２５0706',
      '',
    ],
    saying:
      /^Field 'f' contains invalid date '.*': write a day of the calendar as YYYY-MM-DD, YYYYMMDD or YYYY-DDD$/,
  },
  {
    row: 'A5',
    rule: { type: 'TimeHandler' },
    takes: [
      ['9', '0900'],
      ['09', '0900'],
      [6, '0600'],
      ['9:05', '0905'],
      ['09:05', '0905'],
      ['0905', '0905'],
      ['0', '0000'],
      ['23:59', '2359'],
    ],
  },
  {
    row: 'A6',
    rule: { type: 'TimeHandler' },
    refuses: ['24', '2400', '24:00', '12:60', '1260', '12:5', '1:2', '123', 'ab', '', '-1', '06:00:00', ' 6'],
    saying: /^Field 'f' contains invalid time '.*': write a time of day as H, HH, H:MM, HH:MM or HHMM$/,
  },
  {
    row: 'A7',
    rule: { type: 'EnumHandler', values: ['od', 'RD'] },
    takes: [
      ['OD', 'od'],
      ['rd', 'rd'],
      ['Rd', 'rd'],
    ],
  },
  {
    row: 'A7: booleans are text',
    rule: { type: 'EnumHandler', values: ['true', '1'] },
    takes: [
      [true, 'true'],
      [1, '1'],
    ],
  },
  {
    row: 'A8',
    rule: { type: 'EnumHandler', values: ['od', 'RD'] },
    refuses: ['xx', '', 'o', 'od '],
    saying: /^Field 'f' must be one of od, rd, and not '.*'$/,
  },
  {
    row: 'A9',
    rule: INT,
    takes: [
      ['0042', '42'],
      [42, '42'],
      ['-0', '0'],
      ['+7', '7'],
      ['-12', '-12'],
      ['9223372036854775807', '9223372036854775807'],
      [-9223372036854775808n, '-9223372036854775808'],
    ],
  },
  {
    row: 'A10',
    rule: INT,
    refuses: [
      '42.5',
      42.5,
      'abc',
      '',
      ' 1',
      '1_000',
      '0x10',
      '9223372036854775808',
      '-9223372036854775809',
      true,
    ],
    saying: /^Field 'f' must be a valid integer of 64 bits, and not '.*'$/,
  },
  {
    row: 'A10: out of range',
    rule: { type: 'IntHandler', range: [0, 100_000] },
    takes: [
      ['0', '0'],
      ['100000', '100000'],
    ],
    refuses: ['-1', 100_001],
    saying: /^Field 'f' must be within the range 0 to 100000, and not '.*'$/,
  },
  {
    row: 'A11',
    rule: FLOAT,
    takes: [
      ['42.50', '42.5'],
      [42, '42'],
      ['42.0', '42'],
      ['.5', '0.5'],
      ['5.', '5'],
      ['-0.0', '0'],
      ['1e3', '1000'],
      ['1e21', '1000000000000000000000'],
      ['1.5e-7', '0.00000015'],
      ['-2.5e22', '-25000000000000000000000'],
      [0.1 + 0.2, '0.30000000000000004'],
    ],
  },
  {
    row: 'A11: not finite',
    rule: FLOAT,
    refuses: ['NaN', 'inf', '-Infinity', '1e400', 'abc', '', ' 1', '1_0', '0x1p3', '.'],
    saying: /^Field 'f' must be a valid, finite number, and not '.*'$/,
  },
  {
    row: 'A11: out of range',
    rule: { type: 'FloatHandler', range: [0, 200] },
    takes: [['200.0', '200']],
    refuses: ['-0.1', '200.5'],
    saying: /^Field 'f' must be within the range 0 to 200/,
  },
  {
    row: 'A12',
    rule: { type: 'ExpverHandler', default: '0001' },
    takes: [
      ['1', '0001'],
      [1, '0001'],
      ['0001', '0001'],
      ['00001', '0001'],
      ['0', '0000'],
      ['12345', '12345'],
      ['ABCD', 'abcd'],
      ['', '0001'],
    ],
  },
  {
    row: 'A12: without default',
    rule: { type: 'ExpverHandler' },
    takes: [['7', '0007']],
    refuses: [''],
    saying: /must not be empty/,
  },
  {
    row: 'A13',
    rule: { type: 'StringHandler', max_length: 4 },
    takes: [
      ['abcd', 'abcd'],
      ['éé', 'éé'],
      ['a/ b', 'a/ b'],
      [true, 'true'],
      ['*', '*'],
    ],
    refuses: ['abcde', 'ééa'],
    saying: /^Field 'f' must not be longer than 4 bytes$/,
  },
  {
    row: 'A13: empty',
    rule: { type: 'StringHandler' },
    refuses: [''],
    saying: /^Field 'f' must not be empty$/,
  },
  {
    row: 'A13: without max_length',
    rule: { type: 'StringHandler' },
    takes: [['x'.repeat(MAX_TEXT_BYTES), 'x'.repeat(MAX_TEXT_BYTES)]],
    refuses: ['x'.repeat(MAX_TEXT_BYTES + 1), 'é'.repeat(MAX_TEXT_BYTES / 2 + 1)],
    saying: /must not be longer than 4096 bytes$/,
  },
  {
    row: 'B10: half a character',
    rule: { type: 'StringHandler' },
    refuses: ['\ud800'],
    saying: /well-formed Unicode/,
  },
  {
    row: 'A19, C15',
    rule: { type: 'StringHandler' },
    refuses: [null, undefined, ['a'], { eq: 'a' }],
    saying: /^Field 'f' must be a string, a number or a boolean$/,
  },
]

describe('createField()', () => {
  for (const { row, rule, takes = [], refuses = [], saying = /^$/ } of ROWS) {
    it(`${row}: ${rule.type}`, () => {
      const field = createField('f', rule)
      for (const [value, canonical] of takes)
        assert.equal(field.canonicalise(value), canonical, String(value))
      for (const value of refuses) {
        const refused = field.canonicalise(value)
        assert.ok(typeof refused === 'object', `${JSON.stringify(value)} was taken`)
        assert.match(refused.message, saying)
      }
    })
  }

  it('changes no canonical text', () => {
    for (const { rule, takes = [] } of ROWS) {
      const field = createField('f', rule)
      for (const [, canonical] of takes) assert.equal(field.canonicalise(canonical), canonical)
    }
  })
})
