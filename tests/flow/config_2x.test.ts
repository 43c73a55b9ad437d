/**
 * The launcher with a configuration of aviso-server 2.x, as it is.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'

import { freePort } from '../../scripts/etcd/member.ts'
import { startServer, temporaryFolder, type TestServer } from '../support/server.ts'
import { runClient } from '../support/client_program.ts'

const SCHEMA = `
notification_schema:
  mars:
    payload: { required: false }
    topic: { base: mars, key_order: [class, date, step] }
    identifier:
      class: { type: StringHandler, max_length: 2, required: true, description: MARS class }
      date: { type: DateHandler, canonical_format: "%Y%m%d", required: false }
      step: { type: IntHandler, range: [0, 100000], required: false }
`

function serverYaml(host: string, more = ''): string {
  return `
application: { host: "${host}", port: 8000, base_url: "http://localhost", static_files_path: /app/static }
watch_endpoint: { sse_heartbeat_interval_sec: 30, connection_max_duration_sec: 3600, replay_batch_size: 100 }
notification_backend: { kind: in_memory, in_memory: { max_history_per_topic: 10, max_topics: 100 } }
${more}${SCHEMA}`
}

async function publish({ url }: TestServer): Promise<Readonly<Record<string, unknown>>> {
  const identifier = { class: 'od', date: '2026-07-06', step: '012' }
  const response = await fetch(`${url}/api/v1/notification`, {
    method: 'POST',
    body: JSON.stringify({ event_type: 'mars', identifier, payload: 5 }),
  })
  const body = (await response.json()) as Readonly<Record<string, unknown>>
  assert.equal(response.status, 200, JSON.stringify(body))
  return body
}

async function replay({ url }: TestServer): Promise<string> {
  const body = { event_type: 'mars', identifier: { class: 'od', step: { gte: 12 } }, from_id: '0' }
  return (await fetch(`${url}/api/v1/replay`, { method: 'POST', body: JSON.stringify(body) })).text()
}

describe('a configuration of aviso-server 2.x', { timeout: 120_000 }, () => {
  it('starts as it is: event types, values and answers are those of 2.x, and the variables stand over it', async (context) => {
    const file = join(await temporaryFolder(context), 'server.yaml')
    const metricsPort = await freePort()
    await writeFile(file, serverYaml('127.0.0.1', `metrics: { enabled: true, port: ${metricsPort} }`))
    const server = await startServer({
      arguments: ['--config', file],
      environment: { AVISOSERVER_APPLICATION__BASE_URL: 'https://aviso.example.org' },
    })
    try {
      assert.equal((await publish(server))['status'], 'success')
      const frames = await replay(server)
      assert.match(frames, /"identifier":\{"class":"od","date":"20260706","step":"12"\},"payload":5/)
      assert.match(frames, /"source":"https:\/\/aviso\.example\.org"/)
      const { event_types: types } = (await (await fetch(`${server.url}/api/v1/schema`)).json()) as {
        event_types: readonly string[]
      }
      assert.deepEqual(types, ['mars'])
      const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
      assert.match(metrics, /aviso_notifications_total\{event_type="mars",status="success"\} 1/)
      assert.match(server.output(), /application\.static_files_path: there is no such page here/)
    } finally {
      await server.stop()
    }
  })

  it('is found by AVISOSERVER_CONFIG_FILE, and is open to others as it was, but for administration', async (context) => {
    const file = join(await temporaryFolder(context), 'server.json')
    const text = { application: { host: '0.0.0.0', port: 1 }, notification_backend: { kind: 'in_memory' } }
    await writeFile(file, JSON.stringify(text))
    const server = await startServer({
      environment: { AVISOSERVER_CONFIG_FILE: file, AVISO_ADMIN_TOKEN: 'the-token-of-the-administrator' },
    })
    try {
      const local = { ...server, url: server.url.replace('0.0.0.0', '127.0.0.1') }
      assert.equal((await publish(local))['status'], 'success')
      const wipe = (headers: Readonly<Record<string, string>>): Promise<Response> =>
        fetch(`${local.url}/api/v1/admin/notification/mars%401`, { method: 'DELETE', headers })
      assert.equal((await wipe({})).status, 401)
      const answer = await wipe({ authorization: 'Bearer the-token-of-the-administrator' })
      assert.equal(answer.status, 200, await answer.text())
    } finally {
      await server.stop()
    }
  })

  it('becomes ours with "aviso config import", which starts and does the same', async (context) => {
    const folder = await temporaryFolder(context)
    const theirs = join(folder, 'server.yaml')
    const ours = join(folder, 'ours.json')
    await writeFile(theirs, serverYaml('127.0.0.1'))
    const { code, stderr } = await runClient(['config', 'import', theirs, '--output', ours], { home: folder })
    assert.equal(code, 0, stderr)
    assert.match(await readFile(ours, 'utf8'), /"embedded:memory"/)
    const server = await startServer({ arguments: ['--config', ours] })
    try {
      await publish(server)
      assert.match(await replay(server), /"date":"20260706"/)
    } finally {
      await server.stop()
    }
  })
})
