/**
 * Bad inputs to the server of each runtime, as `npm start` runs it with identities: what a runtime's own parser does with bytes differs, what a
 * client may see by them does not.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import { RUNTIMES, runCorpus } from '../hostile/corpus.ts'
import {
  exchange,
  FAILURES,
  sendSocketRows,
  startSocketServer,
  type SocketServer,
} from '../hostile/socket.ts'
import { GOOD_BYTES, SOCKET_TOKEN } from '../hostile/socket_rows.ts'

for (const runtime of RUNTIMES) {
  describe(`bytes to ${runtime}`, { timeout: 120_000 }, () => {
    let running: SocketServer
    let port: number

    before(async () => {
      running = await startSocketServer(runtime)
      port = running.port
    })
    after(() => running.close())

    it('answers each as it should, and none twice', async (context) => {
      const { rows, differences, wrong } = await sendSocketRows(runtime, port)
      assert.deepEqual(wrong, [])
      context.diagnostic(
        `${rows} rows, ${differences.length} answered otherwise by ${runtime} itself, all as expected`,
      )
    })

    it('serves the next good request, and has printed no token', async () => {
      const { statuses, text } = await exchange(port, GOOD_BYTES)
      assert.deepEqual(statuses, [200])
      assert.match(text, /"header":/)
      assert.ok(!running.server.output().includes(SOCKET_TOKEN))
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

  describe(`bad inputs to ${runtime}`, { timeout: 120_000 }, () => {
    it('are answered as they are in one process, and leave it able to serve', async (context) => {
      const { rows, wrong, slowestMs } = await runCorpus(runtime)
      assert.deepEqual(wrong, [])
      context.diagnostic(`${rows} rows, the slowest answered in ${slowestMs.toFixed(0)} ms`)
    })
  })
}
