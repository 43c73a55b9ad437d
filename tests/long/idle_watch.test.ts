/**
 * A stream over etcd that is left idle for twenty minutes still delivers, on every runtime. Too long for the gate: `npm run test:long`.
 *
 * etcd runs with its own progress interval of ten minutes, so nothing but our own care keeps the upstream watch alive or finds it dead.
 */

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import process from 'node:process'
import { after, before, describe, it } from 'node:test'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import { startServer, type RuntimeName } from '../support/server.ts'
import { readEvents } from '../support/streams.ts'
import { eventually } from '../support/waiting.ts'

const MINUTES = Number(process.env['AVISO_IDLE_MINUTES'] ?? '20')
const RUNTIMES: readonly RuntimeName[] = ['node', 'deno', 'bun', 'workerd']
const ETCD_PROGRESS_MS = 600_000
/** Longer than the default hour would end the stream by age. */
const LIMIT_MS = MINUTES * 60_000 + 120_000

describe(
  `a stream left idle for ${MINUTES} minutes`,
  { skip: await etcdMissing(), concurrency: true },
  () => {
    let etcd: EtcdCluster
    before(async () => {
      etcd = await startTestEtcd({ progressMs: ETCD_PROGRESS_MS })
    })
    after(() => etcd.close())

    const cases = RUNTIMES.flatMap((runtime) => ['gateway:', 'http:'].map((scheme) => ({ runtime, scheme })))
    for (const [index, { runtime, scheme }] of cases.entries()) {
      it(`still delivers on ${runtime}, over ${scheme}`, { timeout: LIMIT_MS }, async () => {
        const store = etcd.store.replaceAll('http:', scheme)
        const server = await startServer({ runtime, arguments: ['--store', store] })
        try {
          await eventually('ready', async () => (await fetch(`${server.url}/ready`)).status === 200)
          const step = String(index)
          const query = new URLSearchParams({ event: 'mars', step })
          const stream = readEvents(await fetch(`${server.url}/api/v1/watch?${query}`))
          await stream.next()
          const end = Date.now() + MINUTES * 60_000
          // Heartbeats keep this side awake; they must never stop coming.
          while (Date.now() < end) await stream.next(({ event }) => event === 'heartbeat')
          const startedAt = Date.now()
          await publish(server.url, step)
          await stream.next(
            ({ event, data }) => event === 'live-notification' && data.includes(`"step":"${step}"`),
          )
          console.log(`${runtime}: delivered ${Date.now() - startedAt} ms after the POST was sent`)
          await stream.close()
        } finally {
          await server.stop()
        }
      })
    }
  },
)

async function publish(url: string, step: string): Promise<void> {
  const request = { class: 'od', date: '20260810', domain: 'g', expver: '1', stream: 'oper', time: '0', step }
  const data = { event: 'mars', request, location: 's3://bucket/late' }
  const body = JSON.stringify({ specversion: '1.0', id: randomUUID(), source: '/long', type: 'aviso', data })
  const response = await fetch(`${url}/api/v1/notification`, { method: 'POST', body })
  assert.equal(response.status, 200, await response.text())
}
