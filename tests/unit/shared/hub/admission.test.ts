import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import {
  closeHubs,
  createPublisher,
  createSpace,
  createTestFormat,
  listen,
  notificationsOf,
  openHub,
} from '../../../contract/hub_support.ts'
import { createMemoryStore } from '../../../support/memory_store.ts'
import { eventually } from '../../../support/waiting.ts'
import { systemClock } from '#shared/time/clock.ts'

after(closeHubs)

describe('admit()', () => {
  it('takes the next revision, and refuses the one after it', async () => {
    const [store, space] = [createMemoryStore({ clock: systemClock }), createSpace()]
    const hub = await openHub(store, space)
    const head = await createPublisher(store, space).publish('a', 'one')
    const request = { selection: notificationsOf('a'), format: createTestFormat(space) }
    const start = (revision: bigint) => ({ ...request, from: { kind: 'revision', revision } as const })
    await eventually('the hub has it', () => hub.status().revision === head)
    const next = await listen(hub, start(head + 1n))
    await assert.rejects(hub.subscribe(start(head + 2n)), { code: 'ERR_FUTURE_POSITION' })
    await next.cancel()
    await hub.close()
    await store.close()
  })
})
