import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { offerSource, type ByteSink } from '#shared/bytes/byte_source.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { TAKEN_LIMIT_MS } from '#shared/runtime/server_limits.ts'
import { eventually } from '../../../support/waiting.ts'

const platform = await detectPlatform()
/** Node and Deno are tested without waiting. */
const skip = platform.name === 'bun' ? false : 'tests/runtime/node_stream.test.ts has it for this runtime'
/** Bun looks at its time limits every four seconds. */
const SLACK_MS = 6_000

describe('a stream that has ended', { skip, timeout: TAKEN_LIMIT_MS + 60_000 }, () => {
  it('is given up where its client does not take the rest', async () => {
    const piece = new Uint8Array(64 * 1024)
    let made = 0
    let ended: () => void = () => undefined
    let sink: ByteSink | undefined
    const gone = Promise.withResolvers<number>()
    const server = await platform.serve(
      async () => {
        const body = new ReadableStream<Uint8Array>(
          {
            start: (controller) => {
              sink = controller
            },
            pull: () => {
              made++
              sink?.enqueue(piece)
            },
            cancel: () => gone.resolve(performance.now()),
          },
          { highWaterMark: 0 },
        )
        const onEnd = (task: () => void): void => {
          ended = task
        }
        offerSource(body, { redirect: () => false, pull: () => undefined, cancel: () => undefined, onEnd })
        return new Response(body, { headers: { 'x-accel-buffering': 'no' } })
      },
      { host: '127.0.0.1', port: 0 },
    )
    const { hostname, port } = new URL(server.url)
    const socket = connect(Number(port), hostname)
    socket.on('error', () => undefined)
    socket.pause()
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    let before = -1
    await eventually('the writer stalls', async () => {
      const isSame = before === made
      before = made
      return isSame && made > 0
    })
    const startedAt = performance.now()
    // A last frame, as a hub writes it.
    sink?.enqueue(piece)
    sink?.close()
    ended()
    const tookMs = (await gone.promise) - startedAt
    assert.ok(tookMs <= TAKEN_LIMIT_MS + SLACK_MS, `${tookMs} ms`)
    socket.destroy()
    await server.close()
  })
})
