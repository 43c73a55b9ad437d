/**
 * Requests in bytes, to the server of one runtime as `npm start` runs it with identities.
 *
 * @module
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { startServer, type TestServer } from '../support/server.ts'
import type { CorpusResult } from './corpus.ts'
import { SOCKET_ROWS, SOCKET_TOKEN, type SocketRuntime } from './socket_rows.ts'

const TOKEN_VARIABLE = 'AVISO_SOCKET_TOKEN'
/** Long enough for any answer that comes, with all rows in flight on a busy machine. */
const ANSWER_MS = 4000
/** Wrong credentials of one address that are looked at; the next is answered 429. */
export const FAILURES = 10

/** What came back until the server closed, or nothing more came. */
export interface Exchange {
  /** Of every answer in it. */
  readonly statuses: readonly number[]
  readonly text: string
}

/** A server for the rows. */
export interface SocketServer {
  readonly server: TestServer
  readonly port: number
  close(): Promise<void>
}

/** Starts a server that knows {@link SOCKET_TOKEN}. */
export async function startSocketServer(runtime: SocketRuntime): Promise<SocketServer> {
  process.env[TOKEN_VARIABLE] = SOCKET_TOKEN
  const tokens = [{ username: 'op', realm: 'local', secretEnv: TOKEN_VARIABLE }]
  const vars = {
    ...configFile.vars,
    store: 'embedded:memory',
    identity: { providers: [{ kind: 'tokens', tokens }] },
    policy: { rules: [{ realm: 'local', listen: ['/ec/mars/'] }] },
    quota: { wrongCredentialsPerAddress: { perSecond: 0.01, burst: FAILURES } },
  }
  const folder = await mkdtemp(join(tmpdir(), 'aviso-hostile-'))
  const file = join(folder, 'config.json')
  await writeFile(file, JSON.stringify({ ...configFile, vars }))
  const server = await startServer({ runtime, arguments: ['--config', file] })
  return {
    server,
    port: Number(new URL(server.url).port),
    close: async () => {
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Sends bytes and waits for what comes. */
export function exchange(port: number, bytes: string): Promise<Exchange> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let text = ''
    const finish = (): void => {
      clearTimeout(timer)
      socket.destroy()
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status))
      resolve({ statuses, text })
    }
    const timer = setTimeout(finish, ANSWER_MS)
    socket.on('data', (data: Uint8Array) => {
      text += new TextDecoder('latin1').decode(data)
      // One answer with a body that is whole: nobody keeps the connection for more.
      if (/\r\n\r\n\{[^]*\}$/.test(text)) setTimeout(finish, 50)
    })
    socket.on('error', finish)
    socket.on('close', finish)
    socket.write(new Uint8Array(Array.from(bytes, (character) => character.charCodeAt(0))))
  })
}

/** Sends every row. */
export async function sendSocketRows(runtime: SocketRuntime, port: number): Promise<CorpusResult> {
  const differences: string[] = []
  const wrong: string[] = []
  await Promise.all(
    SOCKET_ROWS.map(async (row) => {
      const answer = await exchange(port, row.bytes)
      const problems = problemsOf(answer, row.except?.[runtime] ?? row.status)
      const name = `${row.id} (${row.what})`
      if (problems.length > 0) wrong.push(`${name}: ${problems.join('; ')}`)
      else if (row.except?.[runtime] !== undefined)
        differences.push(`${name}: ${row.except[runtime]}, not ${row.status}; ${row.because ?? ''}`)
    }),
  )
  const rows = SOCKET_ROWS.length
  return { rows, passed: rows - wrong.length, differences, wrong }
}

function problemsOf({ statuses, text }: Exchange, expected: number | 'closed'): readonly string[] {
  const [first = 'closed'] = statuses.filter((status) => status !== 100)
  return [
    ...(first === expected ? [] : [`${first}, not ${expected}: ${text.slice(0, 80)}`]),
    ...(statuses.includes(101) ? ['the protocol was changed'] : []),
    ...(statuses.filter((status) => status === 200).length > 1 ? ['two requests were served'] : []),
    ...(text.includes(SOCKET_TOKEN) ? ['the token came back'] : []),
  ]
}
