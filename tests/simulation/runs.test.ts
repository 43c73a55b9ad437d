import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { drive } from './runs/drive.ts'
import { createSimulation, keepSimulation } from './runs/generate.ts'
import { judge, type Verdict } from './runs/judge.ts'
import { createPlainTracker, MISTAKES, type Mistake } from './runs/plain_tracker.ts'
import { SMALL_SIZE } from './runs/schedule.ts'
import { MINUTE_MS } from './runs/truth.ts'

const SEED = 1
const simulation = keepSimulation(
  createSimulation({ seed: SEED, days: 60, size: SMALL_SIZE, loss: 0.01, flood: 600, jumps: true }),
)

function judgePlain(mistake?: Mistake): Verdict {
  return judge(drive(simulation, { open: () => createPlainTracker(mistake), tickMs: 5 * MINUTE_MS }))
}

/** What the judge holds against a tracker, in one word each. */
function faultsOf({ missed, falseAlarmsPerThousand, wrong, eta }: Verdict): string[] {
  return [
    ...(missed.length > 0 ? ['missed'] : []),
    ...(falseAlarmsPerThousand > 1 ? ['false alarms'] : []),
    ...(wrong.length > 0 ? ['wrong'] : []),
    ...(eta.held < 0.75 || eta.held > 0.85 ? ['eta'] : []),
  ]
}

describe('judge()', () => {
  it('finds nothing against a tracker without mistakes', () => {
    const verdict = judgePlain()
    assert.deepEqual(faultsOf(verdict), [], JSON.stringify(verdict, undefined, 1))
    assert.ok(verdict.mustFind > 100)
    assert.ok(verdict.runs > 3000)
  })

  const found: Record<Mistake, readonly string[]> = {
    'forgets-late': ['missed', 'wrong'],
    'counts-duplicates': ['missed', 'wrong'],
    'learns-from-the-odd-day': ['missed', 'false alarms', 'wrong'],
    'cries-after-change': ['false alarms', 'wrong'],
    'forgets-loss-after-a-day': ['missed', 'false alarms', 'wrong'],
    'waits-for-the-first-product': ['missed'],
    'expects-weekly-daily': ['false alarms'],
    'alarms-back-fills': ['false alarms'],
    'trusts-its-eta': ['eta'],
    'tells-twice': ['wrong'],
    'loses-a-product': ['false alarms', 'wrong'],
  }
  for (const mistake of MISTAKES)
    it(`finds the mistake of a tracker that ${mistake}`, () => {
      assert.deepEqual(faultsOf(judgePlain(mistake)), found[mistake])
    })
})
