import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createGate } from '#shared/access/identity/gate.ts'
import { createManualClock } from '../../../../support/clock.ts'
import { deferred } from './support.ts'

describe('createGate()', () => {
  it('runs so many at a time, in their order, and lets the next in when one fails', async () => {
    const gate = createGate(createManualClock(), { concurrent: 2, waiting: 10 })
    const tasks = Array.from({ length: 4 }, () => deferred<number>())
    const begun: number[] = []
    const results = tasks.map((task, index) =>
      gate.run(() => {
        begun.push(index)
        return task.promise
      }),
    )
    await Promise.resolve()
    assert.deepEqual(begun, [0, 1])
    tasks[0]?.reject(new Error('broken'))
    await assert.rejects(results[0] ?? Promise.resolve(), /broken/)
    tasks[1]?.resolve(1)
    await results[1]
    tasks[2]?.resolve(2)
    tasks[3]?.resolve(3)
    assert.deepEqual(await Promise.all(results.slice(1)), [1, 2, 3])
    assert.deepEqual(begun, [0, 1, 2, 3])
  })

  it('refuses more to wait than it may', async () => {
    const gate = createGate(createManualClock(), { concurrent: 1, waiting: 1 })
    const first = deferred<number>()
    const running = gate.run(() => first.promise)
    const waiting = gate.run(() => Promise.resolve(2))
    await assert.rejects(
      gate.run(() => Promise.resolve(3)),
      { code: 'ERR_VERDICT_UNAVAILABLE' },
    )
    first.resolve(1)
    assert.deepEqual(await Promise.all([running, waiting]), [1, 2])
  })

  it('does not ask for somebody who has been answered long ago', async () => {
    const clock = createManualClock()
    const gate = createGate(clock, { concurrent: 1, waiting: 10 })
    const first = deferred<number>()
    const running = gate.run(() => first.promise)
    let asked = 0
    const late = gate.run(() => Promise.resolve(++asked))
    late.catch(() => undefined)
    clock.jump(-3_600_000)
    await clock.advance(3000)
    first.resolve(1)
    await running
    await assert.rejects(late, { code: 'ERR_VERDICT_UNAVAILABLE' })
    assert.equal(asked, 0)
    assert.equal(await gate.run(() => Promise.resolve(5)), 5)
  })
})
