import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { compileFilter } from '#services/auth/listen/filter.ts'
import type { FieldQuery } from '#services/auth/listen/request.ts'
import { isAvisoError } from '#shared/errors.ts'
import { satisfies } from '#shared/notification/match.ts'
import { createTestSchemas } from '../../../../support/system.ts'

const schemas = createTestSchemas()

function compile(event: string, identifier: Readonly<Record<string, FieldQuery>>) {
  return compileFilter(schemas.require(event), identifier)
}

function refusal(event: string, identifier: Readonly<Record<string, FieldQuery>>): unknown {
  try {
    compile(event, identifier)
  } catch (error) {
    if (isAvisoError(error, 'ERR_BAD_REQUEST')) return error.details['field']
    throw error
  }
  return 'taken'
}

describe('compileFilter()', () => {
  it('joins values, lists and comparisons: all must hold', () => {
    const filter = compile('measure', { region: ['north'], severity: { gte: 4 }, anomaly: { lt: 1 } })
    assert.deepEqual([...filter.conditions.keys()], ['region', 'severity', 'anomaly'])
    const request = { region: 'north', severity: '4', anomaly: '0.5', day: '20260810' }
    assert.equal(satisfies(filter.conditions, request), true)
    assert.equal(satisfies(filter.conditions, { ...request, severity: '3' }), false)
    assert.equal(satisfies(filter.conditions, { ...request, anomaly: '1.0' }), false)
    assert.equal(satisfies(filter.conditions, { ...request, region: 'south' }), false)
  })

  it('makes values canonical, compared or not', () => {
    for (const date of ['20260810', { eq: '20260810' }, ['20260810'], { in: ['20260810'] }]) {
      const condition = compile('flight', { date, country: { eq: 'Italy' } }).conditions
      assert.deepEqual(condition.get('date'), { kind: 'in', values: new Set(['20260810']) })
      assert.deepEqual(condition.get('country'), { kind: 'in', values: new Set(['italy']) })
    }
    const steps = compile('mars', { step: { in: [0, 6] }, expver: { eq: 1 } }).conditions
    assert.deepEqual(steps.get('step'), { kind: 'in', values: new Set(['0', '6']) })
    assert.deepEqual(steps.get('expver'), { kind: 'in', values: new Set(['0001']) })
  })

  it('takes the fields of the base by value', () => {
    const { conditions } = compile('dissemination', { destination: { in: ['FOO', 'BAR'] } })
    assert.deepEqual(conditions.get('destination'), { kind: 'in', values: new Set(['FOO', 'BAR']) })
    assert.equal(refusal('dissemination', {}), 'destination')
    assert.equal(refusal('dissemination', { destination: { gt: 'A' } }), 'destination')
  })

  it('refuses fields there are not, whatever they are compared with', () => {
    for (const query of ['x', { gt: 1 }, { eq: 'x' }, ['x']]) {
      assert.equal(refusal('flight', { nope: query }), 'nope')
      assert.equal(refusal('flight', { toString: query }), 'toString')
    }
  })
})
