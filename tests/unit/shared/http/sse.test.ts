import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodeLines, encodeSse } from '#shared/http/sse.ts'
import type { SseFrame } from '#shared/http/sse.ts'

const text = (frame: SseFrame): string => new TextDecoder().decode(encodeSse(frame))

describe('encodeSse()', () => {
  it('writes exactly the frame that 2.x clients parse', () => {
    assert.equal(text({ event: 'heartbeat', data: '{"a":1}' }), 'event: heartbeat\ndata: {"a":1}\n\n')
  })

  it('writes id, retry and comments, and splits data at every kind of line end', () => {
    assert.equal(
      text({ event: 'e', data: 'a\r\nb\rc\n', id: '17', retry: 3000 }),
      'event: e\ndata: a\ndata: b\ndata: c\ndata: \nid: 17\nretry: 3000\n\n',
    )
    assert.equal(text({ comment: 'ping' }), ': ping\n\n')
    assert.equal(text({ comment: 'a\ndata: forged' }), ': a\n: data: forged\n\n')
  })

  it('refuses what would forge another field', () => {
    const bad: readonly SseFrame[] = [
      { event: 'a\ndata: x' },
      { id: '1\r' },
      { id: '1\0' },
      { retry: 1.5 },
      { retry: -1 },
    ]
    for (const frame of bad) assert.throws(() => encodeSse(frame), { code: 'ERR_INTERNAL' })
  })
})

describe('encodeLines()', () => {
  it('makes the same frames', () => {
    for (const frame of [
      { event: 'replay', data: '{"a":"é"}', id: 'e.1.2' },
      { event: undefined, data: '{}', id: 'e.1.2' },
      { event: 'replay', data: '{}', id: undefined },
      { event: undefined, data: '', id: undefined },
    ]) {
      const { event, data, id } = frame
      const same = { ...(event !== undefined && { event }), data, ...(id !== undefined && { id }) }
      assert.deepEqual(encodeLines(frame), encodeSse(same))
    }
  })
})
