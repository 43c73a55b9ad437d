import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createDice } from '../support/dice.ts'
import { drive, restartTimes, type Observed } from './runs/drive.ts'
import { createSimulation, keepSimulation, type Simulation } from './runs/generate.ts'
import { differences, faultsOf, judge, type Verdict } from './runs/judge.ts'
import { createPlainTracker, MISTAKES, type Mistake } from './runs/plain_tracker.ts'
import { openRealTracker } from './runs/real_tracker.ts'
import { GATE_SIZE, SMALL_SIZE, type Size } from './runs/schedule.ts'
import { DAY_MS, MINUTE_MS } from './runs/truth.ts'

const SEED = 1
const DAYS = 60
const TICK_MS = 5 * MINUTE_MS
/** Of an event type at a time: fewer than the flood has. */
const OPEN_RUNS = 400

function simulationOf(size: Size, jumps: boolean): Simulation {
  return keepSimulation(
    createSimulation({ seed: SEED, days: DAYS, size, loss: 0.01, flood: 600, jumps, weather: 1 }),
  )
}

describe('createTracker(), sixty days of a centre', () => {
  it('finds every loss and lateness, cries wolf at most once in 1,000 runs, and its ETAs hold in 75 to 85 %', () => {
    const verdict = judge(
      drive(simulationOf(GATE_SIZE, true), {
        open: openRealTracker({ openRuns: OPEN_RUNS }),
        tickMs: TICK_MS,
      }),
    )
    assert.deepEqual(faultsOf(verdict), [], JSON.stringify(verdict, undefined, 1))
    assert.ok(verdict.mustFind > 150)
    assert.ok(verdict.runs > 4000)
  })

  describe('made anew', () => {
    const simulation = simulationOf(SMALL_SIZE, false)
    const course = { open: openRealTracker(), tickMs: TICK_MS }
    const restartsAt = restartTimes(8, DAYS, createDice(SEED).fraction)
    const whole = drive(simulation, course)

    it('says the same after restarts at random times', () => {
      const restarted = drive(simulation, { ...course, restartsAt })
      assert.equal(restarted.restarts, restartsAt.length)
      assertSame(whole, restarted)
    })

    it('says the same when it is told the time once a day', () => {
      assertSame(whole, drive(simulation, { ...course, tickMs: DAY_MS }))
    })

    it('differs when it forgets what was stored', () => {
      const open: typeof course.open = (from) => course.open('since' in from ? from : { ...from, stored: [] })
      assert.ok(
        differences(whole.seen, drive(simulation, { open, tickMs: TICK_MS, restartsAt }).seen).length > 100,
      )
    })
  })
})

describe('judge()', () => {
  const simulation = simulationOf(SMALL_SIZE, true)
  const judgePlain = (mistake?: Mistake): Verdict =>
    judge(drive(simulation, { open: () => createPlainTracker(mistake), tickMs: TICK_MS }))

  it('finds nothing against a plain tracker without mistakes', () => {
    const verdict = judgePlain()
    assert.deepEqual(faultsOf(verdict), [], JSON.stringify(verdict, undefined, 1))
    assert.ok(verdict.mustFind > 100)
  })

  const found: Record<Mistake, readonly string[]> = {
    'forgets-late': ['missed', 'wrong'],
    'counts-duplicates': ['missed', 'wrong', 'eta'],
    'learns-from-the-odd-day': ['missed', 'false alarms', 'wrong'],
    'cries-after-change': ['false alarms', 'wrong'],
    'forgets-loss-after-a-day': ['missed', 'false alarms', 'wrong'],
    'waits-for-the-first-product': ['missed'],
    'expects-weekly-daily': ['false alarms'],
    'alarms-back-fills': ['false alarms'],
    'trusts-its-eta': ['eta'],
    'tells-twice': ['wrong'],
    'loses-a-product': ['false alarms', 'wrong', 'eta'],
  }
  for (const mistake of MISTAKES)
    it(`finds the mistake of a tracker that ${mistake}`, () => {
      assert.deepEqual(faultsOf(judgePlain(mistake)), found[mistake])
    })
})

function assertSame(one: Observed, other: Observed): void {
  assert.ok(one.seen.length > 4000)
  assert.deepEqual(differences(one.seen, other.seen).slice(0, 10), [])
}
