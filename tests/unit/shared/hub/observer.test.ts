import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createMemoryStore } from '../../../support/memory_store.ts'
import { systemClock } from '#shared/time/clock.ts'
import {
  createPublisher,
  createSpace,
  createTestFormat,
  listen,
  notificationsOf,
  oneOf,
  openHub,
  rangesOf,
} from '../../../contract/hub_support.ts'

const LIVE = { kind: 'live' } as const

describe('createHub(), observer', () => {
  it('is told each notification once, with the streams it goes to', async () => {
    const [store, space] = [createMemoryStore({ clock: systemClock }), createSpace()]
    const seen: string[] = []
    const hub = await openHub(store, space, {
      observer: { seen: ({ request }, listeners) => void seen.push(`${request['name']} ${listeners}`) },
    })
    const publisher = createPublisher(store, space)
    const format = createTestFormat(space)
    const all = await listen(hub, { selection: notificationsOf('a'), from: LIVE, format })
    await listen(hub, { selection: notificationsOf('a'), from: LIVE, format })
    await listen(hub, { selection: notificationsOf('a', { name: oneOf('yes') }), from: LIVE, format })
    await publisher.publish('a', 'yes', 'no')
    await publisher.publish('b', 'lonely')
    await listen(hub, { selection: rangesOf(space, 'a'), from: LIVE, format })
    await publisher.publish('a', 'yes')
    await all.untilItems(3)
    assert.deepEqual(seen, ['yes 3', 'no 2', 'lonely 0', 'yes 4'])
    await hub.close()
    await store.close()
  })
})
