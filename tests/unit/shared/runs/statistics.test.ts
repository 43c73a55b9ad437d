import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { median, medianOfFew, partition } from '#shared/runs/statistics.ts'
import { createDice } from '../../../support/dice.ts'

const dice = createDice(1)
/** Numbers of which many are equal. */
const draw = (length: number): number[] => Array.from({ length }, () => dice.whole(0, 20))

describe('partition()', () => {
  it('puts the number of a rank where it is in sorted numbers, and none on the wrong side', () => {
    for (let length = 1; length <= 40; length++) {
      const numbers = draw(length)
      const sorted = numbers.toSorted((a, b) => a - b)
      for (let rank = 0; rank < length; rank++) {
        const moved = Float64Array.from(numbers)
        partition(moved, rank)
        assert.equal(moved[rank], sorted[rank])
        assert.deepEqual(
          [...moved.subarray(0, rank)].toSorted((a, b) => a - b),
          sorted.slice(0, rank),
        )
      }
    }
  })

  it('leaves nothing as it is', () => {
    const none = new Float64Array()
    partition(none, -1)
    assert.equal(none.length, 0)
  })
})

describe('medianOfFew()', () => {
  it('is the middle of the first numbers', () => {
    for (let length = 0; length <= 28; length++) {
      const numbers = draw(length)
      assert.equal(medianOfFew(Float64Array.from([...numbers, 1_000]), length), median(numbers))
    }
  })
})
