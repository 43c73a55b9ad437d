import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readEvents } from '../support/streams.ts'
import {
  flightBody,
  IDENTITIES,
  LISTENER_TOKEN,
  OPERATOR_TOKEN,
  withMeasuredSystem,
} from './metrics_fixture.ts'

describe('GET /metrics', () => {
  it('counts what happens, by the names of aviso 2.x', async () => {
    await withMeasuredSystem(async ({ call, post, page }) => {
      const stream = await post('/api/v1/watch', { event_type: 'flight', identifier: { country: 'Italy' } })
      const events = readEvents(stream)
      await events.next(({ data }) => data.includes('connection_established'))
      for (const number of ['1', '2'])
        assert.equal((await post('/api/v1/notification', flightBody(number))).status, 200)
      assert.equal(
        (await post('/api/v1/notification', { event_type: 'nothing', identifier: { a: '1' } })).status,
        400,
      )
      await events.next(({ data }) => data.includes('"flight@2"'))
      await call('/nowhere/at/all')
      await call('/x'.repeat(500))
      const text = await page()
      for (const line of [
        'aviso_build_info{version="1.2.3"} 1.0',
        'aviso_http_requests_total{route="/api/v1/notification",method="POST",status_code="200"} 2.0',
        'aviso_http_requests_total{route="/api/v1/notification",method="POST",status_code="400"} 1.0',
        'aviso_http_requests_total{route="/api/v1/watch",method="POST",status_code="200"} 1.0',
        'aviso_http_requests_total{route="unmatched",method="GET",status_code="404"} 2.0',
        'aviso_http_request_duration_seconds_count{route="/api/v1/notification",method="POST"} 3.0',
        'aviso_notifications_total{event_type="flight",status="success"} 2.0',
        'aviso_notifications_refused_total{code="ERR_UNKNOWN_EVENT"} 1.0',
        'aviso_sse_connections_active{route="/api/v1/watch",event_type="flight"} 1.0',
        'aviso_sse_connections_total{route="/api/v1/watch",event_type="flight"} 1.0',
        'aviso_sse_events_sent_total{route="/api/v1/watch",event_type="flight"} 2.0',
        'aviso_hub_up 1.0',
        'aviso_auth_requests_total{mode="none",outcome="success"} 1.0',
        'aviso_auth_requests_total{mode="none",outcome="unauthorized"} 0.0',
        'aviso_store_up{backend="embedded"} 1.0',
        // This request, and the stream is answered already.
        'aviso_http_requests_in_flight{method="GET"} 1.0',
        'aviso_http_requests_in_flight{method="POST"} 0.0',
      ]) {
        assert.ok(text.includes(`${line}\n`), `${line}\nis not in\n${text}`)
      }
      assert.match(
        text,
        /aviso_backend_operations_total\{backend="embedded",operation="txn",outcome="ok"\} [1-9]/,
      )
      assert.match(text, /aviso_delivery_lag_seconds_count [1-9]/)
      await events.close()
      await (await post('/api/v1/replay', { event_type: 'flight', identifier: {}, from_id: '0' })).text()
      const after = await page()
      for (const line of [
        'aviso_sse_connections_active{route="/api/v1/watch",event_type="flight"} 0.0',
        'aviso_sse_connections_active{route="/api/v1/replay",event_type="flight"} 0.0',
        'aviso_sse_connections_total{route="/api/v1/replay",event_type="flight"} 1.0',
        'aviso_sse_connection_duration_seconds_count{route="/api/v1/watch"} 1.0',
        'aviso_sse_connection_duration_seconds_count{route="/api/v1/replay"} 1.0',
      ])
        assert.ok(after.includes(`${line}\n`), `${line}\nis not in\n${after}`)
    })
  })

  it('stays small, whatever clients send', async () => {
    await withMeasuredSystem(async ({ call, post, page }) => {
      const before = (await page()).length
      for (let index = 0; index < 2_000; index++)
        await call(`/path${index}?q=${index}`, { headers: { 'x-request-id': `id${index}` } })
      for (let index = 0; index < 300; index++) {
        await post('/api/v1/notification', {
          event_type: `event"\n${index}`,
          identifier: { [`f${index}`]: '1' },
        })
        await post('/api/v1/watch', { event_type: `event${index}` })
        await call('/metrics', { method: `M${index}` })
      }
      const text = await page()
      assert.ok(text.length < before + 20_000, `${before} → ${text.length}`)
      assert.ok(!text.includes('event"') && !text.includes('path1'))
    })
  })

  it('answers Prometheus in either of its forms', async () => {
    await withMeasuredSystem(async ({ call }) => {
      const plain = await call('/metrics')
      assert.equal(plain.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
      assert.match(await plain.text(), /^# TYPE aviso_streams_refused_total counter$/m)
      const open = await call('/metrics', {
        headers: { accept: 'application/openmetrics-text; version=1.0.0' },
      })
      assert.equal(
        open.headers.get('content-type'),
        'application/openmetrics-text; version=1.0.0; charset=utf-8',
      )
      assert.match(await open.text(), /# EOF\n$/)
      assert.equal((await call('/metrics', { method: 'POST' })).status, 405)
    })
  })

  it('tells the monitoring in the same process, without UDP', async () => {
    await withMeasuredSystem(async ({ call, post, advance }) => {
      await post('/api/v1/notification', flightBody('1'))
      await post('/api/v1/notification', flightBody('2'))
      await advance(2_000)
      const status = (await (await call('/api/v1/monitoring/status')).json()) as {
        readonly checks: readonly {
          readonly name: string
          readonly message: string
          readonly metrics: object
        }[]
      }
      const rest = status.checks.find(({ name }) => name === 'rest_resp_time')
      assert.equal(rest?.message, 'Response time is nominal')
      assert.deepEqual(Object.keys(rest?.metrics ?? {}), [
        'rest_resp_time_avg',
        'rest_resp_time_max',
        'rest_resp_time_min',
      ])
    })
  })
})

describe('GET /api/v1/notifications/{id}/trace', () => {
  const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

  it('tells the way of a notification', async () => {
    await withMeasuredSystem(async ({ call, post }) => {
      const events = readEvents(
        await post('/api/v1/watch', { event_type: 'flight', identifier: { country: 'Italy' } }),
      )
      await events.next(({ data }) => data.includes('connection_established'))
      await post('/api/v1/notification', flightBody('1'), { traceparent: TRACEPARENT })
      await events.next(({ data }) => data.includes('"flight@1"'))
      for (const id of ['flight@1', 'flight%401']) {
        const response = await call(`/api/v1/notifications/${id}/trace`)
        assert.equal(response.status, 200)
        const trace = (await response.json()) as Record<string, unknown>
        assert.deepEqual([trace['id'], trace['event_type'], trace['sequence']], ['flight@1', 'flight', '1'])
        assert.equal(trace['traceparent'], TRACEPARENT)
        assert.equal(trace['listeners'], 1)
        for (const name of ['written_at', 'accepted_at', 'committed_at', 'seen_by_hub_at']) {
          assert.match(String(trace[name]), /^\d{4}-.*Z$/, name)
        }
      }
      await events.close()
    })
  })

  it('refuses what is no notification', async () => {
    await withMeasuredSystem(async ({ call, post }) => {
      await post('/api/v1/notification', flightBody('1'))
      const rows: Readonly<Record<string, number>> = {
        'flight@2': 404,
        'flight@999999999999999': 404,
        'unknown@1': 404,
        'flight@0': 400,
        'flight@-1': 400,
        'flight@01': 400,
        'flight@9999999999999999999': 400,
        flight: 400,
        '%': 400,
        '%00@1': 404,
        '__proto__@1': 404,
      }
      for (const [id, status] of Object.entries(rows)) {
        assert.equal((await call(`/api/v1/notifications/${id}/trace`)).status, status, id)
      }
    })
  })
})

describe('GET /api/v1/notifications/{id}/trace with identities', () => {
  it('shows nobody what they may not see, not even that it is there', async () => {
    await withMeasuredSystem(async ({ call, post }) => {
      const asOperator = { authorization: `Bearer ${OPERATOR_TOKEN}` }
      const asListener = { authorization: `Bearer ${LISTENER_TOKEN}` }
      for (const country of ['Italy', 'France']) {
        assert.equal((await post('/api/v1/notification', flightBody('1', country), asOperator)).status, 200)
      }
      const statusOf = async (id: string, headers: Record<string, string>): Promise<number> =>
        (await call(`/api/v1/notifications/${id}/trace`, { headers })).status
      assert.deepEqual(
        [await statusOf('flight@1', asOperator), await statusOf('flight@2', asOperator)],
        [200, 200],
      )
      assert.equal(await statusOf('flight@1', asListener), 200)
      assert.equal(await statusOf('flight@2', asListener), 404)
      assert.equal(await statusOf('flight@3', asListener), 404)
      assert.equal(await statusOf('flight@1', {}), 401)
    }, IDENTITIES)
  })
})

describe('GET /api/v1/monitoring/status with identities', () => {
  it('is for administrators, and what identity counts is on the page', async () => {
    await withMeasuredSystem(async ({ call, page }) => {
      const statusFor = async (token?: string): Promise<number> => {
        const headers: Record<string, string> =
          token === undefined ? {} : { authorization: `Bearer ${token}` }
        return (await call('/api/v1/monitoring/status', { headers })).status
      }
      assert.equal(await statusFor(), 401)
      assert.equal(await statusFor('nobody-s-token-nobody-s-token-nobody'), 401)
      assert.equal(await statusFor(LISTENER_TOKEN), 403)
      assert.equal(await statusFor(OPERATOR_TOKEN), 200)
      const text = await page()
      assert.ok(text.includes('aviso_access_events_total{event="fail_open"} 0.0\n'))
      assert.ok(text.includes('aviso_access_events_total{event="identified"} 2.0\n'), text)
      for (const secret of [OPERATOR_TOKEN, LISTENER_TOKEN, 'olga', 'joe']) assert.ok(!text.includes(secret))
    }, IDENTITIES)
  })
})
