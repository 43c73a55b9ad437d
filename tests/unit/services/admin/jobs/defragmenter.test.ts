import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Claim } from '#services/admin/jobs/claim.ts'
import { defragment } from '#services/admin/jobs/defragmenter.ts'
import { silentLogger } from '#shared/logger.ts'
import type { StoreMaintenance, StoreMember } from '#shared/store/maintenance.ts'
import { createSkippingClock } from '../../../../support/clock.ts'
import { rejects } from '../../../../contract/store_support.ts'

const MEMBER: StoreMember = {
  id: '1',
  name: 'one',
  isLeader: true,
  isReachable: true,
  sizeBytes: 2_000,
  sizeInUseBytes: 500,
  revision: 7n,
}

describe('defragment()', () => {
  it('waits a minute for a member to come back, where the date is set back meanwhile', async () => {
    const clock = createSkippingClock()
    let isPaused = false
    const maintenance = {
      members: async () => {
        clock.jump(-10_000)
        return [{ ...MEMBER, isReachable: !isPaused }]
      },
      defragment: async () => {
        isPaused = true
      },
    }
    const claim = { renew: async () => undefined }
    const startedAt = clock.monotonic()
    const running = defragment(
      // Nothing else is asked of them.
      { maintenance: maintenance as unknown as StoreMaintenance, clock, logger: silentLogger },
      { claim: claim as unknown as Claim },
    )
    await rejects(running, 'ERR_STORE_UNAVAILABLE')
    assert.equal(clock.monotonic() - startedAt, 60_000)
  })
})
