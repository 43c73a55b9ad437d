import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import type { ByteSink, ByteSource } from '#shared/bytes/byte_source.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { TAKEN_LIMIT_MS } from '#shared/runtime/server_limits.ts'
import { eventually } from '../../../support/waiting.ts'

const platform = await detectPlatform()
/** Node and Deno are tested without waiting. */
const skip = platform.name === 'bun' ? false : 'tests/runtime/node_answer.test.ts has it for this runtime'
/** Bun looks at its time limits every four seconds. */
const SLACK_MS = 6_000

describe('a stream that has ended', { skip, timeout: TAKEN_LIMIT_MS + 60_000 }, () => {
  it('is given up where its client does not take the rest', async () => {
    const piece = new Uint8Array(64 * 1024)
    let made = 0
    let sink: ByteSink | undefined
    const gone = Promise.withResolvers<number>()
    const body: ByteSource = {
      open: (opened) => {
        sink = opened
      },
      pull: () => {
        made++
        sink?.enqueue(piece)
      },
      cancel: () => gone.resolve(performance.now()),
    }
    const server = await platform.serve(async () => ({ status: 200, headers: {}, body }), {
      host: '127.0.0.1',
      port: 0,
    })
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
    const tookMs = (await gone.promise) - startedAt
    assert.ok(tookMs <= TAKEN_LIMIT_MS + SLACK_MS, `${tookMs} ms`)
    socket.destroy()
    await server.close()
  })
})
