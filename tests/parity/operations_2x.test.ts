/**
 * What operators of aviso-server 2.x measure: the metrics that its boards ask for, with their labels and outcomes, by the numbers of its
 * conformance cases (J12, J13) and the table of its metrics.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { allMetrics } from '../../scripts/generate/metrics.ts'
import { proxyToken, TRUSTED_PROXY, withImported, type ImportedSystem } from '../support/imported_2x.ts'
import { CONNECTION_SECONDS } from '#shared/observe/metrics/metrics.ts'

/** Name on the page of a counter without `_total` → labels, as in 2.x. */
const UPSTREAM: Readonly<Record<string, readonly string[]>> = {
  aviso_build: ['version'],
  aviso_http_requests: ['route', 'method', 'status_code'],
  aviso_http_request_duration_seconds: ['route', 'method'],
  aviso_http_requests_in_flight: ['method'],
  aviso_backend_operations: ['backend', 'operation', 'outcome'],
  aviso_backend_operation_duration_seconds: ['backend', 'operation'],
  aviso_notifications: ['event_type', 'status'],
  aviso_sse_connections_active: ['route', 'event_type'],
  aviso_sse_connections: ['route', 'event_type'],
  aviso_sse_unique_users_active: ['route'],
  aviso_sse_events_sent: ['route', 'event_type'],
  aviso_sse_stream_errors: ['route', 'event_type'],
  aviso_sse_connection_duration_seconds: ['route'],
  aviso_auth_requests: ['mode', 'outcome'],
  aviso_ecpds_cache_hits: [],
  aviso_ecpds_cache_misses: [],
  aviso_ecpds_cache_size: [],
  aviso_ecpds_access_decisions: ['outcome'],
  aviso_ecpds_fetch: ['outcome'],
  process_cpu_seconds: [],
  process_resident_memory_bytes: [],
  process_start_time_seconds: [],
}

const SERVER = `
application: { host: 127.0.0.1, port: 8000 }
notification_backend: { kind: in_memory }${TRUSTED_PROXY}
notification_schema:
  any:
    topic: { base: any, key_order: [x] }
    identifier: { x: { type: StringHandler } }
  closed:
    topic: { base: closed, key_order: [x] }
    identifier: { x: { type: StringHandler } }
    auth: { required: true }
`

/** The value of a series; `undefined` where there is none. */
async function value({ metrics }: ImportedSystem, series: string): Promise<number | undefined> {
  const line = (await metrics()).split('\n').find((each) => each.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length + 1))
}

describe('metrics of 2.x', () => {
  it('are there with the labels that its boards ask for', async () => {
    const { everywhere } = await allMetrics()
    const labels = new Map(everywhere.map((family) => [family.name, family.labels]))
    for (const [name, wanted] of Object.entries(UPSTREAM)) assert.deepEqual(labels.get(name), wanted, name)
    assert.deepEqual([CONNECTION_SECONDS[0], CONNECTION_SECONDS.at(-1)], [1, 86_400])
  })

  it('J12: have the patterns of routes, and one route for all paths that there are not', () =>
    withImported(SERVER, async (system) => {
      for (const path of ['/a', '/b/c', '/api/v1/nope']) assert.equal((await system.call(path)).status, 404)
      await system.call('/api/v1/schema/any')
      for (const path of ['notification/any%401', 'wipe/stream', 'wipe/all'])
        await system.call(`/api/v1/admin/${path}`, { method: 'DELETE' })
      for (const method of ['PURGE', 'BREW', 'QUERY']) await system.call('/health', { method })
      const page = await system.metrics()
      assert.match(page, /aviso_http_requests_total\{route="unmatched",method="GET",status_code="404"\} 3\b/)
      for (const [route, method] of [
        ['/api/v1/schema/{event_type}', 'GET'],
        ['/api/v1/admin/notification/{id}', 'DELETE'],
        ['/api/v1/admin/wipe/stream', 'DELETE'],
        ['/api/v1/admin/wipe/all', 'DELETE'],
      ])
        assert.ok(page.includes(`aviso_http_requests_total{route="${route}",method="${method}",`), route)
      assert.doesNotMatch(page, /PURGE|BREW|"\/a"|nope/)
    }))

  it('J13: are there from the start, at zero', () =>
    withImported(SERVER, async (system) => {
      for (const outcome of ['success', 'unauthorized', 'forbidden', 'service_unavailable'])
        assert.equal(
          await value(system, `aviso_auth_requests_total{mode="trusted_proxy",outcome="${outcome}"}`),
          0,
          outcome,
        )
      for (const outcome of [
        'success',
        'http_401',
        'http_403',
        'http_4xx',
        'http_5xx',
        'invalid_response',
        'unreachable',
      ])
        assert.equal(await value(system, `aviso_ecpds_fetch_total{outcome="${outcome}"}`), 0, outcome)
      for (const outcome of ['allow', 'deny_destination', 'deny_match_key_missing', 'unavailable', 'error'])
        assert.equal(
          await value(system, `aviso_ecpds_access_decisions_total{outcome="${outcome}"}`),
          0,
          outcome,
        )
    }))

  it('count notifications, operations, deliveries and users in the words of 2.x', () =>
    withImported(SERVER, async (system) => {
      const admin = await proxyToken({ username: 'admin', roles: ['admin'] })
      const joe = await proxyToken({ username: 'joe' })
      const publish = async (event_type: string, identifier: object): Promise<number> =>
        (await system.post('/api/v1/notification', { event_type, identifier }, admin)).status
      for (const x of ['a', 'b', 'c']) assert.equal(await publish('any', { x }), 200)
      assert.equal(await publish('any', { y: 'a' }), 400)
      assert.equal(await publish('nope', { x: 'a' }), 400)
      const replay = { event_type: 'any', identifier: { x: ['a', 'b'] }, from_id: '0' }
      await (await system.post('/api/v1/replay', replay)).text()
      const open = await Promise.all(
        [joe, joe, admin].map((headers) =>
          system.post('/api/v1/watch', { event_type: 'any', identifier: {} }, headers),
        ),
      )
      assert.equal(await publish('any', { x: 'd' }), 200)
      const remove = async (path: string, body?: object): Promise<number> => {
        const headers = { ...admin, 'content-type': 'application/json' }
        const init = { method: 'DELETE', headers, ...(body && { body: JSON.stringify(body) }) }
        return (await system.call(`/api/v1/admin/${path}`, init)).status
      }
      assert.equal(await remove('notification/any%401'), 200)
      assert.equal(await remove('notification/any%40999'), 404)
      assert.equal(await remove('wipe/stream', { stream_name: 'ANY' }), 200)
      assert.equal(await remove('wipe/all'), 200)
      const operation = (name: string, outcome: string): string =>
        `aviso_backend_operations_total{backend="embedded",operation="${name}",outcome="${outcome}"}`
      const rows: readonly (readonly [series: string, value: number])[] = [
        ['aviso_notifications_total{event_type="any",status="success"}', 4],
        ['aviso_notifications_total{event_type="any",status="rejected"}', 1],
        ['aviso_notifications_total{event_type="generic",status="rejected"}', 1],
        [operation('publish', 'ok'), 4],
        [operation('delete_message', 'ok'), 1],
        [operation('delete_message', 'error'), 1],
        [operation('wipe_stream', 'ok'), 1],
        [operation('wipe_all', 'ok'), 1],
        ['aviso_sse_events_sent_total{route="/api/v1/replay",event_type="any"}', 2],
        ['aviso_sse_events_sent_total{route="/api/v1/watch",event_type="any"}', 3],
        ['aviso_sse_connections_active{route="/api/v1/watch",event_type="any"}', 3],
        ['aviso_sse_unique_users_active{route="/api/v1/watch"}', 2],
      ]
      const found: (readonly [string, number | undefined])[] = []
      for (const [series] of rows) found.push([series, await value(system, series)])
      assert.deepEqual(found, rows)
      for (const { body } of open) await body?.cancel()
    }))
})
