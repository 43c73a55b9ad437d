/** A process whose wall clock jumps by an hour: what has to do with durations goes on as if nothing had happened. */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { flight } from '../support/notifications.ts'
import { temporaryFolder } from '../support/server.ts'
import { readEvents } from '../support/streams.ts'
import { eventually } from '../support/waiting.ts'
import { createFakeClock, fakeClockMissing, type FakeClock } from './fake_clock.ts'
import { startService, type ServiceProcess } from './service_process.ts'
import { writeConfig } from './site.ts'

const HOUR_S = 3_600
/** Heartbeats come every second here; a machine that is busy with tests may be late. */
const HEARTBEATS = 2
const HEARTBEATS_MS = 10_000
/** Times to live: over while the clock is behind, and not over in this test. */
const SHORT_S = 2
const LONG_S = 600

interface Answer {
  readonly status: number
  readonly isReplayed: boolean
}

async function publish({ url }: ServiceProcess, number: string, ttl?: number): Promise<Answer> {
  const data = {
    event: 'flight',
    request: flight(number),
    payload: number,
    ...(ttl !== undefined && { ttl }),
  }
  const response = await fetch(`${url}/api/v1/notification`, {
    method: 'POST',
    headers: { 'content-type': 'application/cloudevents+json' },
    body: JSON.stringify({
      specversion: '1.0',
      id: `id of ${number}`,
      source: '/tests',
      type: 'aviso',
      data,
    }),
  })
  await response.body?.cancel()
  return { status: response.status, isReplayed: response.headers.get('idempotent-replay') === 'true' }
}

async function isStored({ url }: ServiceProcess, number: string): Promise<boolean> {
  const key = btoa(`/tmp/aviso/flight/20260810/italy/FCO/${number}`)
  const response = await fetch(`${url}/v3/kv/range`, { method: 'POST', body: JSON.stringify({ key }) })
  const { count } = (await response.json()) as { readonly count?: string }
  return count === '1'
}

/** A server whose clock can be moved. */
async function startWithClock(context: TestContext): Promise<{ server: ServiceProcess; clock: FakeClock }> {
  const folder = await temporaryFolder(context)
  const clock = await createFakeClock(join(folder, 'clock'))
  const config = await writeConfig(folder)
  const argv = ['rest', 'auth', '--data', join(folder, 'data'), '--config', config]
  const server = await startService('server', argv, clock)
  context.after(() => server.stop('SIGKILL'))
  return { server, clock }
}

async function assertHeartbeats(quiet: ReturnType<typeof readEvents>): Promise<void> {
  const from = performance.now()
  for (let count = 0; count < HEARTBEATS; count++) {
    const { event } = await quiet.next()
    assert.equal(event, 'heartbeat', 'the stream does not end')
  }
  const lasted = performance.now() - from
  assert.ok(lasted < HEARTBEATS_MS, `${HEARTBEATS} heartbeats came within ${lasted} ms`)
}

describe('a process whose wall clock jumps by an hour', { skip: await fakeClockMissing() }, () => {
  it('keeps heartbeats, ages, leases and ids', { timeout: 60_000 }, async (context) => {
    const { server, clock } = await startWithClock(context)
    const quiet = readEvents(await fetch(`${server.url}/api/v1/watch?event=flight&country=nowhere`))
    context.after(() => quiet.close())
    await quiet.next(({ event }) => event === 'heartbeat')
    await publish(server, 'AZ1')
    await publish(server, 'AZ2', LONG_S)
    assert.deepEqual(await publish(server, 'AZ3', SHORT_S), { status: 200, isReplayed: false })
    for (const seconds of [HOUR_S, -HOUR_S]) {
      await clock.set(seconds)
      await assertHeartbeats(quiet)
      assert.deepEqual(await publish(server, 'AZ1'), { status: 200, isReplayed: true })
      assert.ok(await isStored(server, 'AZ2'), 'its time is not over')
    }
    await eventually('the short time is over', async () => !(await isStored(server, 'AZ3')), 100)
  })

  it(
    'knows ids from before, also when it is started again with the wrong time',
    { timeout: 60_000 },
    async (context) => {
      const { server, clock } = await startWithClock(context)
      // More than are read one by one.
      for (const number of ['AZ1', 'AZ2', 'AZ3', 'AZ4']) await publish(server, number)
      await clock.set(HOUR_S)
      await server.stop('SIGKILL')
      await server.start()
      assert.deepEqual(await publish(server, 'AZ1'), { status: 200, isReplayed: true })
      for (const number of ['AZ5', 'AZ6', 'AZ7']) await publish(server, number)
      await server.stop('SIGKILL')
      await server.start()
      assert.deepEqual(await publish(server, 'AZ1'), { status: 200, isReplayed: true })
      await clock.set(0)
      await server.stop('SIGKILL')
      await server.start()
      for (const number of ['AZ1', 'AZ5'])
        assert.deepEqual(await publish(server, number), { status: 200, isReplayed: true })
    },
  )
})
