/**
 * A provider whose stream of notifications lasts for a minute gets an answer to each, on every runtime. Too long for the gate:
 * `npm run test:long`.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'

import { startServer, type RuntimeName } from '../support/server.ts'

const RUNTIMES: readonly RuntimeName[] = ['node', 'deno', 'bun', 'workerd']
/** Longer than the 30 s that servers usually give a request, with pauses shorter than the 10 s between pieces. */
const LINES = 15
const PAUSE_MS = 4000
const HEAD =
  'POST /api/v1/notification HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n'

function lineOf(index: number): string {
  const identifier = { country: 'Italy', airport: 'FCO', date: '20260810', number: `AZ${index}` }
  const text = `${JSON.stringify({ event_type: 'flight', identifier, payload: 'x' })}\n`
  return `${text.length.toString(16)}\r\n${text}\r\n`
}

describe('a stream of notifications that lasts a minute', { concurrency: true }, () => {
  for (const runtime of RUNTIMES) {
    it(`is answered line by line on ${runtime}`, { timeout: 180_000 }, async () => {
      const server = await startServer({ runtime, arguments: ['--store', 'embedded:memory'] })
      try {
        const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
        let text = ''
        socket.on('data', (piece: Uint8Array) => (text += new TextDecoder().decode(piece)))
        const ended = new Promise<void>((resolve) => {
          socket.on('data', () => text.endsWith('\r\n0\r\n\r\n') && resolve())
          socket.on('close', () => resolve())
        })
        socket.write(HEAD)
        for (let index = 0; index < LINES; index++) {
          socket.write(lineOf(index))
          await pause(PAUSE_MS)
        }
        socket.write('0\r\n\r\n')
        await ended
        socket.destroy()
        assert.equal(text.split('"status":200').length - 1, LINES, text.slice(-300))
      } finally {
        await server.stop()
      }
    })
  }
})
