import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createFrameScanner, type FrameScanner } from '../../../../scripts/bench/frame_scanner.ts'

type Found = [sequence: number, sentAtMs: number]

/** Feeds pieces as a socket would: what the scanner has not finished comes again in front of the next piece. */
function scanPieces(scan: FrameScanner, pieces: readonly Buffer[]): Found[] {
  const found: Found[] = []
  let rest: Buffer = Buffer.alloc(0)
  for (const piece of pieces) {
    const bytes = Buffer.concat([rest, piece])
    rest = bytes.subarray(
      scan(bytes, { notification: (sequence, sentAtMs) => found.push([sequence, sentAtMs]) }),
    )
  }
  return found
}

function frame(sequence: number, payload: string): string {
  return `event: live-notification\ndata: {"id":"mars@${sequence}","data":{"payload":"${payload}"}}\nid: e.${sequence}.0\n\n`
}

const HEARTBEAT = 'event: heartbeat\ndata: {"position":"e.9","topic":"mars"}\nid: e.9\n\n'

describe('createFrameScanner()', () => {
  it('finds every number once, wherever the bytes are cut', () => {
    const text = `${frame(7, 's3://a')}${HEARTBEAT}${frame(8, 's3://b')}1f\r\n${frame(123, 's3://c')}\r\n`
    const bytes = Buffer.from(text)
    for (let first = 0; first <= bytes.length; first++) {
      for (const second of [first, Math.min(first + 3, bytes.length), bytes.length]) {
        const pieces = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)]
        const numbers = scanPieces(createFrameScanner('mars', false), pieces).map(([sequence]) => sequence)
        assert.deepEqual(numbers, [7, 8, 123], `cut at ${first} and ${second}`)
      }
    }
  })

  it('reads the time of sending, wherever the bytes are cut', () => {
    const bytes = Buffer.from(frame(1, 's3://a?t=12.5') + HEARTBEAT + frame(2, 's3://b?t=1000.125'))
    for (let cut = 0; cut <= bytes.length; cut++) {
      const found = scanPieces(createFrameScanner('mars', true), [
        bytes.subarray(0, cut),
        bytes.subarray(cut),
      ])
      assert.deepEqual(found, [
        [1, 12.5],
        [2, 1000.125],
      ])
    }
  })

  it('takes a number that is none for NaN, which no check lets pass', () => {
    const found = scanPieces(createFrameScanner('mars', false), [Buffer.from('{"id":"mars@r12.0"}\n')])
    assert.deepEqual(found, [[Number.NaN, Number.NaN]])
  })
})
