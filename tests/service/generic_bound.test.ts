/** The bound on event types without a schema, as a provider and an operator meet it. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createActivity, MAX_ACTIVE_EVENTS } from '#services/auth/streams/activity.ts'
import { prefixRange } from '#shared/bytes/bytes.ts'
import { GENERIC_ROOT } from '#shared/notification/aviso2/generic.ts'
import { MAX_GENERIC_EVENTS } from '#shared/notification/aviso2/generic_bound.ts'
import { AVISO2 } from '../support/aviso2_schemas.ts'
import { withAviso2System } from '../support/aviso2_system.ts'

describe('event types without a schema', () => {
  it('are refused where there are too many, and then nothing is stored', async () => {
    const permissive = { ...AVISO2, notification_schema_strict: false }
    await withAviso2System(
      async (system) => {
        const notify = (event_type: string): ReturnType<typeof system.post> =>
          system.post('/api/v1/notification', { event_type, identifier: { a: 'b' } })
        const events = Array.from({ length: MAX_GENERIC_EVENTS }, (_, index) => `run-${index}`)
        const statuses = await Promise.all(events.map(async (event) => (await notify(event)).status))
        assert.ok(statuses.every((status) => status === 200))
        const { body, status } = await notify('one-more')
        assert.equal(status, 400)
        assert.match(String(body['message']), /event types without a schema.*give "one-more" a schema/)
        assert.equal((await notify('run-5')).status, 200)
        const range = { ...prefixRange(`${GENERIC_ROOT}one-more/`), countOnly: true }
        assert.equal((await system.store.range(range)).count, 0n)
        await system.publish('extreme', { region: 'north', run_time: '00', severity: 1, anomaly: 0 })
      },
      [permissive],
    )
  })
})

describe('createActivity()', () => {
  it('counts further event types together', () => {
    const activity = createActivity({ now: () => 5 })
    for (let count = 0; count < MAX_ACTIVE_EVENTS + 10; count++)
      activity.seen(
        { event: `run-${count}`, request: {}, revision: 1n, index: 0, key: new Uint8Array() } as never,
        2,
      )
    assert.equal(activity.events.size, MAX_ACTIVE_EVENTS + 1)
    assert.deepEqual(activity.events.get('…'), {
      notifications: 10,
      deliveries: 20,
      last: undefined,
      lastAt: 5,
    })
  })
})
