/** Two listening services on one store notice things at different times; a listener that moves between them must not pay for it. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EPOCH_KEY } from '#shared/store/epoch_key.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { createGate } from './broken/provoke.ts'
import { createDice } from '../support/dice.ts'
import { startLocalSystem } from './in_process.ts'
import { listen } from './listener.ts'
import { cloudEvent, drawNotification } from './notifications.ts'
import { createSseProtocol } from './sse_protocol.ts'
import { eventually } from '../support/waiting.ts'

describe('a listener that is ahead of the service it moves to', () => {
  it('is told of no gap when compaction passes the service, but not the listener', async () => {
    const store = createMemoryStore({ clock: systemClock })
    const gate = createGate(store)
    const [ahead, behind] = [await startLocalSystem(store), await startLocalSystem(gate.store)]
    const dice = createDice(1)
    let count = 0
    const publish = async (more: number): Promise<void> => {
      for (let left = more; left > 0; left--) {
        const body = JSON.stringify(cloudEvent(drawNotification(`n${count++}`, dice)))
        const headers = { 'content-type': 'application/cloudevents+json' }
        const response = await ahead.door('/api/v1/notification', { method: 'POST', headers, body })
        assert.equal(response.status, 200)
      }
    }
    const stop = new AbortController()
    try {
      await publish(5)
      gate.shut()
      await publish(20)
      const { revision: head } = await store.status()
      const [epoch] = (await store.range({ key: toBytes(EPOCH_KEY) })).kvs
      assert.ok(epoch !== undefined)
      const listener = listen({
        name: 'ahead',
        selection: { kind: 'notifications', event: 'flight', matches: () => true },
        protocol: createSseProtocol('flight'),
        habit: 'prompt',
        isUndisturbed: true,
        doors: [behind.door],
        cursor: `${toText(epoch.value)}.${head}`,
        dice,
        stop: stop.signal,
        settle: stop.signal,
        brake: { heldUntil: 0 },
      })
      const steps = () => listener.chain.sessions.flatMap((session) => session.steps)
      await eventually('the stream stands', async () => steps().length > 0)
      await store.compact(head - 5n)
      gate.open()
      await publish(10)
      await eventually('it goes on', async () => steps().some(({ kind }) => kind === 'notification'))
      assert.deepEqual(
        steps().filter(({ kind }) => kind === 'gap'),
        [],
      )
      stop.abort()
      await listener.done
    } finally {
      stop.abort()
      await Promise.all([ahead.close(), behind.close()])
      await store.close()
    }
  })
})
