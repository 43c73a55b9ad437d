/** The proxy of the fault tests does what its weather says, and nothing else. */

import assert from 'node:assert/strict'
import { createServer, createConnection, type AddressInfo, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { createDice } from '../support/dice.ts'
import { startTcpProxy, type TcpProxy } from './tcp_proxy.ts'
import { eventually } from '../support/waiting.ts'

/** What a socket has seen. */
interface Seen {
  readonly socket: Socket
  text: string
  end: 'open' | 'end' | 'error' | 'close'
}

function observe(socket: Socket): Seen {
  const seen: Seen = { socket, text: '', end: 'open' }
  socket.on('data', (piece) => {
    seen.text += piece.toString()
  })
  socket.on('end', () => {
    seen.end = 'end'
  })
  socket.on('error', () => {
    seen.end = 'error'
  })
  return seen
}

describe('startTcpProxy()', () => {
  const servers: Seen[] = []
  const listener = createServer({ allowHalfOpen: true }, (socket) => servers.push(observe(socket)))
  let proxy: TcpProxy
  before(async () => {
    await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done))
    proxy = await startTcpProxy((listener.address() as AddressInfo).port, createDice(1))
  })
  after(async () => {
    await proxy.close()
    for (const { socket } of servers) socket.destroy()
    listener.close()
  })

  /** A connection through the proxy, both ends of it. */
  async function connect(): Promise<{ client: Seen; server: Seen }> {
    const count = servers.length
    const client = observe(createConnection({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true }))
    client.socket.write('hello ')
    await eventually('connected', async () => servers[count]?.text === 'hello ')
    const server = servers[count]
    assert.ok(server !== undefined)
    return { client, server }
  }

  it('passes bytes and ends in both directions', async () => {
    const { client, server } = await connect()
    const large = 'x'.repeat(3_000_000)
    server.socket.write(large)
    client.socket.write('request')
    await eventually('all came', async () => client.text === large && server.text === 'hello request')
    client.socket.end()
    await eventually('end came', async () => server.end === 'end')
    server.socket.end('bye')
    await eventually(
      'last bytes and end came',
      async () => client.text.endsWith('bye') && client.end === 'end',
    )
    await eventually('nothing is left', async () => proxy.connections === 0)
  })

  it('stalls: accepts, stays silent, and lets everything pass afterwards', async () => {
    const { client, server } = await connect()
    proxy.setWeather({ kind: 'stall' })
    server.socket.write('answer')
    client.socket.write('request')
    const late = createConnection({ port: proxy.port, host: '127.0.0.1' })
    await new Promise((done) => late.once('connect', done))
    late.write('late')
    await assert.rejects(within(100, async () => client.text !== '' || server.text !== 'hello '))
    proxy.setWeather({ kind: 'fair' })
    await eventually('all came', async () => client.text === 'answer' && server.text === 'hello request')
    await eventually('the late one too', async () => servers.at(-1)?.text === 'late')
    late.destroy()
    client.socket.destroy()
  })

  it('mutes answers only', async () => {
    const { client, server } = await connect()
    proxy.setWeather({ kind: 'mute' })
    server.socket.write('answer')
    client.socket.write('request')
    await eventually('the request came', async () => server.text === 'hello request')
    await assert.rejects(within(100, async () => client.text !== ''))
    proxy.setWeather({ kind: 'fair' })
    await eventually('the answer came', async () => client.text === 'answer')
    client.socket.destroy()
  })

  it('delays, and keeps the order when the delay ends', async () => {
    const { client, server } = await connect()
    proxy.setWeather({ kind: 'delay', ms: 150 })
    const sentAt = performance.now()
    server.socket.write('one ')
    await new Promise((done) => setTimeout(done, 20))
    proxy.setWeather({ kind: 'fair' })
    server.socket.write('two')
    await eventually('both came', async () => client.text === 'one two')
    assert.ok(performance.now() - sentAt >= 145)
    client.socket.destroy()
  })

  it('cuts in the middle of an answer, of a request, and at once', async () => {
    const answered = await connect()
    proxy.cut('mid_answer')
    answered.server.socket.write('a whole line\n')
    await eventually('cut', async () => answered.client.end === 'error')
    assert.ok(answered.client.text.length < 13 && 'a whole line\n'.startsWith(answered.client.text))

    const asked = await connect()
    proxy.cut('mid_request')
    asked.client.socket.write('a whole request')
    await eventually('cut', async () => asked.client.end === 'error' && asked.server.end === 'error')
    assert.ok(asked.server.text.length < 'hello a whole request'.length)

    const reset = await connect()
    proxy.cut('reset')
    await eventually('cut', async () => reset.client.end === 'error' && reset.server.end === 'error')
  })

  it('closes half: the client sees the end, and may still send', async () => {
    const { client, server } = await connect()
    proxy.halfClose()
    await eventually('the end came', async () => client.end === 'end')
    client.socket.write('more')
    await eventually('the request came', async () => server.text === 'hello more')
    client.socket.destroy()
  })

  it('refuses new connections and keeps the old ones', async () => {
    const { client, server } = await connect()
    proxy.setWeather({ kind: 'refuse' })
    const refused = observe(createConnection({ port: proxy.port, host: '127.0.0.1' }))
    await eventually('refused', async () => refused.end === 'error')
    server.socket.write('answer')
    await eventually('the answer came', async () => client.text === 'answer')
    proxy.setWeather({ kind: 'fair' })
    client.socket.destroy()
  })
})

/** Fails if `probe` does not hold within `ms`: for what must not happen. */
async function within(ms: number, probe: () => Promise<boolean>): Promise<void> {
  for (const limit = performance.now() + ms; performance.now() < limit;) {
    if (await probe()) return
    await new Promise((next) => setTimeout(next, 5))
  }
  throw new Error('it did not happen')
}
