/**
 * Requests in bytes to the server of each runtime, as `npm start` runs it with identities: what a runtime's own parser does with them differs,
 * what a client may see by them does not.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { after, before, describe, it } from 'node:test'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import {
  GOOD_BYTES,
  SOCKET_ROWS,
  SOCKET_TOKEN,
  type SocketRow,
  type SocketRuntime,
} from '../hostile/socket_rows.ts'
import { startServer, type TestServer } from '../support/server.ts'

const RUNTIMES: readonly SocketRuntime[] = ['node', 'deno', 'bun', 'workerd']
const TOKEN_VARIABLE = 'AVISO_SOCKET_TOKEN'
/** Long enough for any answer that comes, with all rows in flight on a busy machine. */
const ANSWER_MS = 4000
/** Wrong credentials of one address that are looked at; the next is answered 429. */
const FAILURES = 10

/** What came back until the server closed, or nothing more came. */
interface Exchange {
  /** Of every answer in it. */
  readonly statuses: readonly number[]
  readonly text: string
}

function exchange(port: number, bytes: string): Promise<Exchange> {
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

for (const runtime of RUNTIMES) {
  describe(`bytes to ${runtime}`, { timeout: 120_000 }, () => {
    let server: TestServer
    let port: number
    const tokens = [{ username: 'op', realm: 'local', secretEnv: TOKEN_VARIABLE }]
    const vars = {
      ...configFile.vars,
      store: 'embedded:memory',
      identity: { providers: [{ kind: 'tokens', tokens }] },
      policy: { rules: [{ realm: 'local', listen: ['/ec/mars/'] }] },
      quota: { wrongCredentialsPerAddress: { perSecond: 0.01, burst: FAILURES } },
    }

    let folder: string
    before(async () => {
      process.env[TOKEN_VARIABLE] = SOCKET_TOKEN
      folder = await mkdtemp(join(tmpdir(), 'aviso-hostile-'))
      const file = join(folder, 'config.json')
      await writeFile(file, JSON.stringify({ ...configFile, vars }))
      server = await startServer({ runtime, arguments: ['--config', file] })
      port = Number(new URL(server.url).port)
    })
    after(async () => {
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    })

    const expected = ({ status, except }: SocketRow): number | 'closed' => except?.[runtime] ?? status

    it('answers each as it should, and none twice', async (context) => {
      const wrong: string[] = []
      let differences = 0
      await Promise.all(
        SOCKET_ROWS.map(async (row) => {
          const { statuses, text } = await exchange(port, row.bytes)
          const [first = 'closed'] = statuses.filter((status) => status !== 100)
          if (first !== expected(row))
            wrong.push(`${row.id} (${row.what}): ${first}, not ${expected(row)}: ${text.slice(0, 80)}`)
          if (statuses.includes(101)) wrong.push(`${row.id}: the protocol was changed`)
          if (statuses.filter((status) => status === 200).length > 1)
            wrong.push(`${row.id}: two requests were served`)
          if (text.includes(SOCKET_TOKEN)) wrong.push(`${row.id}: the token came back`)
          if (row.except?.[runtime] !== undefined) differences++
        }),
      )
      assert.deepEqual(wrong, [])
      context.diagnostic(
        `${SOCKET_ROWS.length} rows, ${differences} answered otherwise by ${runtime} itself, all as expected`,
      )
    })

    it('serves the next good request, and has printed no token', async () => {
      const { statuses, text } = await exchange(port, GOOD_BYTES)
      assert.deepEqual(statuses, [200])
      assert.match(text, /"header":/)
      assert.ok(!server.output().includes(SOCKET_TOKEN))
    })

    it('answers a second request on a connection for itself: no credential is left over', async () => {
      const anonymous = GOOD_BYTES.replace(/Authorization: [^\r]*\r\n/, '')
      const { statuses } = await exchange(port, GOOD_BYTES + anonymous)
      assert.equal(statuses[0], 200)
      assert.ok(statuses.length === 1 || statuses[1] === 401, statuses.join())
    })

    it(
      'counts wrong credentials by the address they come from',
      { skip: runtime === 'workerd' && 'workerd tells no address' },
      async () => {
        const wrong = GOOD_BYTES.replace(SOCKET_TOKEN, 'wrong-wrong-wrong-wrong')
        const statuses: number[] = []
        for (let attempt = 0; attempt < FAILURES + 5; attempt++)
          statuses.push(...(await exchange(port, wrong)).statuses)
        assert.equal(statuses[0], 401)
        assert.equal(statuses.at(-1), 429)
        assert.deepEqual((await exchange(port, GOOD_BYTES)).statuses, [200], 'who is known is let in')
      },
    )
  })
}
