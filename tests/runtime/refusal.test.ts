/**
 * A refusal reaches a client that still sends: on every runtime, whatever refuses, however the body is sent.
 *
 * The client here does what the weakest do: it reads nothing until it has sent everything, and gives up when it cannot send.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { RUNTIMES } from '../hostile/corpus.ts'
import { startServer, type TestServer } from '../support/server.ts'

const TOKEN = 'token-of-op-0123456789'
/** Wrong credentials of one address that are looked at; the next is answered 429. */
const FAILURES = 5

interface Row {
  readonly status: number
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
}

const BY_OP = { authorization: `Bearer ${TOKEN}` }
const ROWS: readonly Row[] = [
  { status: 413, path: '/v3/kv/range', headers: BY_OP },
  { status: 413, path: '/api/v1/notification', headers: BY_OP },
  { status: 413, path: '/api/v1/watch', headers: BY_OP },
  { status: 400, path: '/api/v1/admin/compact', headers: { authorization: 'Bearer a, Bearer b' } },
  { status: 401, path: '/api/v1/admin/compact' },
  { status: 403, path: '/api/v1/admin/compact', headers: BY_OP },
  { status: 404, path: '/nothing' },
  { status: 405, path: '/api/v1/schema' },
  { status: 415, path: '/api/v1/replay', headers: { ...BY_OP, 'content-encoding': 'gzip' } },
  { status: 503, path: '/api/v1/admin/compact', headers: { authorization: 'EmailKey a@x.int:key' } },
]

/** How a body is sent. */
interface Pace {
  readonly name: string
  readonly pieces: number
  readonly pieceBytes: number
  readonly pauseMs: number
}
/** Refused until too many of them were sent. */
const WRONG: Row = {
  status: 429,
  path: '/api/v1/admin/compact',
  headers: { authorization: 'Bearer wrong-wrong-wrong' },
}

const FAST: Pace = { name: 'fast', pieces: 64, pieceBytes: 65_536, pauseMs: 0 }
/** Beyond the time that a refusal waits for the rest of a body. */
const SLOW: Pace = { name: 'slowly', pieces: 20, pieceBytes: 65_536, pauseMs: 20 }
/** A body within its limit that is not complete when its time is up, after 10 s. */
const LATE: Pace = { name: 'too slowly', pieces: 48, pieceBytes: 100, pauseMs: 250 }

/** The ways to send a body. */
interface Way {
  readonly pace: Pace
  readonly framing: 'length' | 'chunks'
  readonly connection: 'close' | 'keep-alive'
}

const WAYS: readonly Way[] = [FAST, SLOW].flatMap((pace) =>
  (['length', 'chunks'] as const).flatMap((framing) =>
    (['close', 'keep-alive'] as const).map((connection) => ({ pace, framing, connection })),
  ),
)

interface Upload extends Row, Way {
  readonly isExpecting: boolean
}

/** @returns The status of the answer, or what went wrong while the body was sent. */
function upload(port: number, options: Upload): Promise<string> {
  const { path, headers = {}, framing, connection, isExpecting } = options
  const { pieces, pieceBytes, pauseMs } = options.pace
  const isChunked = framing === 'chunks'
  const lines = {
    host: 'aviso.test',
    'content-type': 'application/json',
    connection,
    ...(isExpecting && { expect: '100-continue' }),
    ...(isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(pieces * pieceBytes) }),
    ...headers,
  }
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`)
  const blanks = ' '.repeat(pieceBytes)
  const piece = isChunked ? `${pieceBytes.toString(16)}\r\n${blanks}\r\n` : blanks
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let text = ''
    const finish = (result: string): void => {
      socket.destroy()
      resolve(result)
    }
    socket.once('error', (error: NodeJS.ErrnoException) =>
      finish(`${error.code} after "${text.slice(0, 12)}"`),
    )
    socket.once('close', () => finish(`closed after "${text.slice(0, 12)}"`))
    const read = (): void => {
      socket.on('data', (data: Uint8Array) => {
        text += new TextDecoder('latin1').decode(data)
        const [, status] = /HTTP\/1\.1 (?!100)(\d{3})[^]*\r\n\r\n[^]*\}/.exec(text) ?? []
        if (status !== undefined) finish(status)
      })
    }
    let sent = 0
    const send = (): void => {
      if (sent++ === pieces) {
        if (isChunked) socket.write('0\r\n\r\n')
        return read()
      }
      const next = (): void => {
        if (pauseMs === 0) setImmediate(send)
        else setTimeout(send, pauseMs)
      }
      if (socket.write(piece)) next()
      else socket.once('drain', next)
    }
    socket.write(`POST ${path} HTTP/1.1\r\n${head.join('')}\r\n`, send)
  })
}

async function startRefusingServer(
  runtime: (typeof RUNTIMES)[number],
): Promise<{ readonly server: TestServer; readonly close: () => Promise<void> }> {
  const environment = { AVISO_REFUSAL_TOKEN: TOKEN }
  const tokens = [{ username: 'op', realm: 'local', secretEnv: 'AVISO_REFUSAL_TOKEN' }]
  const vars = {
    ...configFile.vars,
    store: 'embedded:memory',
    identity: {
      providers: [
        { kind: 'tokens', tokens },
        // Port 1 of loopback answers to no client, so no identity can be had there.
        { kind: 'who-am-i', url: 'http://127.0.0.1:1/' },
      ],
    },
    policy: { rules: [{ realm: 'local', listen: ['/ec/mars/'], publish: 'everything' }] },
    quota: { wrongCredentialsPerAddress: { perSecond: 0.01, burst: FAILURES } },
  }
  const folder = await mkdtemp(join(tmpdir(), 'aviso-refusal-'))
  const file = join(folder, 'config.json')
  await writeFile(file, JSON.stringify({ ...configFile, vars }))
  const server = await startServer({ runtime, arguments: ['--config', file], environment })
  const close = async (): Promise<void> => {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
  return { server, close }
}

/** @returns What was answered otherwise. */
async function differences(port: number, row: Row, way: Way): Promise<readonly string[]> {
  const isExpecting = way.pace === FAST && row.status === 413
  const result = await upload(port, { ...row, ...way, isExpecting })
  return result === String(row.status) ? [] : [`${row.path}: ${result}, not ${row.status}`]
}

describe('refusals', { timeout: 180_000, concurrency: true }, () => {
  for (const runtime of RUNTIMES) {
    describe(`by ${runtime}`, { concurrency: false }, () => {
      let close: () => Promise<void>
      let port: number
      before(async () => {
        const { server, ...running } = await startRefusingServer(runtime)
        close = running.close
        port = Number(new URL(server.url).port)
      })
      after(() => close())

      for (const way of WAYS) {
        const { pace, framing, connection } = way
        it(`reach who sends ${framing} ${pace.name} and says ${connection}`, async () => {
          const sent = ROWS.map((row) => differences(port, row, way))
          assert.deepEqual((await Promise.all(sent)).flat(), [])
        })
      }

      it('reach who is too slow', async () => {
        const row: Row = { status: 408, path: '/v3/kv/range', headers: BY_OP }
        const sent = WAYS.filter(({ pace }) => pace === SLOW).map((way) =>
          differences(port, row, { ...way, pace: LATE }),
        )
        assert.deepEqual((await Promise.all(sent)).flat(), [])
      })

      it(
        'reach who has shown too many wrong credentials',
        { skip: runtime === 'workerd' && 'workerd tells no address' },
        async () => {
          const init = { method: 'POST', headers: WRONG.headers ?? {} }
          const url = `http://127.0.0.1:${port}${WRONG.path}`
          for (let shown = 0; shown <= FAILURES; shown++) await (await fetch(url, init)).text()
          const sent = WAYS.map((way) => differences(port, WRONG, way))
          assert.deepEqual((await Promise.all(sent)).flat(), [])
        },
      )
    })
  }
})
