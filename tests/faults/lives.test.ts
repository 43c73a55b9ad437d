/**
 * A store that loses what it had acknowledged, behind services that run and between their runs: every listener is told, and nothing that is
 * repeated is lost.
 *
 * `AVISO_FAULTS_SEED` runs the choices of a seed again. More rounds: `npm run faults`.
 */

import assert from 'node:assert/strict'
import process from 'node:process'
import { describe, it, type TestContext } from 'node:test'
import { createDice } from '../support/dice.ts'
import { etcdMissing } from '../support/etcd.ts'
import { runEmbeddedLives, runEtcdLives } from './lives/run_lives.ts'
import { showViolations, summariseLives } from './summary.ts'

/** Another seed every time, or the one that is asked for. */
function drawSeed(context: TestContext): number {
  const seed = Number(process.env['AVISO_FAULTS_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  context.diagnostic(`seed ${seed}`)
  return seed
}

describe('etcd that loses what it had acknowledged', { skip: await etcdMissing() }, () => {
  it(
    'is noticed by running services, and renewed by an operator where none runs',
    { timeout: 120_000 },
    async (context) => {
      const seed = drawSeed(context)
      // One kind of each half; another seed meets the other.
      const behind = createDice(seed).pick(['wipe', 'restore of an older copy'])
      const report = await runEtcdLives({ seed, kinds: [behind, 'restore while stopped'] })
      for (const line of summariseLives(report)) context.diagnostic(line)
      assert.deepEqual(
        report.records.map(({ isLost }) => isLost),
        [true, true],
      )
      assert.deepEqual(showViolations(report.violations), [])
    },
  )
})

describe('an embedded store that is damaged or put back', () => {
  it(
    'is refused or has everything, and with an accepted loss every listener is told',
    { timeout: 120_000 },
    async (context) => {
      const seed = drawSeed(context)
      const dice = createDice(seed)
      // Some of the kinds; another seed meets others.
      const losses = [
        dice.pick(['bit flip', 'truncated log']),
        'damaged page',
        dice.pick(['older copy while stopped', 'restore of a backup']),
      ]
      const report = await runEmbeddedLives({ seed, kinds: ['torn tail', 'disk full', ...losses] })
      for (const line of summariseLives(report)) context.diagnostic(line)
      assert.deepEqual(
        report.records.map(({ isLost }) => isLost),
        [false, false, true, true, true],
      )
      assert.deepEqual(showViolations(report.violations), [])
    },
  )
})
