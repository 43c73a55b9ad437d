import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { isAvisoError } from '#shared/errors.ts'
import { compileFormat, parseFormat } from '#shared/notification/python_format.ts'
import { parsePythonInt, pythonFixed, pythonFloat } from '#shared/notification/python_number.ts'

describe('compileFormat()', () => {
  // Expected texts are CPython 3.11's.
  for (const [format, kind, value, expected] of [
    ['{0:0>4}', 'int', 1, '0001'],
    ['{0:0>4}', 'int', 12345, '12345'],
    ['{0:0>4}', 'int', -2, '00-2'],
    ['{:04d}', 'int', -2, '-002'],
    ['{:04}', 'int', 7n, '0007'],
    ['{:+d}', 'int', 7, '+7'],
    ['{: d}', 'int', 7, ' 7'],
    ['{:6d}|', 'int', 7, '     7|'],
    ['{:*^7}', 'int', 12, '**12***'],
    ['{:<4}|', 'int', 1, '1   |'],
    ['{:.2f}', 'int', 3, '3.00'],
    ['{0:0>2}', 'text', '0', '00'],
    ['{0:0>2}', 'text', '006', '006'],
    ['{:4}|', 'text', 'ab', 'ab  |'],
    ['t{0}h', 'text', '6', 't6h'],
    ['{{{0}}}', 'text', '6', '{6}'],
    ['{:2.2f}', 'float', 12.33243254323, '12.33'],
    ['{:2.2f}', 'float', 12, '12.00'],
    ['{:08.3f}', 'float', -3.14159, '-003.142'],
    ['{:f}', 'float', 0.5, '0.500000'],
    ['{:.0f}', 'float', 2.5, '2'],
    ['{:.0f}', 'float', 3.5, '4'],
    ['{:.2f}', 'float', 0.125, '0.12'],
    ['{:.2f}', 'float', 0.375, '0.38'],
    ['{:.2f}', 'float', 1.005, '1.00'],
    ['{:.1f}', 'float', -0, '-0.0'],
    ['{:.1f}', 'float', Number.NaN, 'nan'],
    ['{}', 'float', 12, '12.0'],
  ] as const) {
    it(`writes ${String(value)} with ${format} as ${expected}`, () => {
      assert.equal(compileFormat(format, kind)(value), expected)
    })
  }

  for (const [format, kind] of [
    ['{', 'int'],
    ['}', 'int'],
    ['{0', 'int'],
    ['plain', 'int'],
    ['{0}{0}', 'int'],
    ['{1}', 'int'],
    ['{name}', 'int'],
    ['{0!r}', 'int'],
    ['{0:x}', 'int'],
    ['{0:s}', 'int'],
    ['{0:.2}', 'int'],
    ['{0:,}', 'int'],
    ['{0:{1}}', 'int'],
    ['{0:9999}', 'int'],
    ['{0:.99f}', 'float'],
    ['{0:d}', 'float'],
    ['{0:f}', 'text'],
    ['{0:+}', 'text'],
    ['{0:=4}', 'text'],
  ] as const) {
    it(`refuses ${format} for ${kind}`, () => {
      assert.throws(
        () => compileFormat(format, kind),
        (error) => isAvisoError(error, 'ERR_CONFIG'),
      )
    })
  }
})

describe('parseFormat()', () => {
  it('splits text and placeholders', () => {
    assert.deepEqual(parseFormat('/a/{b}/{{c}}{d:x}'), [
      '/a/',
      { name: 'b', spec: '' },
      '/{c}',
      { name: 'd', spec: 'x' },
    ])
  })
})

describe('pythonFloat()', () => {
  for (const [value, expected] of [
    [0.0001, '0.0001'],
    [0.00001, '1e-05'],
    [123456789012345680, '1.2345678901234568e+17'],
    [1e15, '1000000000000000.0'],
    [1e100, '1e+100'],
    [-0, '-0.0'],
  ] as const) {
    it(`writes ${expected}`, () => assert.equal(pythonFloat(value), expected))
  }
})

describe('pythonFixed()', () => {
  it('writes large values in full', () => {
    assert.equal(pythonFixed(1e22, 1), '10000000000000000000000.0')
  })
})

describe('parsePythonInt()', () => {
  it('reads signs and underscores', () => {
    assert.equal(parsePythonInt('-1_000'), -1000n)
    assert.equal(parsePythonInt('- 1'), undefined)
  })
})
