/** A store that loses what it had acknowledged, behind a whole installation: every listener is told, and nothing that is repeated is lost. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createDice } from '../support/dice.ts'
import { etcdMissing } from '../support/etcd.ts'
import { checkLives } from './lives/check_lives.ts'
import { ETCD_STRIKES, etcdStage } from './lives/etcd_stage.ts'
import { createWorld } from './lives/life_parts.ts'
import { playRound } from './lives/round.ts'
import { startSite } from './site.ts'
import { showViolations } from './summary.ts'

describe('etcd that loses what it had acknowledged', { skip: await etcdMissing() }, () => {
  it('keeps its promises', { timeout: 120_000 }, async (context) => {
    const seed = Number(process.env['AVISO_FAULTS_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
    context.diagnostic(`seed ${seed}`)
    const dice = createDice(seed)
    const site = await startSite(dice.fork('site'))
    const world = createWorld()
    try {
      for (const kind of ETCD_STRIKES) {
        const record = await playRound({ kind, dice: dice.fork(kind), world, stage: etcdStage(site, kind) })
        assert.ok(record.isLost, `${kind}: something was lost`)
        assert.deepEqual(showViolations(checkLives(record)), [])
      }
    } finally {
      await site.close()
    }
  })
})
