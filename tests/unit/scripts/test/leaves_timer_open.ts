/**
 * A test file, started by the test of the runner, whose failing test leaves a timer open: a runner in one process does not end behind it.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

describe('a store', () => {
  it('is left open by a failing test', () => {
    setInterval(() => undefined, 1_000)
    assert.fail('before it is closed')
  })

  it('is not needed by the last test', () => undefined)
})
