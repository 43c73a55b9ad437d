/**
 * A store that cannot be had: the log names address, cause and remedy, `/readyz` the cause; what is wrong for good ends the start.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { freePort } from '../../scripts/etcd/member.ts'
import { startServer, type RuntimeName } from '../support/server.ts'
import { eventually } from '../support/waiting.ts'

/** Answers every request alike. @returns its address. */
async function answering(context: TestContext, status: number, body: string): Promise<string> {
  const server = createServer((_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

interface Told {
  readonly log: { readonly store?: string; readonly reason?: string; readonly level?: string }
  readonly ready: { readonly reason?: string }
}

/** @returns what a server over this store logs and answers. */
async function told(context: TestContext, runtime: RuntimeName, store: string): Promise<Told> {
  const server = await startServer({ runtime, arguments: ['rest', 'auth', '--store', store] })
  context.after(() => server.stop())
  await eventually('the store is waited for', () => server.output().includes('waiting for the store'))
  const line =
    server
      .output()
      .split('\n')
      .find((text) => text.includes('waiting for the store')) ?? ''
  const ready = await fetch(`${server.url}/readyz`)
  assert.equal(ready.status, 503)
  return { log: JSON.parse(line) as Told['log'], ready: (await ready.json()) as Told['ready'] }
}

describe('a store that cannot be had', { timeout: 120_000, concurrency: 2 }, () => {
  for (const runtime of ['node', 'deno', 'bun'] as const) {
    it(`is told with address and cause on ${runtime}`, async (context) => {
      const closed = `http://127.0.0.1:${await freePort()}`
      const refused = await told(context, runtime, closed)
      assert.equal(refused.log.store, closed)
      assert.match(refused.log.reason ?? '', /^the connection was refused/)
      assert.match(refused.ready.reason ?? '', /^the connection was refused/)
      const page = await told(context, runtime, await answering(context, 404, '<html>'))
      assert.match(
        page.log.reason ?? '',
        /another program answers there.*404.*Waiting alone does not mend this$/,
      )
      assert.equal(page.log.level, 'error')
      const unknown = await told(context, runtime, 'http://nowhere.invalid:2379')
      assert.match(unknown.log.reason ?? '', /^the host name is unknown/)
    })
  }

  it('ends a start that waiting cannot mend', async (context) => {
    const message = 'etcdserver: authentication is not enabled'
    const store = await answering(context, 400, JSON.stringify({ error: message, message, code: 9 }))
    const server = await startServer({ arguments: ['rest', '--store', store] })
    context.after(() => server.stop())
    const [code] = (
      server.child.exitCode === null ? await once(server.child, 'exit') : [server.child.exitCode]
    ) as [number]
    assert.equal(code, 2, server.output())
    await eventually('the reason is told', () => /error: The store knows no users/.test(server.output()))
  })
})
