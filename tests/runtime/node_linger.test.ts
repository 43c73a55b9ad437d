/**
 * A client that goes on sending a body after its request was answered, on Node's own server.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'

import { NodeRequest } from '#shared/runtime/node_request.ts'

const BOUNDS = { ms: 200, bytes: 1_000_000 }
const HEAD = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n'

describe('NodeRequest.takeRest()', { timeout: 20_000 }, () => {
  let server: Server
  let port: number
  before(async () => {
    server = createServer((message, response) => {
      const request = new NodeRequest(message, response, BOUNDS)
      response.writeHead(401, { 'content-length': 2 }).write('no')
      void request.takeRest().then(() => response.end())
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    port = (server.address() as AddressInfo).port
  })
  after(() => server.close())

  /** Sends, and waits for the whole answer. */
  async function ask(socket: Socket, bytes: string): Promise<void> {
    const answered = new Promise<void>((resolve, reject) => {
      let text = ''
      const read = (piece: Uint8Array): void => {
        text += new TextDecoder().decode(piece)
        if (!text.includes('\r\n\r\nno')) return
        socket.off('data', read)
        resolve()
      }
      socket.on('data', read)
      socket.once('close', () => reject(new Error('closed')))
    })
    socket.write(bytes)
    await answered
  }

  it('ends a connection whose body does not come, and no other', async () => {
    const [late, whole] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
    const closed = new Promise((resolve) => late.once('close', resolve))
    await ask(whole, HEAD)
    whole.write('body')
    await ask(late, HEAD)
    late.write('b')
    await closed
    assert.equal(whole.closed, false)
    await ask(whole, `${HEAD}body`)
    whole.destroy()
  })

  it('ends a connection that was to be closed anyway, and the server goes on', async () => {
    const late = connect(port, '127.0.0.1')
    const closed = new Promise((resolve) => late.once('close', resolve))
    await ask(late, HEAD.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))
    await closed
    const next = connect(port, '127.0.0.1')
    await ask(next, `${HEAD}body`)
    next.destroy()
  })

  it('ends a connection that has sent more than the bound', async () => {
    const endless = connect(port, '127.0.0.1')
    const closed = new Promise((resolve) => endless.once('close', resolve))
    endless.on('error', () => undefined)
    await ask(endless, HEAD.replace('4', String(10 * BOUNDS.bytes)))
    const sentAt = performance.now()
    endless.write(new Uint8Array(2 * BOUNDS.bytes))
    await closed
    assert.ok(performance.now() - sentAt < BOUNDS.ms, 'by the bytes, not by the time')
  })
})
