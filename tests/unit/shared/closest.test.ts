import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { closest, distance } from '#shared/closest.ts'

describe('distance()', () => {
  it('counts letters that are replaced, missing, too many, or swapped with their neighbour', () => {
    const rows: readonly (readonly [string, string, number])[] = [
      ['lint', 'lint', 0],
      ['lunt', 'lint', 1],
      ['lnit', 'lint', 1],
      ['lit', 'lint', 1],
      ['lintt', 'lint', 1],
      ['', 'bun', 3],
      ['bun', '', 3],
      ['deno', 'node', 4],
    ]
    for (const [a, b, expected] of rows) assert.equal(distance(a, b), expected, `${a} → ${b}`)
  })
})

describe('closest()', () => {
  it('finds the candidate with the fewest mistakes', () => {
    assert.equal(closest('formt', ['lint', 'format', 'form']), 'format')
    assert.equal(closest('tpyes', ['unit', 'types']), 'types')
  })

  it('finds none where more than one letter in three differs', () => {
    assert.equal(closest('lint', ['bun', 'deno']), undefined)
    assert.equal(closest('', ['a']), undefined)
    assert.equal(closest('word', []), undefined)
  })
})
