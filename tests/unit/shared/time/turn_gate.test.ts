import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { nextTurn } from '#shared/time/turn.ts'
import { createTurnGate } from '#shared/time/turn_gate.ts'

describe('createTurnGate', () => {
  it('lets so many pass in one turn, and the others in the turns after, in order', async () => {
    const gate = createTurnGate(2)
    const passed: number[] = []
    const enter = async (caller: number): Promise<void> => {
      await gate()
      passed.push(caller)
    }
    const all = Promise.all([1, 2, 3, 4, 5].map(enter))
    await Promise.resolve()
    assert.deepEqual(passed, [1, 2])
    await nextTurn()
    assert.deepEqual(passed, [1, 2, 3, 4])
    await nextTurn()
    assert.deepEqual(passed, [1, 2, 3, 4, 5])
    await all
  })

  it('counts who waited in the turn in which it passes', async () => {
    const gate = createTurnGate(1)
    assert.equal(gate(), undefined)
    const waiting = gate()
    await nextTurn()
    assert.notEqual(gate(), undefined)
    await waiting
  })

  it('makes no caller wait in a turn without callers', async () => {
    const gate = createTurnGate(1)
    assert.equal(gate(), undefined)
    await nextTurn()
    assert.equal(gate(), undefined)
  })
})
