/**
 * A client that goes on sending a body after its request was answered, on Node's own server.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'

import { limitLingering } from '#shared/runtime/node_linger.ts'

const LINGER_MS = 200
const HEAD = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n'

describe('limitLingering()', () => {
  let server: Server
  before(async () => {
    server = createServer((message, response) => {
      limitLingering(message, response, LINGER_MS)
      response.writeHead(401).end('no')
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  })
  after(() => server.close())

  /** Sends, and waits for the whole answer. */
  async function ask(socket: Socket, bytes: string): Promise<void> {
    const answered = new Promise<void>((resolve, reject) => {
      let text = ''
      const read = (piece: Uint8Array): void => {
        text += new TextDecoder().decode(piece)
        if (!text.includes('\r\nno\r\n')) return
        socket.off('data', read)
        resolve()
      }
      socket.on('data', read)
      socket.once('close', () => reject(new Error('closed')))
    })
    socket.write(bytes)
    await answered
  }

  it('ends a connection whose body does not come, and no other', { timeout: 20_000 }, async () => {
    const { port } = server.address() as AddressInfo
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
})
