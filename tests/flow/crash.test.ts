/** kill -9 of the server while it publishes: everything acknowledged is there after a restart, once, and streams go on where they were. */

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { startServer, temporaryFolder, type TestServer } from '../support/server.ts'
import { readEvents } from '../support/streams.ts'
import { eventually } from '../support/waiting.ts'

const WRITERS = 8
const KILLS = 3
/** Acknowledgements to see before each kill. */
const ACKS_BEFORE_KILL = 150

interface Acknowledged {
  readonly id: string
  readonly key: string
  readonly location: string
  readonly sequence: number
}

describe('kill -9 of the whole system during publishing', () => {
  it(
    'keeps everything acknowledged, in the store and on a resumed stream',
    { timeout: 120_000 },
    async (context) => {
      const data = await temporaryFolder(context)
      const acknowledged: Acknowledged[] = []
      let server = await start(data)
      const port = Number(new URL(server.url).port)
      for (let round = 0; round < KILLS; round++) {
        const writing = writeUntilKilled(server, acknowledged, round)
        const target = acknowledged.length + ACKS_BEFORE_KILL
        await eventually('enough was acknowledged', () => Promise.resolve(acknowledged.length >= target))
        await server.stop('SIGKILL')
        await writing
        server = await start(data, port)
      }
      await assertStored(server.url, acknowledged)
      await assertReplayed(server.url, acknowledged)
      assert.equal(await server.stop(), 0)
    },
  )
})

async function start(data: string, port = 0): Promise<TestServer> {
  const server = await startServer({ arguments: ['--data', data], port })
  await eventually('ready', async () => (await fetch(`${server.url}/ready`)).status === 200)
  return server
}

/** Each writer repeats a notification under the same id until it is acknowledged or the server is gone. */
async function writeUntilKilled(
  server: TestServer,
  acknowledged: Acknowledged[],
  round: number,
): Promise<void> {
  let step = 0
  const writer = async (): Promise<void> => {
    for (;;) {
      const location = `s3://bucket/${round}/${step}`
      const request = {
        class: 'od',
        date: '20260810',
        domain: 'g',
        expver: String(round),
        step: String(step++),
        stream: 'oper',
        time: '0',
      }
      const id = randomUUID()
      const body = JSON.stringify({
        specversion: '1.0',
        id,
        source: '/crash',
        type: 'aviso',
        data: { event: 'mars', request, location },
      })
      const response = await fetch(`${server.url}/api/v1/notification`, { method: 'POST', body }).catch(
        () => undefined,
      )
      if (response === undefined) return
      const answer = (await response.json().catch(() => undefined)) as
        | { key: string; sequence: string }
        | undefined
      if (answer === undefined) return
      assert.equal(response.status, 200, JSON.stringify(answer))
      acknowledged.push({ id, location, key: answer.key, sequence: Number(answer.sequence) })
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, writer))
}

async function assertStored(url: string, acknowledged: readonly Acknowledged[]): Promise<void> {
  const body = JSON.stringify({ key: btoa('/ec/mars/'), range_end: btoa('/ec/mars0'), limit: 10_000 })
  const response = await fetch(`${url}/v3/kv/range`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body,
  })
  const { kvs } = (await response.json()) as { kvs: { key: string; value: string }[] }
  const stored = new Map(kvs.map(({ key, value }) => [atob(key), atob(value)]))
  for (const { key, location } of acknowledged) assert.equal(stored.get(key), location)
}

async function assertReplayed(url: string, acknowledged: readonly Acknowledged[]): Promise<void> {
  const body = JSON.stringify({ event_type: 'mars', identifier: {}, from_id: '0' })
  const response = await fetch(`${url}/api/v1/replay`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body,
  })
  const events = await readEvents(response).rest()
  const replayed = events
    .filter(({ event }) => event === 'replay')
    .map(({ data }) => JSON.parse(data) as { id: string; data: { payload: string } })
  const sequences = replayed.map(({ id }) => Number(id.split('@')[1]))
  assert.deepEqual(
    sequences,
    sequences.map((_, index) => index + 1),
    'sequence numbers are dense and in order',
  )
  const bySequence = new Map(replayed.map(({ id, data }) => [Number(id.split('@')[1]), data.payload]))
  for (const { sequence, location } of acknowledged) assert.equal(bySequence.get(sequence), location)
  const locations = replayed.map(({ data }) => data.payload)
  assert.equal(new Set(locations).size, locations.length, 'nothing is stored twice')
}
