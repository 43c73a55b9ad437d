import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, describe, it } from 'node:test'
import type { AnswerBody, Handler } from '#shared/handler.ts'
import { createNodePlatform } from '#shared/runtime/node.ts'
import type { RunningServer } from '#shared/runtime/runtime.ts'

const servers: RunningServer[] = []
after(() => Promise.all(servers.map((server) => server.close())))

async function serve(handler: Handler): Promise<string> {
  const server = await createNodePlatform().serve(handler, { host: '127.0.0.1', port: 0 })
  servers.push(server)
  return server.url
}

const answer = (body: AnswerBody) => ({ status: 200, headers: {}, body })
const echo: Handler = async (request) => answer(new Uint8Array(await request.arrayBuffer()))

/** Sends raw bytes and waits until the handler is done with the request. */
async function sendRaw(url: string, bytes: string): Promise<ReturnType<typeof connect>> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  await new Promise((written) => socket.write(bytes, written))
  return socket
}

describe('NodeRequest', () => {
  it('gives every byte as it was sent, malformed UTF-8 too', async () => {
    const url = await serve(echo)
    const body = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7) % 256)
    const response = await fetch(url, { method: 'POST', body })
    assert.deepEqual(new Uint8Array(await response.arrayBuffer()), body)
  })

  it('gives nothing for an empty body', async () => {
    const url = await serve(echo)
    const response = await fetch(url, { method: 'POST' })
    assert.equal((await response.arrayBuffer()).byteLength, 0)
  })

  it('hands out bytes that the next request does not change', async () => {
    const kept: Uint8Array[] = []
    const url = await serve(async (request) => {
      kept.push(new Uint8Array(await request.arrayBuffer()))
      return answer('ok')
    })
    for (const text of ['first', 'other']) await (await fetch(url, { method: 'POST', body: text })).text()
    assert.deepEqual(
      kept.map((bytes) => new TextDecoder().decode(bytes)),
      ['first', 'other'],
    )
  })

  it('can be read once', async () => {
    const url = await serve(async (request) => {
      await request.arrayBuffer()
      const again = await request.arrayBuffer().catch((error: unknown) => error)
      return answer(again instanceof TypeError ? 'refused' : 'read twice')
    })
    const response = await fetch(url, { method: 'POST', body: 'x' })
    assert.equal(await response.text(), 'refused')
  })

  it('fails when the client goes away before the body is complete', async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>()
    const { promise: started, resolve: start } = Promise.withResolvers<void>()
    const url = await serve(async (request) => {
      const body = request.arrayBuffer()
      start()
      resolve(await body.catch((error: unknown) => error))
      return answer('late')
    })
    const socket = await sendRaw(url, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nshort')
    await started
    socket.resetAndDestroy()
    assert.ok((await promise) instanceof Error)
  })

  it('gives the body as a stream', async () => {
    const url = await serve(async (request) => {
      let text = ''
      const decoder = new TextDecoder()
      for await (const part of request.body ?? []) text += decoder.decode(part, { stream: true })
      return answer(text)
    })
    const response = await fetch(url, { method: 'POST', body: 'in pieces' })
    assert.equal(await response.text(), 'in pieces')
  })

  it('gives nothing for a method without a body', async () => {
    const url = await serve(async (request) =>
      answer(`${request.body === null} ${(await request.arrayBuffer()).byteLength}`),
    )
    assert.equal(await (await fetch(url)).text(), 'true 0')
  })

  it('joins headers of one name, as the Fetch standard does', async () => {
    const url = await serve(async ({ headers }) =>
      answer(
        `${headers.get('Authorization')}|${headers.get('x-a')}|${headers.has('X-A')}|${headers.has('x-b')}`,
      ),
    )
    const socket = await sendRaw(
      url,
      'GET / HTTP/1.1\r\nHost: x\r\nAuthorization: a\r\nX-A: 1\r\nauthorization: b\r\nx-a: 2\r\nConnection: close\r\n\r\n',
    )
    let text = ''
    for await (const piece of socket.setEncoding('utf8')) text += piece
    assert.match(text, /\r\n\r\na, b\|1, 2\|true\|false$/)
  })

  it('has an address that can be parsed, whatever host is named, with the path as it was sent', async () => {
    const url = await serve(async (request) => answer(request.url))
    const ask = async (head: string): Promise<string> => {
      const socket = await sendRaw(url, `GET /a%2Fb/?q=%zz HTTP/1.0\r\n${head}\r\n`)
      let text = ''
      for await (const piece of socket.setEncoding('utf8')) text += piece
      return text.slice(text.indexOf('\r\n\r\n') + 4)
    }
    assert.equal(await ask('Host: aviso.test:8080\r\n'), 'http://aviso.test:8080/a%2Fb/?q=%zz')
    assert.equal(await ask('Host: [::1]\r\n'), 'http://[::1]/a%2Fb/?q=%zz')
    for (const none of ['a b/@c', 'localhost:99999', '999.999.999.999', '4294967296', '[:::]', '[1]'])
      assert.equal(await ask(`Host: ${none}\r\n`), 'http://localhost/a%2Fb/?q=%zz', none)
    assert.equal(await ask(''), 'http://localhost/a%2Fb/?q=%zz')
  })

  it('tells the address at the other end', async () => {
    const url = await serve(async ({ peer = '' }) => answer(peer))
    assert.equal(await (await fetch(url)).text(), '127.0.0.1')
  })

  it('aborts when the client leaves, and not when it has its answer', async () => {
    const { promise: hasAborted, resolve: abort } = Promise.withResolvers<void>()
    const signals: AbortSignal[] = []
    const url = await serve(async ({ url: address, signal }) => {
      signals.push(signal)
      if (address.endsWith('/answered')) return answer('text')
      signal.addEventListener('abort', () => abort())
      await hasAborted
      return answer('late')
    })
    await (await fetch(`${url}/answered`)).text()
    const socket = await sendRaw(url, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    while (signals.length < 2) await new Promise((next) => setImmediate(next))
    socket.destroy()
    await hasAborted
    assert.deepEqual(
      signals.map(({ aborted }) => aborted),
      [false, true],
    )
  })
})
