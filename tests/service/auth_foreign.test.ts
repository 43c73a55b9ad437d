import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createMemoryStore } from '../support/memory_store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { readFrames, withSystem } from './auth_fixture.ts'

const WATCH = '/api/v1/watch'
const REPLAY = '/api/v1/replay'
const ALL = { event_type: 'flight', identifier: {} }

describe('notifications of other writers', () => {
  it('delivers notifications of other writers with the number before them, or else under a name that 2.x clients skip', () =>
    withSystem(async (test) => {
      const stream = readFrames(await test.post(WATCH, ALL))
      await stream.next()
      const revision = await test.publishForeign('x')
      const { event, data } = await stream.next()
      assert.deepEqual([event, data.id], ['unnumbered-notification', `flight@r${revision}.0`])
      const open = readFrames(await test.call('/api/v1/watch?event=flight'))
      await open.next()
      await test.publish('a')
      const second = await test.publishForeign('y')
      const ids = async (frames: typeof stream) => [
        (await frames.next()).data.id,
        (await frames.next()).data.id,
      ]
      assert.deepEqual(await ids(stream), ['flight@1', 'flight@1'])
      assert.deepEqual(await ids(open), ['flight@1', `flight@r${second}.0`])
      await open.close()
      await stream.close()
    }))

  it('finds the number before a notification of another writer in history, too', async () => {
    const store = createMemoryStore({ clock: systemClock })
    const kept = { store: () => ({ ...store, close: () => Promise.resolve() }) }
    await withSystem(async (test) => {
      await test.publish('a')
      await test.publishForeign('x')
      await test.publish('b')
    }, kept)
    // The hub begins at b; what lies before is paged in.
    await withSystem(async (test) => {
      const frames = await readFrames(await test.post(REPLAY, { ...ALL, from_id: '1' })).rest()
      const ids = frames.filter(({ event }) => event === 'replay').map(({ data }) => data.id)
      assert.deepEqual(ids, ['flight@1', 'flight@1', 'flight@2'])
    }, kept)
  })
})
