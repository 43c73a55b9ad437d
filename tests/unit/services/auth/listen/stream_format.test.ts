import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createStreamFormat, type StreamDetails } from '#services/auth/listen/stream_format.ts'
import { toText } from '#shared/bytes/bytes.ts'
import type { Closing, CloseReason, StreamFormat } from '#shared/hub/hub.ts'
import { EPOCH, HEAD, notification } from '../support.ts'
import { BASE_URL } from '../../../../support/system.ts'

const STRICT = { wire: 'sse', strict: true } as const
const OPEN = { wire: 'sse', strict: false } as const
const LINES = { wire: 'ndjson', strict: false } as const
const NOW = '"topic":"flight","timestamp":"2026-08-10T12:00:00Z"'

function format(details: Partial<StreamDetails> = {}): StreamFormat {
  return createStreamFormat({
    dialect: STRICT,
    event: 'flight',
    epoch: EPOCH,
    baseUrl: BASE_URL,
    requestId: 'r',
    maxAgeSeconds: 3600,
    from: { kind: 'live' },
    requested: {},
    clock: { now: () => Date.parse('2026-08-10T12:00:00.999Z') },
    ...details,
  })
}

const text = (frame: Uint8Array | undefined): string => toText(frame ?? new Uint8Array(0))
const from = { kind: 'revision', revision: 5n } as const

describe('opening()', () => {
  it('is exactly 2.x’s, live or with a start', () => {
    assert.equal(
      text(format().opening?.(HEAD)),
      `event: live-notification\ndata: {"type":"connection_established",${NOW},"request_id":"r","connection_will_close_in_seconds":3600}\n\n`,
    )
    const started = format({ from, requested: { sequence: 2n ** 63n }, endSequence: 2n ** 64n - 1n })
    assert.equal(
      text(started.opening?.(HEAD)),
      'event: replay-control\ndata: {"type":"replay_started","from_sequence":9223372036854775808,' +
        `"end_sequence":18446744073709551615,"from_date":null,"to_date":null,"batch_size":100,${NOW},"request_id":"r"}\n\n`,
    )
    const dated = format({ from, requested: { date: '"2026' }, isTruncated: true })
    assert.equal(
      text(dated.opening?.(HEAD)),
      'event: replay-control\ndata: {"type":"replay_started","from_sequence":null,"end_sequence":null,' +
        `"from_date":"\\"2026","to_date":null,"batch_size":100,${NOW},"request_id":"r","truncated":true}\n\n`,
    )
  })

  it('gives others a place to go on from, and a time to come back', () => {
    const [, , id, retry] = text(format({ dialect: OPEN }).opening?.(HEAD)).split('\n')
    assert.equal(id, `id: ${EPOCH}.40`)
    assert.match(retry ?? '', /^retry: [1-4]\d{3}$/)
    assert.match(text(format({ dialect: OPEN, from }).opening?.(HEAD)), new RegExp(`\nid: ${EPOCH}\\.4\n`))
    const inside = format({ dialect: OPEN, from: { ...from, afterIndex: 2 } })
    assert.match(text(inside.opening?.(HEAD)), new RegExp(`\nid: ${EPOCH}\\.5\\.2\n`))
    const beginning = format({ dialect: OPEN, from: { kind: 'revision', revision: 1n } })
    assert.doesNotMatch(text(beginning.opening?.(HEAD)), /\nid:/)
  })
})

describe('notification()', () => {
  it('names history and what is live, and numbers others’ frames', () => {
    const strict = format()
    assert.match(text(strict.notification?.(notification(), 'history')), /^event: replay\ndata: \{.*\}\n\n$/)
    assert.match(
      text(strict.notification?.(notification(), 'live')),
      /^event: live-notification\ndata: \{.*\}\n\n$/,
    )
    const open = text(format({ dialect: OPEN }).notification?.(notification({ index: 3 }), 'live'))
    assert.ok(open.endsWith(`\nid: ${EPOCH}.12.3\n\n`), open)
  })

  it('gives 2.x clients what has no number with the one before it, and hides what has none: they would stop for good', () => {
    const { sequence: _sequence, ...foreign } = notification()
    assert.match(text(format().notification?.(foreign, 'live')), /^event: unnumbered-notification\n/)
    const preceded = { ...foreign, precedingSequence: 7n }
    assert.match(
      text(format().notification?.(preceded, 'live')),
      /^event: live-notification\ndata: .*"id":"flight@7"/,
    )
    assert.match(text(format().notification?.(preceded, 'history')), /^event: replay\n/)
    assert.match(text(format({ dialect: OPEN }).notification?.(preceded, 'live')), /"id":"flight@r12\.0"/)
    assert.match(
      text(format({ dialect: OPEN }).notification?.(foreign, 'live')),
      /^event: live-notification\n/,
    )
  })

  it('leaves out what lies behind the end, in frames that no other stream shares', () => {
    const bounded = format({ endSequence: 3n })
    assert.ok((bounded.notification?.(notification({ sequence: 3n }), 'history').length ?? 0) > 0)
    assert.equal(bounded.notification?.(notification({ sequence: 4n }), 'history').length, 0)
    const names = [
      format(),
      bounded,
      format({ dialect: OPEN }),
      format({ dialect: LINES }),
      format({ epoch: 'f' }),
    ]
    assert.equal(new Set(names.map(({ name }) => name)).size, names.length)
    assert.equal(format({ requestId: 'other' }).name, format().name)
  })
})

describe('JSON lines', () => {
  it('hold what a frame holds', () => {
    const lines = format({ dialect: LINES })
    const line = text(lines.notification?.(notification(), 'live'))
    const { event, id, data } = JSON.parse(line) as { event: string; id: string; data: { id: string } }
    assert.deepEqual(
      [event, id, data.id, line.endsWith('\n')],
      ['live-notification', `${EPOCH}.12.0`, 'flight@3', true],
    )
    assert.equal(
      text(lines.heartbeat?.({ revision: 40n })),
      `{"event":"heartbeat","id":"${EPOCH}.40","data":{"position":"${EPOCH}.40",${NOW}}}\n`,
    )
  })
})

describe('closing()', () => {
  const reasons: readonly CloseReason[] = [
    'end_of_stream',
    'max_age',
    'shutdown',
    'drain',
    'slow_consumer',
    'store_unavailable',
    'history_compacted',
    'auth_expired',
    'auth_revoked',
    'auth_unavailable',
  ]
  const position = { revision: 40n }
  const closing = (reason: CloseReason): Closing =>
    reason === 'history_compacted' ? { reason, oldest: 50n, position } : { reason, position }
  const shown = (details: Partial<StreamDetails>, reason: CloseReason): string[] =>
    text(format(details).closing?.(closing(reason)))
      .split('\n\n')
      .filter((frame) => frame !== '')
      .map((frame) => {
        const [, event, data] = /^event: (.*)\ndata: (.*)/.exec(frame) ?? []
        const { reason: told, detail, position } = JSON.parse(data ?? '') as Record<string, string>
        return [event, told, detail, position].filter((part) => part !== undefined).join(' ')
      })

  it('speaks 2.x’s three words to its clients, with the truth beside them', () => {
    const told = reasons.map((reason) => shown({}, reason).at(-1))
    const place = `${EPOCH}.40`
    assert.deepEqual(told, [
      `connection-closing end_of_stream end_of_stream ${place}`,
      `connection-closing max_duration_reached max_age ${place}`,
      `connection-closing server_shutdown shutdown ${place}`,
      `connection-closing max_duration_reached drain ${place}`,
      `connection-closing server_shutdown slow_consumer ${place}`,
      `connection-closing server_shutdown store_unavailable ${place}`,
      `connection-closing end_of_stream history_compacted ${place}`,
      `connection-closing max_duration_reached auth_expired ${place}`,
      `connection-closing max_duration_reached auth_revoked ${place}`,
      `connection-closing server_shutdown auth_unavailable ${place}`,
    ])
    assert.equal(shown({}, 'history_compacted')[0], 'replay-control history_compacted')
    assert.match(text(format().closing?.(closing('history_compacted'))), /"max_allowed":10000,/)
  })

  it('has listeners come back soon after a drain, which has spread them already', () => {
    const frame = (reason: CloseReason): string => text(format({ dialect: OPEN }).closing?.(closing(reason)))
    assert.match(frame('drain'), /^retry: [1-9]\d{2}$/m)
    assert.doesNotMatch(frame('shutdown'), /^retry/m)
  })

  it('speaks plainly to others', () => {
    const told = reasons.map((reason) => shown({ dialect: OPEN }, reason).at(-1)?.split(' ')[1])
    assert.deepEqual(told, [
      'end_of_stream',
      'max_duration_reached',
      'server_shutdown',
      'max_duration_reached',
      'slow_consumer',
      'store_unavailable',
      'history_compacted',
      'auth_expired',
      'auth_revoked',
      'auth_unavailable',
    ])
    const gap = text(format({ dialect: OPEN }).closing?.(closing('history_compacted')))
    assert.match(gap, /^event: gap\ndata: \{"reason":"history_compacted",/)
    assert.match(gap, new RegExp(`"oldest_revision":"50","oldest_position":"${EPOCH}\\.49"`))
  })
})

describe('heartbeat() and caughtUp()', () => {
  it('tell how far the stream is, never less than where it began', () => {
    const open = format({ dialect: OPEN, from })
    assert.match(text(open.heartbeat?.({ revision: 0n })), new RegExp(`"position":"${EPOCH}\\.4"`))
    assert.match(text(open.heartbeat?.({ revision: 41n, index: 1 })), new RegExp(`\nid: ${EPOCH}\\.41\\.1\n`))
    const completed = text(open.caughtUp?.({ revision: 41n }))
    assert.match(completed, /^event: replay-control\ndata: \{"type":"replay_completed",/)
    assert.equal(text(format().heartbeat?.({ revision: 0n })), `event: heartbeat\ndata: {${NOW}}\n\n`)
  })
})

describe('a stream of messages', () => {
  const messages = format({ dialect: { ...OPEN, asMessages: true } })
  const named = format({ dialect: OPEN })

  it('gives notifications no name, and keeps all the rest', () => {
    for (const phase of ['history', 'live'] as const) {
      const frame = text(messages.notification?.(notification(), phase))
      assert.equal(frame, text(named.notification?.(notification(), phase)).replace(/^event: .*\n/, ''))
      assert.match(frame, /^data: \{"specversion".*\nid: /)
    }
    assert.match(text(messages.opening?.(HEAD)), /^event: live-notification\n/)
    assert.match(text(messages.heartbeat?.({ revision: 5n })), /^event: heartbeat\n/)
  })

  it('says message in a line of JSON', () => {
    const lines = format({ dialect: { ...LINES, asMessages: true } })
    assert.match(text(lines.notification?.(notification(), 'live')), /^\{"event":"message","id":/)
  })

  it('shares no bytes with streams whose notifications have names', () => {
    assert.notEqual(messages.name, named.name)
  })
})
