import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, describe, it } from 'node:test'
import { createNodePlatform } from '#shared/runtime/node.ts'
import type { FetchHandler, RunningServer } from '#shared/runtime/runtime.ts'

const servers: RunningServer[] = []
after(() => Promise.all(servers.map((server) => server.close())))

async function serve(handler: FetchHandler): Promise<string> {
  const server = await createNodePlatform().serve(handler, { host: '127.0.0.1', port: 0 })
  servers.push(server)
  return server.url
}

const echo: FetchHandler = async (request) => new Response(new Uint8Array(await request.arrayBuffer()))

/** Sends raw bytes and waits until the handler is done with the request. */
async function sendRaw(url: string, bytes: string): Promise<ReturnType<typeof connect>> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  await new Promise((written) => socket.write(bytes, written))
  return socket
}

describe('readingFromMessage()', () => {
  it('gives every byte as it was sent, malformed UTF-8 too', async () => {
    const url = await serve(echo)
    const body = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7) % 256)
    const answer = await fetch(url, { method: 'POST', body })
    assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), body)
  })

  it('gives nothing for an empty body', async () => {
    const url = await serve(echo)
    const answer = await fetch(url, { method: 'POST' })
    assert.equal((await answer.arrayBuffer()).byteLength, 0)
  })

  it('hands out bytes that the next request does not change', async () => {
    const kept: Uint8Array[] = []
    const url = await serve(async (request) => {
      kept.push(new Uint8Array(await request.arrayBuffer()))
      return new Response('ok')
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
      return new Response(again instanceof TypeError ? 'refused' : 'read twice')
    })
    const answer = await fetch(url, { method: 'POST', body: 'x' })
    assert.equal(await answer.text(), 'refused')
  })

  it('fails when the client goes away before the body is complete', async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>()
    const { promise: started, resolve: start } = Promise.withResolvers<void>()
    const url = await serve(async (request) => {
      const body = request.arrayBuffer()
      start()
      resolve(await body.catch((error: unknown) => error))
      return new Response('late')
    })
    const socket = await sendRaw(url, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nshort')
    await started
    socket.resetAndDestroy()
    assert.ok((await promise) instanceof Error)
  })

  it('leaves the stream of a body as it is', async () => {
    const url = await serve(async (request) => {
      let text = ''
      for await (const part of request.body?.pipeThrough(new TextDecoderStream()) ?? []) text += part
      return new Response(text)
    })
    const answer = await fetch(url, { method: 'POST', body: 'in pieces' })
    assert.equal(await answer.text(), 'in pieces')
  })
})
