/** The checker can fail: each broken variant is caught. The sound system stands the same faults without a finding. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkRun, countByKind } from '../checker.ts'
import { checkLives } from '../lives/check_lives.ts'
import { ETCD_STRIKES } from '../lives/etcd_stage.ts'
import { runRows } from '../lives/rows.ts'
import { assertCaught } from './assert_caught.ts'
import { runInMemory, type MemoryVariant } from './in_memory.ts'
import { runLivesInMemory, type LifeVariant } from './lives_in_memory.ts'
import { cutStreams, disturbWatches } from './provoke.ts'
import { BROKEN_VARIANTS, haunted } from './variants.ts'

const SEED = 20_261_125

describe('checkRun() on the sound system', () => {
  const cases: readonly (readonly [faults: string, variant: MemoryVariant])[] = [
    ['writes are lost, late and doubled', { store: haunted }],
    ['watches break and streams are cut', { store: disturbWatches, door: cutStreams }],
    ['history is compacted before it was read', { compacts: true }],
  ]
  for (const [faults, variant] of cases) {
    it(`finds nothing where ${faults}`, async () => {
      assert.deepEqual(countByKind(checkRun(await runInMemory(variant, SEED))), {})
    })
  }
})

describe('checkLives() on the sound system', () => {
  const cases: readonly LifeVariant[] = [
    ...ETCD_STRIKES.map((kind) => ({ kind })),
    { kind: 'restore of an older copy', isQuiet: true },
  ]
  for (const variant of cases) {
    const more = variant.isQuiet === true ? ', where the first request is a repeated one' : ''
    it(`finds nothing after ${variant.kind}${more}`, async () => {
      const record = await runLivesInMemory(variant, SEED)
      assert.ok(record.isLost)
      assert.deepEqual(checkLives(record), [])
    })
  }

  it('finds nothing where a value is damaged', async () => {
    assert.deepEqual((await runRows({ seed: SEED })).violations, [])
  })
})

describe('checkRun() on a broken system', () => {
  for (const [name, variant] of Object.entries(BROKEN_VARIANTS)) {
    if (!variant.needsEtcd) it(`catches ${name}: ${variant.mistake}`, () => assertCaught(variant, SEED))
  }
})
