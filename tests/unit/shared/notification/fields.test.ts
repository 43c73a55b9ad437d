import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { isAvisoError } from '#shared/errors.ts'
import type { FieldOptions } from '#shared/notification/field_options.ts'
import { createField, MAX_VALUE_BYTES, showValue } from '#shared/notification/fields.ts'

function canonical(options: FieldOptions | FieldOptions[], value: unknown): unknown {
  return createField('test', Array.isArray(options) ? options : [options]).canonicalise(value)
}

function refusedWith(options: FieldOptions | FieldOptions[], value: unknown): string {
  const result = canonical(options, value)
  assert.equal(typeof result, 'object', `${JSON.stringify(value)} was taken as ${String(result)}`)
  return (result as { message: string }).message
}

function reasonFor(options: FieldOptions, value: unknown): unknown {
  return (canonical(options, value) as { reason?: string }).reason
}

const STRING: FieldOptions = { type: 'StringHandler' }
const INT: FieldOptions = { type: 'IntHandler' }
const STEP: FieldOptions = { type: 'IntHandler', range: [0, 20], canonic: '{0:0>4}' }
const TIME: FieldOptions = { type: 'TimeHandler', values: [0, 6, 12, 18], canonic: '{0:0>2}' }

describe('createField() with a StringHandler', () => {
  it('keeps text and changes case where asked', () => {
    assert.equal(canonical(STRING, 'aVa b'), 'aVa b')
    assert.equal(canonical({ type: 'StringHandler', canonic: 'upper' }, 'aaa'), 'AAA')
    assert.equal(canonical({ type: 'StringHandler', canonic: 'lower' }, 'Italy'), 'italy')
    assert.equal(canonical(STRING, 'Zürich 東京'), 'Zürich 東京')
  })

  it('writes other scalars as Python does', () => {
    assert.equal(canonical(STRING, 12), '12')
    assert.equal(canonical(STRING, -0), '0')
    assert.equal(canonical(STRING, 12.5), '12.5')
    assert.equal(canonical(STRING, 1e-7), '1e-07')
    assert.equal(canonical(STRING, true), 'True')
    assert.equal(canonical(STRING, 12345678901234567890n), '12345678901234567890')
  })

  it('refuses a number that is not exact', () => {
    assert.equal(refusedWith(STRING, 2 ** 53), 'Value 9007199254740992 is not valid for key test')
    refusedWith(STRING, Number.NaN)
  })
})

describe('createField() with text that would break a key', () => {
  for (const [what, value] of [
    ['a slash', 'a/b'],
    ['nothing', ''],
    ['a relative path', '..'],
    ['this folder', '.'],
    ['NUL', 'a\0b'],
    ['a line feed', 'a\n'],
    ['DEL', 'a\u007f'],
    ['a C1 control', 'a\u0085'],
    ['a lone surrogate', 'a\ud800'],
    ['too many bytes', 'x'.repeat(MAX_VALUE_BYTES + 1)],
    ['too many bytes of few characters', 'é'.repeat(MAX_VALUE_BYTES / 2 + 1)],
    ['a megabyte', 'x'.repeat(1 << 20)],
  ] as const) {
    it(`refuses ${what}`, () => {
      const message = refusedWith(STRING, value)
      assert.match(message, /^Value [^]* is not valid for key test, it (must|is too long)/)
      assert.ok(message.length < 300)
    })
  }

  it('takes the longest value', () => {
    assert.equal(canonical(STRING, 'x'.repeat(MAX_VALUE_BYTES)), 'x'.repeat(MAX_VALUE_BYTES))
    assert.equal(canonical(STRING, 'é'.repeat(MAX_VALUE_BYTES / 2)), 'é'.repeat(MAX_VALUE_BYTES / 2))
  })

  it('refuses null, lists and objects for every type', () => {
    for (const options of [STRING, INT, TIME]) {
      assert.equal(refusedWith(options, null), 'Value None is not valid for key test')
      assert.equal(refusedWith(options, ['1', '2']), 'Value […] is not valid for key test')
      assert.equal(refusedWith(options, { a: 1 }), 'Value {…} is not valid for key test')
    }
    assert.equal(refusedWith({ type: 'StringHandler', required: true }, null), 'test is a mandatory key')
  })
})

describe('createField() with an IntHandler', () => {
  it('reads integers as Python does', () => {
    for (const value of ['12', ' 12 ', '+12', '1_2', '0012', 12, 12.9, 12n])
      assert.equal(canonical(INT, value), '12')
    assert.equal(canonical(INT, -0.5), '0')
    assert.equal(canonical(INT, '-2'), '-2')
    assert.equal(canonical(INT, '123456789012345678901234567890'), '123456789012345678901234567890')
  })

  it('refuses other text, booleans and inexact numbers', () => {
    for (const value of [
      '12.5',
      '',
      'aaa',
      '1__2',
      '_1',
      '0x10',
      '1e3',
      true,
      2 ** 60,
      Number.POSITIVE_INFINITY,
    ]) {
      assert.equal(reasonFor(INT, value), 'Key test has to be an integer')
    }
  })

  it('keeps the range', () => {
    assert.equal(canonical(STEP, 0), '0000')
    assert.equal(canonical(STEP, 20), '0020')
    assert.equal(reasonFor(STEP, 21), 'Value 21 for key test is outside the range defined')
    assert.equal(
      reasonFor(STEP, '99999999999999999999'),
      'Value 99999999999999999999 for key test is outside the range defined',
    )
  })
})

describe('createField() with an EnumHandler or TimeHandler', () => {
  it('keeps the raw value', () => {
    assert.equal(canonical({ type: 'EnumHandler', values: [0, 6] }, 6), '6')
    assert.equal(canonical({ type: 'EnumHandler', values: [0, 6] }, '06'), '06')
    assert.equal(canonical({ type: 'EnumHandler', values: ['1', '2'] }, 1), '1')
    assert.equal(canonical(TIME, '006'), '006')
    assert.equal(canonical(TIME, 6), '06')
  })

  it('refuses numbers in other spellings', () => {
    for (const value of [' 6', '+6', '6.0', '0_6', 6.5, true, 'abc']) refusedWith(TIME, value)
  })

  it('is case-sensitive', () => {
    refusedWith({ type: 'EnumHandler', values: ['od'] }, 'OD')
  })

  it('puts the default for empty text only', () => {
    const options: FieldOptions = { type: 'EnumHandler', values: ['g', 'a'], default: 'g' }
    assert.equal(canonical(options, ''), 'g')
    refusedWith(options, null)
    refusedWith({ type: 'EnumHandler', values: ['g'] }, '')
  })

  it('refuses a default that is not a value', () => {
    assert.throws(
      () => createField('test', [{ type: 'EnumHandler', values: ['a'], default: 'g' }]),
      (error) => isAvisoError(error, 'ERR_CONFIG'),
    )
  })
})

describe('createField() with a FloatHandler', () => {
  it('writes floats as Python does', () => {
    const plain: FieldOptions = { type: 'FloatHandler' }
    assert.equal(canonical(plain, 12), '12.0')
    assert.equal(canonical(plain, ' 1e3 '), '1000.0')
    assert.equal(canonical(plain, '1_0.5'), '10.5')
    assert.equal(canonical(plain, 'NaN'), 'nan')
    assert.equal(canonical(plain, '-Infinity'), '-inf')
    assert.equal(canonical(plain, 1e16), '1e+16')
    for (const value of ['', '.', '1e', '1,5', 'abc', true]) {
      assert.equal(reasonFor(plain, value), 'Key test has to be a float')
    }
  })
})

describe('createField() with a RegexHandler', () => {
  it('matches from the start, text only', () => {
    const options: FieldOptions = { type: 'RegexHandler', regex: 'a|bc' }
    assert.equal(canonical(options, 'abc'), 'abc')
    assert.equal(canonical(options, 'bcd'), 'bcd')
    assert.equal(refusedWith(options, 'cbc'), 'Value cbc is not valid for key test')
    assert.equal(refusedWith({ type: 'RegexHandler', regex: '1' }, 1), 'Value 1 is not valid for key test')
  })

  it('refuses an invalid regular expression', () => {
    assert.throws(
      () => createField('test', [{ type: 'RegexHandler', regex: '(' }]),
      (error) => isAvisoError(error, 'ERR_CONFIG'),
    )
  })
})

describe('showValue()', () => {
  it('cuts long text', () => {
    assert.equal(showValue('x'.repeat(1000)).length, 129)
  })
})
