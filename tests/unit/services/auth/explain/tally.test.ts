import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createTally } from '#services/auth/explain/tally.ts'
import type { FieldCondition } from '#shared/notification/notification.ts'

const oneOf = (...values: string[]): FieldCondition => ({ kind: 'in', values: new Set(values) })
const above = (least: number): FieldCondition => ({ kind: 'test', test: (text) => Number(text) > least })

describe('createTally()', () => {
  it('counts a near miss for the single condition that excluded it', () => {
    const tally = createTally(
      new Map([
        ['step', oneOf('24')],
        ['class', oneOf('od')],
        ['level', above(3)],
      ]),
    )
    const add = (step: string, of: string, level: string, sequence: number): void =>
      tally.add({ request: { step, class: of, level }, sequence, at: sequence * 3_600_000 })
    add('24', 'od', '4', 1)
    add('12', 'od', '4', 2)
    add('6', 'od', '4', 3)
    add('6', 'od', '9', 4)
    add('24', 'od', '2', 5)
    add('6', 'ai', '4', 6)
    add('24', 'od', '5', 7)
    const { matched, first, last, hours, nearMisses } = tally.result()
    assert.deepEqual([matched, first?.sequence, last?.sequence], [2, 1, 7])
    assert.deepEqual(
      [...hours],
      [
        [1, 1],
        [7, 1],
      ],
    )
    assert.deepEqual(nearMisses, [
      {
        field: 'step',
        excluded: 3,
        instead: [
          ['6', 2],
          ['12', 1],
        ],
        isCut: false,
      },
      { field: 'level', excluded: 1, instead: [['2', 1]], isCut: false },
    ])
  })

  it('tells at most 20 values, and keeps a bounded number', () => {
    const tally = createTally(new Map([['number', oneOf('x')]]))
    for (let sequence = 1; sequence <= 5_000; sequence++)
      tally.add({ request: { number: `n${sequence}` }, sequence, at: 0 })
    const [near] = tally.result().nearMisses
    assert.deepEqual([near?.excluded, near?.instead.length, near?.isCut], [5_000, 20, true])
  })
})
