/**
 * Every bad input, over a socket, to the server of one runtime as `npm start` runs it with identities.
 *
 * @module
 */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import {
  JOE_TOKEN,
  OPERATOR_TOKEN,
  startAccessStandIns,
  type AccessStandIns,
} from '../support/auth_servers_system.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { CANARY } from '../support/tokens.ts'
import { isStream, problemsOf, requestOf, type HostileAnswer } from './answer.ts'
import { credentialRows } from './credential_rows.ts'
import { CURSOR_ROWS } from './cursor_rows.ts'
import { INGEST_ROWS } from './ingest_rows.ts'
import { JSON_ROWS } from './json_rows.ts'
import { RANGE_ROWS } from './range_rows.ts'
import { ROUTING_ROWS } from './routing_rows.ts'
import { INGEST, RANGE, type HostileRow } from './row.ts'
import type { SocketRuntime } from './socket_rows.ts'
import { b64 } from '../support/etcd_wire.ts'
import { dissemination } from '../support/notifications.ts'

/** Every runtime that has a server of its own. */
export const RUNTIMES: readonly SocketRuntime[] = ['node', 'deno', 'bun', 'workerd']
/** A server that keeps a row waiting longer has failed it. */
const ANSWER_MS = 5000

/** What came of the rows on one runtime. */
export interface CorpusResult {
  readonly rows: number
  /** Answered as the row, or its exception for this runtime, says. */
  readonly passed: number
  /** Answered otherwise than by the service itself, as expected. */
  readonly differences: readonly string[]
  readonly wrong: readonly string[]
}

/** With the time of the answer that took longest. */
export interface TimedCorpusResult extends CorpusResult {
  readonly slowestMs: number
}

/** Starts a server of the runtime, sends it every row, and ends it. */
export async function runCorpus(runtime: SocketRuntime): Promise<TimedCorpusResult> {
  const standIns = await startAccessStandIns()
  const folder = await mkdtemp(join(tmpdir(), 'aviso-corpus-'))
  try {
    const file = join(folder, 'config.json')
    // Each row is a wrong credential or a read more of the same sender.
    const many = { perSecond: 1e6, burst: 1e6 }
    const quota = { wrongCredentialsPerAddress: many, readsPerPrincipal: many }
    const audit = { file: join(folder, 'audit.jsonl') }
    const vars = { ...configFile.vars, store: 'embedded:memory', ...standIns.vars, quota, audit }
    await writeFile(file, JSON.stringify({ ...configFile, vars }))
    Object.assign(process.env, standIns.environment)
    const server = await startServer({ runtime, arguments: ['--config', file] })
    const result = await sendAll(runtime, server, standIns).finally(() => server.stop())
    const printed = server.output() + (await readFile(audit.file, 'utf8').catch(() => ''))
    return printed.includes(CANARY)
      ? { ...result, wrong: [...result.wrong, 'a secret in what the server printed or put on record'] }
      : result
  } finally {
    await standIns.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function sendAll(
  runtime: SocketRuntime,
  server: TestServer,
  standIns: AccessStandIns,
): Promise<TimedCorpusResult> {
  await prepare(server)
  const rows = [
    ...ROUTING_ROWS,
    ...(await credentialRows(standIns.issuerKey, Date.now())),
    ...JSON_ROWS,
    ...RANGE_ROWS,
    ...INGEST_ROWS,
    ...CURSOR_ROWS,
  ]
  const differences: string[] = []
  const wrong: string[] = []
  let slowestMs = 0
  let passed = 0
  for (const row of rows) {
    const answer = await send(row, server, standIns)
    slowestMs = Math.max(slowestMs, answer.tookMs)
    const name = `${row.id} (${row.what})`
    const exception = row.except?.[runtime]
    const problems = exception === undefined ? problemsOf(row, answer) : []
    const expected = exception ?? row.status
    if (answer.status !== expected || problems.length > 0) {
      const what = [`${answer.status}, not ${expected}: ${answer.text.slice(0, 120)}`, ...problems]
      wrong.push(`${name}: ${(answer.status === expected ? problems : what).join('; ')}`)
      continue
    }
    passed++
    if (exception !== undefined) differences.push(`${name}: ${exception}, not ${row.status}`)
  }
  const good = await send(GOOD_ROW, server, standIns)
  if (good.status !== GOOD_ROW.status) wrong.push(`a good request at the end: ${good.status}`)
  return { rows: rows.length, passed, differences, wrong, slowestMs }
}

const GOOD_ROW: HostileRow = {
  id: 'good',
  what: 'nothing',
  path: RANGE,
  body: JSON.stringify({ key: b64('/ec/diss/FOO/'), range_end: b64('/ec/diss/FOO0') }),
  status: 200,
  reads: true,
  asks: true,
}

/** Something of everybody's is stored; and joe is known, so that what a row costs is the row's. */
async function prepare({ url }: TestServer): Promise<void> {
  for (const destination of ['FOO', 'FOOBAR', 'BAR']) {
    const body = { event_type: 'dissemination', identifier: dissemination(destination, 1), payload: 'here' }
    await post(url + INGEST, body, OPERATOR_TOKEN)
  }
  const replay = { event_type: 'dissemination', identifier: { destination: 'FOO' }, from_id: '1' }
  await post(`${url}/api/v1/replay`, replay, JOE_TOKEN)
}

async function post(url: string, body: unknown, token: string): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  const text = await response.text()
  if (response.status !== 200) throw new Error(`${url}: ${response.status} ${text}`)
}

async function send(row: HostileRow, server: TestServer, standIns: AccessStandIns): Promise<HostileAnswer> {
  const asked = (): number =>
    [standIns.authOTron, standIns.whoAmI, standIns.ecpds, standIns.keySet].reduce(
      (sum, { seen }) => sum + seen.length,
      0,
    )
  const request = requestOf(row, server.url)
  const body = new Uint8Array(await request.arrayBuffer())
  const [askedBefore, startedAt] = [asked(), performance.now()]
  const { status, headers, text } = await exchange(request, body)
  return { status, headers, text, tookMs: performance.now() - startedAt, asked: asked() - askedBefore }
}

/** By Node's own client, which sends what it is given where `fetch` would refuse or add to it. A connection that breaks is status 0. */
function exchange(
  request: Request,
  body: Uint8Array,
): Promise<{ readonly status: number; readonly headers: Headers; readonly text: string }> {
  const { pathname, search, hostname, port } = new URL(request.url)
  const length = body.length === 0 && request.method === 'GET' ? {} : { 'content-length': body.length }
  return new Promise((resolve) => {
    const call = httpRequest(
      {
        hostname,
        port,
        path: pathname + search,
        method: request.method,
        headers: { ...Object.fromEntries(request.headers), ...length },
        agent: false,
        timeout: ANSWER_MS,
      },
      (response) => {
        const headers = new Headers()
        for (const [name, values = []] of Object.entries(response.headersDistinct))
          for (const value of values) headers.append(name, value)
        const status = response.statusCode ?? 0
        let text = ''
        const finish = (): void => {
          resolve({ status, headers, text })
          call.destroy()
        }
        if (isStream(pathname, status)) return finish()
        response.setEncoding('utf8')
        response.on('data', (piece: string) => (text += piece))
        response.on('end', finish)
        response.on('error', finish)
      },
    )
    call.on('timeout', () => call.destroy())
    call.on('error', (error) => resolve({ status: 0, headers: new Headers(), text: error.message }))
    call.end(body)
  })
}
