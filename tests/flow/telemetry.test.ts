import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import { describe, it, type TestContext } from 'node:test'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { startServer, temporaryFolder, type StartServerOptions, type TestServer } from '../support/server.ts'
import { eventually } from '../support/waiting.ts'

type Runtime = NonNullable<StartServerOptions['runtime']>

/** The project's configuration with other telemetry and monitoring, in a file of its own. */
async function configWith(
  context: TestContext,
  { telemetry, monitoring = {} }: { readonly telemetry?: object; readonly monitoring?: object },
): Promise<string> {
  const { workers, vars } = configFile
  const config = {
    ...configFile,
    vars: { ...vars, ...(telemetry !== undefined && { telemetry }) },
    workers: { ...workers, monitoring: { ...workers.monitoring, vars: monitoring } },
  }
  const path = join(await temporaryFolder(context), 'config.json')
  await writeFile(path, JSON.stringify(config))
  return path
}

async function start(context: TestContext, runtime: Runtime, argv: readonly string[]): Promise<TestServer> {
  const server = await startServer({ runtime, arguments: ['--store', 'embedded:memory', ...argv] })
  context.after(() => server.stop())
  return server
}

async function openUdp(context: TestContext): Promise<{ readonly socket: Socket; readonly port: number }> {
  const socket = createSocket('udp4')
  context.after(() => socket.close())
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { socket, port: (socket.address() as AddressInfo).port }
}

async function publish({ url }: TestServer, number: string): Promise<void> {
  const response = await fetch(`${url}/api/v1/notification`, {
    method: 'POST',
    body: JSON.stringify({
      event_type: 'flight',
      identifier: { country: 'Italy', airport: 'FCO', date: '20260810', number },
      payload: 'Landed',
    }),
  })
  assert.equal(response.status, 200)
  await response.text()
}

/** A value of the page of metrics. */
async function valueOf({ url }: TestServer, series: string): Promise<number | undefined> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length))
}

for (const runtime of ['node', 'deno', 'bun'] as const) {
  describe(`telemetry by UDP on ${runtime}`, () => {
    it('sends datagrams of 1.x, and goes on when nobody is there', async (context) => {
      const { socket, port } = await openUdp(context)
      const received: string[] = []
      socket.on('message', (datagram: Uint8Array) => received.push(new TextDecoder().decode(datagram)))
      const config = await configWith(context, { telemetry: { udp: { port }, everySeconds: 1 } })
      const server = await start(context, runtime, ['rest', '--config', config])
      await publish(server, '1')
      await publish(server, '2')
      await eventually('both are told', () =>
        Promise.resolve(received.join('').includes('_counter":2') || received.length >= 2),
      )
      for (const text of received) {
        assert.match(
          text,
          /^\{"telemetry_type":"rest_resp_time","component_name":"aviso-rest","hostname":"[^"]+","time":\d+(?:\.\d+)?,"telemetry":\{"rest_resp_time_counter":[12],"rest_resp_time_avg":[\d.e-]+,"rest_resp_time_max":[\d.e-]+,"rest_resp_time_min":[\d.e-]+\}\}$/,
        )
      }
      socket.removeAllListeners('message')
      await new Promise<void>((closed) => socket.close(() => closed()))
      context.mock.method(socket, 'close', () => socket)
      await publish(server, '3')
      await eventually(
        'it went nowhere',
        async () => ((await valueOf(server, 'aviso_telemetry_messages_total{outcome="sent"}')) ?? 0) >= 2,
      )
      await publish(server, '4')
      assert.equal(await server.stop(), 0)
    })

    it('receives datagrams of 1.x, right aggregates, garbage and all', async (context) => {
      const { port } = await reservePort(context)
      const config = await configWith(context, { monitoring: { udp: { port } } })
      const server = await start(context, runtime, ['monitoring', '--config', config])
      const sender = await openUdp(context)
      const send = (bytes: Uint8Array): Promise<void> =>
        new Promise((sent) => sender.socket.send(bytes, port, '127.0.0.1', () => sent()))
      const telemetry = (figures: readonly number[]): Uint8Array => {
        const [counter, avg, max, min] = figures
        return new TextEncoder().encode(
          `{"telemetry_type": "rest_resp_time", "component_name": "aviso-rest", "hostname": "vm", "time": 1795301071.953389, "telemetry": {"rest_resp_time_counter": ${counter}, "rest_resp_time_avg": ${avg}.0, "rest_resp_time_max": ${max}.0, "rest_resp_time_min": ${min}.0}}`,
        )
      }
      const logged = 'aviso_monitoring_log_lines_total{app="etcd",level="error"}'
      await eventually('the port is open', async () => {
        await send(
          new TextEncoder().encode(
            '<189>1 2021-04-12T09:19:12Z aviso-etcd-1 etcd - - [o] {"level":"error","msg":"y"}',
          ),
        )
        return ((await valueOf(server, logged)) ?? 0) > 0
      })
      await send(new Uint8Array())
      await send(new Uint8Array(65_507).fill(0x7b))
      await send(new TextEncoder().encode('{"__proto__":{"a":1}}'))
      await send(telemetry([2, 2, 3, 1]))
      await send(telemetry([2, 3, 4, 2]))
      const series = (which: string): string =>
        `aviso_monitoring_window_${which}_seconds{measurement="rest_resp_time"}`
      await eventually('both are aggregated', async () => (await valueOf(server, series('max'))) === 4)
      assert.deepEqual([await valueOf(server, series('avg')), await valueOf(server, series('min'))], [2.5, 1])
      assert.equal(await valueOf(server, 'aviso_monitoring_messages_refused_total{reason="malformed"}'), 2)
      assert.equal(await server.stop(), 0)
    })
  })
}

describe('telemetry by HTTP from workerd, which has no UDP', () => {
  it('arrives at a monitoring that has the same token', async (context) => {
    process.env['AVISO_TEST_TELEMETRY'] = 'token-of-this-test'
    context.after(() => delete process.env['AVISO_TEST_TELEMETRY'])
    const tokenEnv = 'AVISO_TEST_TELEMETRY'
    const monitoringConfig = await configWith(context, { monitoring: { telemetryTokenEnv: tokenEnv } })
    const monitoring = await start(context, 'node', ['monitoring', '--config', monitoringConfig])
    const http = { url: `${monitoring.url}/api/v1/telemetry`, tokenEnv }
    const config = await configWith(context, { telemetry: { http, everySeconds: 1 } })
    const server = await start(context, 'workerd', ['rest', '--config', config])
    await publish(server, '1')
    await publish(server, '2')
    const series = 'aviso_monitoring_measurements_total{measurement="rest_resp_time"}'
    await eventually('both are counted', async () => (await valueOf(monitoring, series)) === 2)
    await monitoring.stop()
    await publish(server, '3')
    const dropped = 'aviso_telemetry_messages_total{outcome="dropped"}'
    await eventually('what cannot go is dropped', async () => ((await valueOf(server, dropped)) ?? 0) > 0)
    await publish(server, '4')
  })
})

/** A port that was free a moment ago. */
async function reservePort(context: TestContext): Promise<{ readonly port: number }> {
  const { socket, port } = await openUdp(context)
  await new Promise<void>((closed) => socket.close(() => closed()))
  context.mock.method(socket, 'close', () => socket)
  return { port }
}
