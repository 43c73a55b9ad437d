/** `aviso health`, as a container's health check runs it. */

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { runClient, type ClientRun } from '../support/client_program.ts'
import { startServer, temporaryFolder } from '../support/server.ts'
import { eventually } from '../support/waiting.ts'

describe('aviso health', { timeout: 60_000 }, () => {
  it('is 0 where requests are taken, and 1 with the reason where not', async (context) => {
    const server = await startServer({ arguments: ['--store', 'http://127.0.0.1:9'] })
    context.after(() => server.stop())
    await eventually('it says why', async () =>
      (await (await fetch(`${server.url}/readyz`)).text()).includes('reason'),
    )
    const waiting = await health(context, server.url)
    assert.equal(waiting.code, 1)
    assert.match(waiting.stderr, /^error: not_ready: (?!http)./)
    assert.deepEqual(await health(context, server.url, '--live'), { code: 0, stdout: 'ok\n', stderr: '' })
    const well = await startServer({ arguments: ['--store', 'embedded:memory'] })
    context.after(() => well.stop())
    await eventually('ready', async () => (await fetch(`${well.url}/readyz`)).status === 200)
    assert.deepEqual(await health(context, `${well.url}/`), { code: 0, stdout: 'ready\n', stderr: '' })
  })

  it('is 1 where nobody answers, or another program', async (context) => {
    const other = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1')
    await once(other, 'listening')
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
    const named = await health(context, url)
    assert.deepEqual([named.code, named.stderr], [1, `error: ${url}/readyz answers 200, but is no Aviso\n`])
    other.close()
    await once(other, 'close')
    const alone = await health(context, url)
    assert.deepEqual([alone.code, alone.stderr], [1, `error: ${url}/readyz does not answer (ECONNREFUSED)\n`])
  })

  it('is 2 for a wrong address', async (context) => {
    const { code, stderr } = await health(context, 'localhost:8080')
    assert.equal(code, 2)
    assert.match(stderr, /Use an address such as http:\/\/127\.0\.0\.1:8080/)
  })
})

async function health(context: TestContext, ...argv: readonly string[]): Promise<ClientRun> {
  return runClient(['health', ...argv], { home: await temporaryFolder(context), url: 'http://127.0.0.1:9' })
}
