import { after, describe, it } from 'node:test'
import { toBytes } from '#shared/bytes/bytes.ts'
import { createMemoryStore } from '../../../support/memory_store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { createManualClock } from '../../../support/clock.ts'
import { createFlakyStore } from '../../../contract/hub_flaky_store.ts'
import {
  closeHubs,
  createPublisher,
  createSpace,
  createTestFormat,
  fill,
  listen,
  notificationsOf,
  openHub,
} from '../../../contract/hub_support.ts'
import { put } from '../../../contract/store_support.ts'
import { eventually } from '../../../support/waiting.ts'

describe('admit()', () => {
  after(closeHubs)

  it('begins a stream whose place takes long to find, and lets go when it leaves', async () => {
    const inner = createMemoryStore({ clock: systemClock })
    const space = createSpace()
    const store = createFlakyStore(inner)
    const publisher = createPublisher(store, space)
    await fill(publisher, 3)
    // Writes that are none of ours, in a store that tells no progress: the end of history cannot be seen.
    const revision = await put(store, toBytes('/~elsewhere'))
    await put(store, toBytes('/~elsewhere'))
    store.isQuiet = true
    const clock = createManualClock()
    const hub = await openHub(store, space, { clock })
    const request = { selection: notificationsOf('a'), format: createTestFormat(space) }
    const starting = listen(hub, { ...request, from: { kind: 'revision', revision } })
    await eventually('a reader is at it', () => store.open === 2)
    await clock.advance(4_000)
    const [leaving, staying] = [await starting, await listen(hub, { ...request, from: { kind: 'live' } })]
    await leaving.read()
    const flow = leaving.flow()
    await eventually('it waits', () => hub.status().parked < hub.status().subscribers)
    await leaving.cancel()
    await flow
    await clock.advance(4_000)
    await eventually('only the upstream is left', () => store.open === 1)
    await publisher.publish('a', 'new')
    await staying.untilItems(1)
    await hub.close()
    await inner.close()
  })
})
