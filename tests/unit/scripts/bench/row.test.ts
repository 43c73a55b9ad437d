import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  atLeast,
  atMost,
  both,
  ratioOf,
  toJsonRows,
  toTable,
  verdictOf,
  type Row,
} from '../../../../scripts/bench/row.ts'

const ROW: Row = { name: 'work', runtime: 'node', unit: '/s', runs: [90, 110, 100] }

describe('verdictOf()', () => {
  it('names the best aim that is met', () => {
    assert.equal(verdictOf({ ...ROW, floor: atLeast(50, 100), goal: atLeast(100, 100) }), 'goal')
    assert.equal(verdictOf({ ...ROW, floor: atLeast(50, 100), goal: atLeast(101, 100) }), 'floor')
    assert.equal(verdictOf({ ...ROW, floor: atMost(50, 100), goal: atMost(10, 100) }), 'MISSED')
    assert.equal(verdictOf({ ...ROW, goal: atMost(10, 100) }), 'below goal')
    assert.equal(verdictOf(ROW), '–')
  })

  it('never takes a figure that is missing for a good one', () => {
    const value = Number.NaN
    assert.equal(verdictOf({ ...ROW, floor: atMost(5, value), goal: atLeast(5, value) }), 'MISSED')
  })
})

describe('both()', () => {
  it('is met by both only', () => {
    assert.deepEqual(both(atLeast(1, 2, '/s'), atMost(1, 2, ' ms')), {
      text: '≥ 1/s and ≤ 1 ms',
      isMet: false,
    })
  })
})

describe('ratioOf()', () => {
  it('compares what ran side by side', () => {
    // Medians would say 100 / 100.
    assert.equal(ratioOf({ ...ROW, limit: { name: 'bare', runs: [30, 220, 100] } }), 1)
    assert.equal(ratioOf({ ...ROW, runs: [10, 40, 90], limit: { name: 'bare', runs: [100, 20, 30] } }), 2)
    assert.equal(ratioOf(ROW), undefined)
    assert.equal(ratioOf({ ...ROW, limit: { name: 'bare', runs: [30, -2, 100] } }), undefined)
  })
})

describe('toTable()', () => {
  it('shows median, spread, limit, ratio and verdict, and numbers its notes', () => {
    const limit = { name: 'bare', runs: [180, 220, 200] }
    const first = { ...ROW, limit, floor: atLeast(100, 100, '/s'), notes: ['a', 'b'] }
    const lines = toTable([first, { ...ROW, runs: [1234.5], notes: ['c'] }]).split('\n')
    assert.equal(
      lines[2],
      '| work [1] | node | ≥ 100/s | – | **100** /s (90–110) | 200 (bare) | 0.5 | floor |',
    )
    assert.equal(lines[3], '| work [2] | node | – | – | **1,235** /s | – | – | – |')
    assert.deepEqual(lines.slice(-2), ['[1] a; b', '[2] c'])
  })
})

describe('toJsonRows()', () => {
  it('keeps every run and adds what the table computes', () => {
    const [row] = toJsonRows([{ ...ROW, limit: { name: 'bare', runs: [180, 220, 200] } }])
    assert.deepEqual(row, {
      ...ROW,
      limit: { name: 'bare', runs: [180, 220, 200] },
      median: 100,
      limitMedian: 200,
      ratio: 0.5,
      verdict: '–',
    })
  })
})
