import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { findTableFaults } from '../../../scripts/check_imports.ts'

describe('findTableFaults()', () => {
  it('finds nothing in the table of the house', () => {
    assert.deepEqual(findTableFaults(), [])
  })

  it('finds a room that stands on one below it, as in a circle', () => {
    const faults = findTableFaults([
      ['shared/a', ['shared/b']],
      ['shared/b', ['shared/a']],
    ])
    assert.deepEqual(faults, ['shared/a may import shared/b, which is not in an earlier row of the table'])
  })
})
