import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, describe, it } from 'node:test'
import { parseAnswer, runBurst, runLoad, runPaced } from '../../../../scripts/bench/http_load.ts'

const servers: Server[] = []
after(() => {
  for (const server of servers) server.close()
})

/** A server that notes what it is posted. */
async function open(status = 200): Promise<{ url: string; bodies: string[] }> {
  const bodies: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (part: Buffer) => (body += part.toString()))
    request.on('end', () => {
      bodies.push(body)
      response.writeHead(status).end('{"answer":"here"}')
    })
  })
  servers.push(server)
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/path`, bodies }
}

const body = (n: number): string => `body ${n}`

describe('runLoad()', () => {
  it('posts on all connections until the time is over', async () => {
    const { url, bodies } = await open()
    const { calls, latencyMs } = await runLoad({ url, body, connections: 3, durationMs: 50 })
    assert.equal(calls, bodies.length)
    assert.equal(new Set(bodies).size, calls)
    assert.ok(calls >= 3 && latencyMs.p50 > 0)
  })

  it('ends at a wrong answer', async () => {
    const { url } = await open(503)
    const load = runLoad({ url, body, connections: 2, durationMs: 5_000 })
    await assert.rejects(load, /answered 503: [^]*\{"answer":"here"\}/)
  })
})

describe('runPaced()', () => {
  it('posts as many as asked for, each once', async () => {
    const { url, bodies } = await open()
    const { sent } = await runPaced({ url, body, connections: 4, ratePerSecond: 1_000, requests: 60 })
    assert.equal(sent, 60)
    assert.deepEqual(bodies.toSorted(), Array.from({ length: 60 }, (_, n) => body(n)).toSorted())
  })

  it('ends at a wrong answer', async () => {
    const { url } = await open(500)
    const load = runPaced({ url, body, connections: 1, ratePerSecond: 100, requests: 3 })
    await assert.rejects(load, /answered 500/)
  })
})

describe('runBurst()', () => {
  it('posts as many as asked for, each once', async () => {
    const { url, bodies } = await open()
    await runBurst({ url, body, connections: 4, requests: 25 })
    assert.equal(new Set(bodies).size, 25)
    assert.equal(bodies.length, 25)
  })
})

describe('parseAnswer()', () => {
  it('waits for the whole body', () => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n'
    assert.equal(parseAnswer(head.slice(0, 30)), undefined)
    assert.equal(parseAnswer(`${head}abc`), undefined)
    assert.deepEqual(parseAnswer(`${head}abcd`), { status: 200, body: 'abcd' })
  })

  it('waits for the last chunk', () => {
    const head = 'HTTP/1.1 413 Too Large\r\ntransfer-encoding: chunked\r\n\r\n'
    assert.equal(parseAnswer(`${head}3\r\nabc\r\n`), undefined)
    assert.equal(parseAnswer(`${head}3\r\nabc\r\n0\r\n\r\n`)?.status, 413)
  })
})
