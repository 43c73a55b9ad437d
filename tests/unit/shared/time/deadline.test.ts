import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { runWithin, within } from '#shared/time/deadline.ts'
import { createManualClock, settle } from '../../../support/clock.ts'

const never = new Promise<string>(() => undefined)

function late(): never {
  throw new Error('late')
}

describe('within()', () => {
  it('gives what the promise gives, and leaves no timer', async () => {
    const clock = createManualClock()
    const limit = { clock, ms: 1_000, signal: new AbortController().signal, late }
    assert.equal(await within(Promise.resolve('value'), limit), 'value')
    await assert.rejects(within(Promise.reject(new Error('broken')), limit), /^Error: broken$/)
    assert.equal(clock.timers, 0)
  })

  it('ends with what late() returns or throws, and not before its time', async () => {
    const clock = createManualClock()
    const ended: unknown[] = []
    const note = (outcome: unknown): void => void ended.push(outcome)
    within(never, { clock, ms: 1_000, late }).then(note, note)
    within(never, { clock, ms: 1_000, late: () => 'value of late' }).then(note, note)
    await clock.advance(999)
    assert.deepEqual(ended, [])
    await clock.advance(1)
    assert.deepEqual(ended, [new Error('late'), 'value of late'])
  })

  it('heeds no date: neither a jump forward nor one back moves its end', async () => {
    const clock = createManualClock()
    const waiting = assert.rejects(within(never, { clock, ms: 1_000, late }), /late/)
    clock.jump(-3_600_000)
    await clock.advance(1_000)
    await waiting
    let ended = false
    void within(never, { clock, ms: 1_000, late: () => undefined }).then(() => (ended = true))
    clock.jump(3_600_000)
    await settle()
    assert.equal(ended, false)
  })

  it('ignores what becomes of the promise afterwards', async () => {
    const clock = createManualClock()
    const broken = Promise.withResolvers<string>()
    const waiting = within(broken.promise, { clock, ms: 1_000, late: () => 'late' })
    await clock.advance(1_000)
    broken.reject(new Error('nobody hears this'))
    assert.equal(await waiting, 'late')
  })

  it('has no timer without a limit', async () => {
    const clock = createManualClock()
    const waiting = within(Promise.resolve('value'), { clock, late })
    assert.equal(clock.timers, 0)
    assert.equal(await waiting, 'value')
  })

  it('gives up at once when its signal aborts, also where that was before', async () => {
    const clock = createManualClock()
    const stop = new AbortController()
    const waiting = within(never, { clock, ms: 1_000, signal: stop.signal, late: () => 'stopped' })
    stop.abort()
    assert.equal(await waiting, 'stopped')
    assert.equal(await within(never, { clock, signal: stop.signal, late: () => 'before' }), 'before')
    assert.equal(clock.timers, 0)
  })
})

describe('runWithin()', () => {
  it('aborts the signal of work that is late, and no other', async () => {
    const clock = createManualClock()
    const signals: AbortSignal[] = []
    const work = (result: Promise<string>) => (signal: AbortSignal) => {
      signals.push(signal)
      return result
    }
    assert.equal(await runWithin(work(Promise.resolve('value')), { clock, ms: 1_000, late }), 'value')
    const waiting = runWithin(work(never), { clock, ms: 1_000, late: () => 'late' })
    await clock.advance(1_000)
    assert.equal(await waiting, 'late')
    assert.deepEqual(
      signals.map(({ aborted }) => aborted),
      [false, true],
    )
  })

  it('begins nothing once its time is up', async () => {
    const limit = { clock: createManualClock(), signal: AbortSignal.abort(), late: () => 'stopped' }
    assert.equal(await runWithin(() => assert.fail('it begins'), limit), 'stopped')
  })
})
