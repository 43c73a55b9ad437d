/** Mistakes that only a real cluster provokes, beside the sound adapter under the same faults. */

import { describe, it } from 'node:test'
import { etcdMissing } from '../../support/etcd.ts'
import { assertCaught } from './assert_caught.ts'
import { BROKEN_VARIANTS } from './variants.ts'

const SEED = 7

describe('checkRun() on broken adapters over real etcd', { skip: await etcdMissing() }, () => {
  for (const [name, variant] of Object.entries(BROKEN_VARIANTS)) {
    if (variant.needsEtcd) it(`catches ${name}: ${variant.mistake}`, () => assertCaught(variant, SEED))
  }
})
