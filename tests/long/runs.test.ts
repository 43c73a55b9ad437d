/**
 * Sixty days of a centre with 300,000 notifications a day, and seeds of smaller centres: too much for the gate, `npm run test:long`.
 * Prints the table of tests/README.md.
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createDice } from '../support/dice.ts'
import { drive, restartTimes } from '../simulation/runs/drive.ts'
import { createSimulation, type Options } from '../simulation/runs/generate.ts'
import { faultsOf, judge, type Verdict } from '../simulation/runs/judge.ts'
import { openRealTracker } from '../simulation/runs/real_tracker.ts'
import { FULL_SIZE, GATE_SIZE } from '../simulation/runs/schedule.ts'
import { MINUTE_MS } from '../simulation/runs/truth.ts'

const DAYS = 60
const SEEDS = [2, 3, 4, 5, 6, 7, 8, 9]
const RESTARTS = 12
/** Figures that the issue asks for. */
const MOST_MICROS = 5
const MOST_MEGABYTES = 100
const MOST_RESTART_MS = 2000
const FULL: Options = {
  seed: 1,
  days: DAYS,
  size: FULL_SIZE,
  loss: 0.004,
  flood: 12_000,
  jumps: false,
  weather: 1,
}

const rows: string[] = []

describe('createTracker(), 300,000 notifications a day', () => {
  const open = openRealTracker()
  const simulation = createSimulation(FULL)
  const restartsAt = restartTimes(RESTARTS, DAYS, createDice(FULL.seed).fraction)
  const observed = drive(simulation, { open, tickMs: MINUTE_MS, restartsAt, measuresMemory: true })
  const micros = observed.processorMicros / observed.products
  const megabytes = (observed.heldBytes ?? 0) / 1e6
  const { ms, products } = observed.longestRestart
  console.log(
    `${micros.toFixed(2)} µs of processor time per notification, a tick each minute included; ${megabytes.toFixed(0)} MB held at the end; ` +
      `longest of ${observed.restarts} restarts ${ms.toFixed(0)} ms, with ${products} products taken again`,
  )

  it('finds every loss and lateness, through restarts at random times', () => {
    const verdict = judge(observed)
    rows.push(rowOf(`${observed.products.toLocaleString('en')} in 60 days, seed 1`, verdict))
    assert.deepEqual(faultsOf(verdict), [], JSON.stringify(verdict, undefined, 1))
    assert.ok(observed.products > 15_000_000)
    assert.equal(observed.restarts, RESTARTS)
  })

  it('is small and cheap, and is there again at once', () => {
    assert.ok(megabytes <= MOST_MEGABYTES, `${megabytes} MB`)
    assert.ok(micros <= MOST_MICROS, `${micros} µs`)
    assert.ok(ms <= MOST_RESTART_MS, `a restart took ${ms} ms`)
  })
})

describe('createTracker(), other seeds, clocks that jump, more that goes wrong', () => {
  for (const seed of SEEDS)
    it(`finds every loss and lateness of seed ${seed}`, () => {
      const simulation = createSimulation({
        seed,
        days: DAYS,
        size: GATE_SIZE,
        loss: 0.01,
        flood: 600,
        jumps: true,
        weather: 1,
      })
      const observed = drive(simulation, { open: openRealTracker(), tickMs: MINUTE_MS })
      const verdict = judge(observed)
      rows.push(rowOf(`${observed.products.toLocaleString('en')}, seed ${seed}`, verdict))
      assert.deepEqual(faultsOf(verdict), [], JSON.stringify(verdict, undefined, 1))
    })

  it('prints the table', () => {
    console.log(
      [
        '| notifications | runs | losses and latenesses found | false alarms | alarms after a change | ETAs that held | told after the usual end, median, most |',
        '|---|---|---|---|---|---|---|',
        ...rows,
      ].join('\n'),
    )
  })
})

function rowOf(
  name: string,
  { runs, found, mustFind, falseAlarms, changeAlarms, eta, told }: Verdict,
): string {
  const cells = [
    name,
    runs,
    `${found} of ${mustFind}`,
    falseAlarms.length,
    changeAlarms,
    `${(100 * eta.held).toFixed(1)} % of ${eta.asked}`,
    `${told.middle.toFixed(0)}, ${told.most.toFixed(0)} min`,
  ]
  return `| ${cells.join(' | ')} |`
}
