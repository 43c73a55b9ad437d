import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { compileConstraint } from '#services/auth/listen/constraint.ts'
import { isAvisoError } from '#shared/errors.ts'
import type { JsonObject } from '#shared/json/strict_json.ts'
import type { FieldOptions } from '#shared/notification/field_options.ts'

const INT: FieldOptions = { type: 'IntHandler', range: [1, 7] }
const LARGE: FieldOptions = { type: 'IntHandler' }
const FLOAT = { type: 'FloatHandler', range: [0, 200] } as FieldOptions
const ENUM: FieldOptions = { type: 'EnumHandler', values: ['north', 'South', 'SOUTH'] }
const TEXT: FieldOptions = { type: 'StringHandler' }

function compile(type: FieldOptions, constraint: JsonObject) {
  return compileConstraint('f', [type], constraint)
}

/** Those of the texts that a comparison accepts. */
function accepted(type: FieldOptions, constraint: JsonObject, texts: readonly string[]): string[] {
  const compiled = compile(type, constraint)
  if (compiled.kind !== 'condition' || compiled.condition.kind !== 'test') assert.fail('a test was expected')
  return texts.filter(compiled.condition.test)
}

function refusal(type: FieldOptions, constraint: JsonObject): string {
  try {
    compile(type, constraint)
  } catch (error) {
    assert.ok(isAvisoError(error, 'ERR_BAD_REQUEST'))
    assert.equal(error.details['field'], 'f')
    return error.message
  }
  return 'taken'
}

describe('compileConstraint()', () => {
  it('compares numbers, as numbers and not as text', () => {
    const texts = ['3', '0004', '10', '', 'x', 'Infinity', '5.5']
    assert.deepEqual(accepted(INT, { gt: 4 }, texts), ['10', '5.5'])
    assert.deepEqual(accepted(INT, { gte: 4 }, texts), ['0004', '10', '5.5'])
    assert.deepEqual(accepted(INT, { lt: 4 }, texts), ['3'])
    assert.deepEqual(accepted(INT, { lte: 4 }, texts), ['3', '0004'])
    assert.deepEqual(accepted(INT, { between: [3, 4] }, texts), ['3', '0004'])
    assert.deepEqual(accepted(FLOAT, { eq: 0.3 }, [String(0.1 + 0.2), '0.3', '0.30']), ['0.3', '0.30'])
    assert.deepEqual(accepted(FLOAT, { in: [1, 2.5] }, ['1', '1.0', '2.50', '3']), ['1', '1.0', '2.50'])
    assert.deepEqual(accepted(LARGE, { gt: 2n ** 60n }, [String(2n ** 61n), '5']), [String(2n ** 61n)])
  })

  it('turns equality into values, which the hub can look up', () => {
    assert.deepEqual(compile(INT, { eq: 4 }), { kind: 'values', values: [4] })
    assert.deepEqual(compile(LARGE, { in: [1, 2n ** 60n] }), { kind: 'values', values: [1, 2n ** 60n] })
    assert.deepEqual(compile(ENUM, { in: ['NORTH', 'south'] }), {
      kind: 'values',
      values: ['north', 'South', 'SOUTH'],
    })
    assert.deepEqual(compile(TEXT, { in: ['a', 1] }), { kind: 'values', values: ['a', 1] })
  })

  it('refuses what could never match, and what is not one comparison', () => {
    const rows: readonly (readonly [type: FieldOptions, constraint: JsonObject, message: RegExp])[] = [
      [INT, {}, /exactly one operator/],
      [INT, { gte: 1, lte: 3 }, /exactly one operator/],
      [INT, { ge: 4 }, /invalid operator 'ge'. Allowed: eq,in,gt,gte,lt,lte,between/],
      [INT, { gte: 9 }, /outside allowed range 1 to 7/],
      [INT, { gt: '4' }, /expects an integer/],
      [INT, { gt: 4.5 }, /expects an integer/],
      [INT, { in: [] }, /at least one value/],
      [INT, { in: 4 }, /needs a list/],
      [INT, { between: [6, 2] }, /two bounds/],
      [INT, { between: [1] }, /two bounds/],
      [INT, { between: [1, 2, 3] }, /two bounds/],
      [INT, { between: '1-2' }, /two bounds/],
      [FLOAT, { gt: 250 }, /outside allowed range/],
      [FLOAT, { gt: '40' }, /expects a number/],
      [ENUM, { gt: 'a' }, /Allowed: eq,in/],
      [ENUM, { eq: 'west' }, /not one of its values/],
      [ENUM, { in: [['north']] }, /not one of its values/],
      [TEXT, { gt: 'a' }, /^Field 'f' does not support constraint filters/],
      [TEXT, { eq: null }, /a string, number or boolean/],
      [TEXT, { toString: 1 }, /does not support/],
    ]
    for (const [type, constraint, message] of rows) {
      assert.match(refusal(type, constraint), message, JSON.stringify(constraint))
    }
  })
})
