import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as v from 'valibot'
import { startMonitoring, type Monitoring, type MonitoringParts } from '#services/monitoring/monitoring.ts'
import type { MonitoringOptions, OpsviewOptions } from '#services/monitoring/options.ts'
import { monitoringVars, opsviewServer } from '#services/monitoring/settings.ts'
import { MAX_DATAGRAMS_PER_SECOND } from '#services/monitoring/receive/udp_gate.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { toFetchHandler } from '#shared/handler.ts'
import { formatMetrics } from '#shared/observe/metrics/open_metrics.ts'
import { BACKUP_KEY, encodeBackupRecord } from '#shared/retention/backup_record.ts'
import { createRegistry } from '#shared/observe/metrics/registry.ts'
import { createOpenAccess } from '#shared/access/open_access.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { encodeTelemetry } from '#shared/observe/telemetry/message.ts'
import { createOpsviewStandIn } from '../support/opsview.ts'
import { createManualClock, settle } from '../support/clock.ts'
import { createSecret } from '#shared/secret.ts'

const MINUTE = 60_000
const { etcd: _etcd, pods: _pods, ...DEFAULTS } = v.parse(monitoringVars, {})
const OPTIONS: MonitoringOptions = { ...DEFAULTS, opsview: [] }
const OPSVIEW: OpsviewOptions = {
  ...v.parse(opsviewServer, {
    url: 'http://127.0.0.1:1/rest',
    username: 'aviso',
    passwordEnv: 'OPSVIEW',
    serviceHost: 'aviso host',
  }),
  password: createSecret('secret'),
}

function setUp(options: Partial<MonitoringOptions> = {}, parts: Partial<MonitoringParts> = {}) {
  const clock = createManualClock()
  const metrics = createRegistry()
  const logs: string[] = []
  const store = createMemoryStore({ clock: systemClock })
  const monitoring = startMonitoring({
    options: { ...OPTIONS, ...options },
    metrics,
    fetch: () => Promise.reject(new Error('the network is closed')),
    store,
    events: ['flight'],
    clock,
    random: () => 'random',
    access: createOpenAccess(),
    logger: (level, message) => void logs.push(`${level} ${message}`),
    ...parts,
  })
  const page = async (): Promise<string> => formatMetrics(await metrics.collect(), 'openmetrics')
  const close = async (): Promise<void> => {
    await monitoring.close()
    await store.close()
    assert.equal(clock.timers, 0)
  }
  return { monitoring, store, clock, metrics, logs, page, close }
}

/** A datagram of 1.x. */
function times(type: string, [counter, avg, max, min]: readonly number[], name = type): Uint8Array {
  return encodeTelemetry({
    telemetry_type: type,
    component_name: type.startsWith('rest') ? 'aviso-rest' : 'aviso-auth',
    hostname: 'vm',
    time: 1795301071.9,
    telemetry: {
      [`${name}_counter`]: counter ?? 0,
      [`${name}_avg`]: avg ?? 0,
      [`${name}_max`]: max ?? 0,
      [`${name}_min`]: min ?? 0,
    },
  })
}

function users(...names: readonly string[]): Uint8Array {
  return encodeTelemetry({
    telemetry_type: 'auth_users_counter',
    component_name: 'aviso-auth',
    hostname: 'vm',
    time: 1795301071.9,
    telemetry: { auth_users_counter_counter: names.length, auth_users_counter_values: names },
  })
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

async function statusOf(monitoring: Monitoring): Promise<Record<string, unknown>> {
  const response = await toFetchHandler(monitoring.handle)(
    new Request('http://127.0.0.1/api/v1/monitoring/status'),
  )
  assert.equal(response.status, 200)
  return (await response.json()) as Record<string, unknown>
}

describe('startMonitoring()', () => {
  it('turns datagrams of 1.x into right aggregates, on the page and in the status (rows 72, 76)', async () => {
    const { monitoring, page, close } = setUp()
    for (const figures of [
      [2, 2, 3, 1],
      [2, 3, 4, 2],
    ]) {
      assert.equal(monitoring.accept(times('rest_resp_time', figures)), true)
    }
    monitoring.accept(users('apple'))
    monitoring.accept(users('apple', 'pear'))
    const text = await page()
    for (const line of [
      'aviso_auth_users 2.0',
      'aviso_monitoring_measurements_total{measurement="rest_resp_time"} 4.0',
      'aviso_monitoring_measured_seconds_total{measurement="rest_resp_time"} 10.0',
      'aviso_monitoring_window_avg_seconds{measurement="rest_resp_time"} 2.5',
      'aviso_monitoring_window_max_seconds{measurement="rest_resp_time"} 4.0',
      'aviso_monitoring_window_min_seconds{measurement="rest_resp_time"} 1.0',
      'aviso_monitoring_messages_total{kind="telemetry"} 4.0',
    ]) {
      assert.ok(text.includes(`${line}\n`), `${line}\n${text}`)
    }
    assert.ok(!text.includes('apple') && !text.includes('pear'), 'who the users are is nobody’s business')
    const { status, users: count, checks } = await statusOf(monitoring)
    assert.deepEqual([status, count], ['ok', 2])
    assert.deepEqual((checks as unknown[])[0], {
      name: 'rest_resp_time',
      status: 'ok',
      message: 'Response time is nominal',
      metrics: { rest_resp_time_avg: 2.5, rest_resp_time_max: 4, rest_resp_time_min: 1 },
    })
    await close()
  })

  it('judges the window only, and the worst check decides', async () => {
    const { monitoring, clock, close } = setUp()
    monitoring.accept(times('auth_resp_time', [1, 30, 30, 30]))
    assert.equal((await statusOf(monitoring))['status'], 'critical')
    await clock.advance(6 * MINUTE)
    assert.equal((await statusOf(monitoring))['status'], 'ok')
    await close()
  })

  it('counts what it refuses, and goes on', async () => {
    const { monitoring, page, close } = setUp()
    for (const text of ['', 'x', '{}', '<1>nobody']) assert.equal(monitoring.accept(encode(text)), false)
    monitoring.accept(times('rest_resp_time', [1, 5, 4, 1]))
    for (let index = 0; index < 2_000; index++) monitoring.accept(times(`name${index}`, [1, 1, 1, 1]))
    const text = await page()
    for (const [reason, count] of Object.entries({
      empty: 1,
      malformed: 1,
      not_telemetry: 1,
      unknown_log: 1,
      measurement: 1_801,
    })) {
      assert.ok(
        text.includes(`aviso_monitoring_messages_refused_total{reason="${reason}"} ${count}.0\n`),
        reason,
      )
    }
    assert.ok(text.length < 100_000, 'names of strangers do not make the page large')
    await close()
  })

  it('reports to Opsview in the form of 1.x, of the time since the last report', async () => {
    const opsview = createOpsviewStandIn('aviso', 'secret')
    const { monitoring, clock, close } = setUp({ opsview: [OPSVIEW] }, { fetch: opsview.fetch })
    monitoring.accept(times('rest_resp_time', [2, 2, 3, 1]))
    monitoring.accept(times('auth_resp_time', [1, 11, 11, 11]))
    monitoring.accept(
      encode(
        '<191>1 2021-04-12T09:19:12Z aviso-rest-1 aviso-rest 58 - - {"levelname":"ERROR","message":"x"}',
      ),
    )
    await clock.advance(4 * MINUTE)
    await settled(() => opsview.submissions.length === 4)
    assert.deepEqual(
      opsview.submissions.map(({ hostname, servicename, body }) => [hostname, servicename, JSON.parse(body)]),
      [
        [
          'aviso host',
          'Passive Check: rest_resp_time',
          {
            set_state: {
              result: 0,
              output:
                'Response time is nominal | rest_resp_time_avg=2.0s; rest_resp_time_max=3s; rest_resp_time_min=1s; ',
            },
          },
        ],
        [
          'aviso host',
          'Passive Check: rest_error_log',
          {
            set_state: {
              result: 2,
              output: `Errors received: ['<191>1 2021-04-12T09:19:12Z aviso-rest-1 aviso-rest 58 - - {"levelname":"ERROR","message":"x"}'] `,
            },
          },
        ],
        [
          'aviso host',
          'Passive Check: auth_resp_time',
          {
            set_state: {
              result: 1,
              output:
                'Response time of 11s > than threshold 10 | auth_resp_time_avg=11.0s; auth_resp_time_max=11s; ',
            },
          },
        ],
        [
          'aviso host',
          'Passive Check: auth_error_log',
          { set_state: { result: 0, output: 'No error to report ' } },
        ],
      ],
    )
    await clock.advance(4 * MINUTE)
    await settled(() => opsview.submissions.length === 8)
    assert.equal(opsview.calls.login, 1, 'the token is kept')
    assert.match(opsview.submissions[5]?.body ?? '', /No error to report/)
    await close()
  })

  it('logs in again after a 401, once, and submits the same check (row 80)', async () => {
    const opsview = createOpsviewStandIn('aviso', 'secret')
    const { clock, close, logs } = setUp(
      { opsview: [{ ...OPSVIEW, checks: ['rest_resp_time'] }] },
      { fetch: opsview.fetch },
    )
    await clock.advance(4 * MINUTE)
    await settled(() => opsview.submissions.length === 1)
    opsview.expireTokens()
    await clock.advance(4 * MINUTE)
    await settled(() => opsview.submissions.length === 2)
    assert.deepEqual(opsview.calls, { login: 2, detail: 3 })
    assert.deepEqual(logs, [])
    opsview.misbehave(() => Promise.resolve(new Response(null, { status: 401 })))
    await clock.advance(4 * MINUTE)
    await settled(() => logs.length === 1)
    opsview.misbehave(undefined)
    await clock.advance(4 * MINUTE)
    await settled(() => opsview.submissions.length === 3)
    await close()
  })

  it('goes on when Opsview hangs, breaks, lies or floods', async () => {
    const opsview = createOpsviewStandIn('aviso', 'secret')
    const { clock, close, logs } = setUp({ opsview: [OPSVIEW] }, { fetch: opsview.fetch })
    const answers: readonly (() => Promise<Response>)[] = [
      () => Promise.reject(new Error('reset')),
      () => Promise.resolve(new Response('<html>', { status: 200 })),
      () => Promise.resolve(Response.json({ token: 'x\r\ny: z' })),
      () => Promise.resolve(new Response('x'.repeat(1_000_000))),
      () =>
        Promise.resolve(new Response(null, { status: 302, headers: { location: 'http://127.0.0.1:1/' } })),
    ]
    for (const [index, answer] of answers.entries()) {
      opsview.misbehave(answer)
      await clock.advance(4 * MINUTE)
      await settled(() => logs.length > index)
    }
    assert.ok(
      logs.every((line) => line === 'warn A check was not reported to Opsview'),
      logs.join('\n'),
    )
    opsview.misbehave(undefined)
    await clock.advance(4 * MINUTE)
    await settled(() => opsview.submissions.length === 4)
    await close()
  })
})

describe('POST /api/v1/telemetry', () => {
  const post = (monitoring: Monitoring, body: string, token?: string): Promise<Response> =>
    toFetchHandler(monitoring.handle)(
      new Request('http://127.0.0.1/api/v1/telemetry', {
        method: 'POST',
        body,
        ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
      }),
    )
  const line = new TextDecoder().decode(times('rest_resp_time', [1, 1, 1, 1]))

  it('takes lines of whoever has the token', async () => {
    const { monitoring, page, close } = setUp({ telemetryToken: createSecret('right') })
    const response = await post(monitoring, `${line}\n\nnonsense\n${line}`, 'right')
    assert.deepEqual([response.status, await response.json()], [200, { accepted: 2, refused: 1 }])
    assert.ok(
      (await page()).includes('aviso_monitoring_measurements_total{measurement="rest_resp_time"} 2.0\n'),
    )
    await close()
  })

  it('takes nothing from anybody else', async () => {
    const { monitoring, page, close } = setUp({ telemetryToken: createSecret('right') })
    for (const token of [undefined, '', 'wrong', 'right ', 'righ', 'rightright']) {
      assert.equal(
        (await post(monitoring, line, token)).status,
        token === 'right ' ? 200 : 401,
        String(token),
      )
    }
    assert.ok((await page()).includes('measurements_total{measurement="rest_resp_time"} 1.0\n'))
    await close()
    const off = setUp()
    assert.equal((await post(off.monitoring, line, 'right')).status, 403)
    await off.close()
  })

  it('bounds size and lines', async () => {
    const { monitoring, close } = setUp({ telemetryToken: createSecret('right') })
    assert.equal((await post(monitoring, 'x'.repeat(300_000), 'right')).status, 413)
    const response = await post(monitoring, 'x\n'.repeat(100_000), 'right')
    assert.deepEqual(await response.json(), { accepted: 0, refused: 1_000 })
    await close()
  })
})

describe('openUdpGate()', () => {
  it('closes the socket for the rest of a second under a flood', async () => {
    const sockets: ((datagram: Uint8Array) => void)[] = []
    let closed = 0
    const openSocket = (onDatagram: (datagram: Uint8Array) => void) => {
      sockets.push(onDatagram)
      return Promise.resolve({
        close: () => {
          closed++
          return Promise.resolve()
        },
      })
    }
    const { monitoring, clock, page, close } = setUp({}, { openSocket })
    await monitoring.ready
    for (let index = 0; index < 100_000; index++) sockets[0]?.(encode('garbage'))
    assert.deepEqual([sockets.length, closed], [1, 1])
    await clock.advance(1_000)
    assert.equal(sockets.length, 2)
    sockets[1]?.(times('rest_resp_time', [1, 1, 1, 1]))
    const text = await page()
    assert.ok(text.includes(`{reason="malformed"} ${MAX_DATAGRAMS_PER_SECOND}.0\n`))
    assert.ok(text.includes('aviso_monitoring_udp_closures_total 1.0\n'))
    assert.ok(text.includes('aviso_monitoring_messages_total{kind="telemetry"} 1.0\n'))
    await close()
    assert.equal(closed, 2)
  })

  it('runs without a port that cannot be had, says so once, and takes it when it is free', async () => {
    let attempts = 0
    const openSocket = () => {
      attempts++
      if (attempts <= 3) return Promise.reject(new Error('in use'))
      return Promise.resolve({ close: () => Promise.resolve() })
    }
    const { monitoring, clock, logs, close } = setUp({}, { openSocket })
    await monitoring.ready
    await clock.advance(10_000)
    assert.equal(attempts, 4)
    assert.deepEqual(logs, ['error The UDP port for telemetry cannot be opened'])
    await close()
  })
})

/** Waits for what promises bring about; the clock stands still. */
async function settled(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1_000; turn++) {
    if (holds()) return
    await new Promise((resolve) => setTimeout(resolve, 0))
  }
  assert.fail('It never came true')
}

describe('the last backup', () => {
  it('is told by its time and its size, and not at all before the first', async () => {
    const { store, clock, page, close } = setUp()
    await settle()
    assert.doesNotMatch(await page(), /^aviso_backup/m)
    const value = encodeBackupRecord({
      at: '2026-06-10T12:00:00.500Z',
      revision: '7',
      sizeBytes: 24_576,
      sha256: 'ff',
    })
    await store.txn({ compare: [], success: [{ kind: 'put', key: toBytes(BACKUP_KEY), value }] })
    await clock.advance(OPTIONS.pollSeconds * 1_000)
    const text = await page()
    assert.match(text, /^aviso_backup_timestamp_seconds 1781092800.5$/m)
    assert.match(text, /^aviso_backup_size_bytes 24576.0$/m)
    await close()
  })
})
