import assert from 'node:assert/strict'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, describe, it } from 'node:test'
import { LIVE_PATH, openListeners, type ListenersRequest } from '../../../../scripts/bench/listeners.ts'
import { monotonicMs } from '../../../../scripts/bench/notifications.ts'

const servers: Server[] = []
after(() => {
  for (const server of servers) server.close()
})

/** A server whose streams all get what `send` is given. */
async function open(more: Partial<ListenersRequest> = {}) {
  const responses: ServerResponse[] = []
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    response.write('event: live-notification\ndata: {"type":"connection_established"}\n\n')
    responses.push(response)
  })
  servers.push(server)
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const listeners = await openListeners({ url, path: () => LIVE_PATH, count: 2, ...more })
  const send = (sequence: number, payload = ''): void => {
    for (const response of responses)
      response.write(`data: {"id":"mars@${sequence}","payload":"${payload}"}\n\n`)
  }
  return { listeners, send, end: () => responses.forEach((response) => response.destroy()) }
}

describe('openListeners()', () => {
  it('is content with every notification once and in order', async () => {
    const { listeners, send } = await open({ after: 4 })
    for (const sequence of [5, 6, 7]) send(sequence)
    await listeners.settled(3, 5_000)
    const before = listeners.reads
    send(8)
    await listeners.settled(1, 5_000)
    assert.equal(listeners.delivered, 8)
    assert.equal(listeners.reads - before, 2)
    listeners.close()
  })

  it('tells a gap', async () => {
    const { listeners, send } = await open()
    for (const sequence of [5, 7]) send(sequence)
    await assert.rejects(listeners.settled(2, 5_000), /0 are missing, 0 too many, 2 skipped, 0 repeated/)
    listeners.close()
  })

  it('tells a gap before the first one, where it knows what comes first', async () => {
    const { listeners, send } = await open({ after: 4 })
    send(6)
    await assert.rejects(listeners.settled(1, 5_000), /2 skipped/)
    listeners.close()
  })

  it('tells a repeat and an inversion, also where gaps are expected', async () => {
    const { listeners, send } = await open({ isDense: false })
    for (const sequence of [5, 5, 9, 7]) send(sequence)
    await assert.rejects(listeners.settled(4, 5_000), /0 skipped, 4 repeated or out of order/)
    listeners.close()
  })

  it('tells what did not come in time', async () => {
    const { listeners, send } = await open()
    send(1)
    await assert.rejects(listeners.settled(2, 50), /2 are missing/)
    listeners.close()
  })

  it('tells what came although nobody published it', async () => {
    const { listeners, send } = await open()
    for (const sequence of [1, 2, 3]) send(sequence)
    await listeners.settled(3, 5_000)
    send(4)
    send(5)
    await assert.rejects(
      listeners.settled(1, 5_000).then(() => listeners.settled(0, 5_000)),
      /too many/,
    )
    listeners.close()
  })

  it('says when the server ended a stream', async () => {
    const { listeners, end } = await open()
    end()
    await assert.rejects(listeners.settled(1, 100), /the server ended a stream|ECONNRESET/)
    listeners.close()
  })

  it('measures from sending to delivery', async () => {
    const { listeners, send } = await open({ hasTimes: true })
    send(1, `s3://x?t=${(monotonicMs() - 1_000).toFixed(3)}`)
    await listeners.settled(1, 5_000)
    const { p50 } = listeners.takeLatencies()
    assert.ok(p50 >= 1_000 && p50 < 30_000, String(p50))
    assert.ok(Number.isNaN(listeners.takeLatencies().p50))
    listeners.close()
  })

  it('reads nothing while it is paused, and everything after', async () => {
    const { listeners, send } = await open()
    listeners.pause()
    for (let sequence = 1; sequence <= 100; sequence++) send(sequence)
    await assert.rejects(listeners.settled(100, 100), /200 are missing/)
    listeners.resume()
    await listeners.settled(100, 5_000)
    listeners.close()
  })

  it('is refused with the answer of the server', async () => {
    const server = createServer((_request, response) => response.writeHead(503).end('too many'))
    servers.push(server)
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    await assert.rejects(openListeners({ url, path: () => LIVE_PATH, count: 1 }), /refused: HTTP\/1.1 503/)
  })
})
