import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import {
  checkSpan,
  parseListenBody,
  parseListenQuery,
  type ListenRequest,
} from '#services/auth/listen/request.ts'
import { isAvisoError } from '#shared/errors.ts'
import { toBytes } from '#shared/bytes/bytes.ts'

const NOW = Date.UTC(2026, 10, 29, 12)

function parse(body: unknown): ListenRequest {
  return parseListenBody(toBytes(typeof body === 'string' ? body : JSON.stringify(body)), NOW)
}

/** Field and code of the refusal. */
function refusal(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    if (isAvisoError(error, 'ERR_BAD_REQUEST', 'ERR_INVALID_JSON'))
      return [error.details['field'], error.details['wire_code']]
    throw error
  }
  return 'taken'
}

const FLIGHT = { event_type: 'flight', identifier: {} }

describe('parseListenBody()', () => {
  it('reads every field; null is as good as none', () => {
    assert.deepEqual(parse({ ...FLIGHT, from_id: null, from_date: null, to_id: null, payload: [1] }), {
      event: 'flight',
      identifier: {},
      start: { kind: 'live' },
    })
    assert.deepEqual(parse({ ...FLIGHT, from_id: '10', to_date: '1740509903' }), {
      event: 'flight',
      identifier: {},
      start: { kind: 'sequence', sequence: 10n },
      end: { kind: 'date', at: 1_740_509_903_000, text: '1740509903' },
    })
    assert.deepEqual(parse({ ...FLIGHT, from_date: '2025-06-09 13:15:00', to_id: '0' }), {
      event: 'flight',
      identifier: {},
      start: { kind: 'date', at: Date.UTC(2025, 5, 9, 13, 15), text: '2025-06-09 13:15:00' },
      end: { kind: 'sequence', sequence: 0n },
    })
  })

  it('keeps values as they are given, numbers beyond 2^53 exactly', () => {
    const body = '{"event_type":"e","identifier":{"a":9007199254740993,"b":true,"c":["x",1],"d":{"in":[1]}}}'
    assert.deepEqual(parse(body).identifier, {
      a: 9_007_199_254_740_993n,
      b: true,
      c: ['x', 1],
      d: { in: [1] },
    })
  })

  it('names what is wrong', () => {
    const rows: readonly (readonly [body: unknown, field: string | undefined, code: string | undefined])[] = [
      ['[]', undefined, 'INVALID_REQUEST_SHAPE'],
      ['{', undefined, undefined],
      [{}, 'event_type', 'INVALID_REQUEST_SHAPE'],
      [{ ...FLIGHT, to_date: 1 }, 'to_date', 'INVALID_REQUEST_SHAPE'],
      [{ ...FLIGHT, extra: 1 }, 'extra', 'UNKNOWN_FIELD'],
      [{ event_type: 'flight' }, 'identifier', 'INVALID_REQUEST_SHAPE'],
      [{ ...FLIGHT, identifier: null }, 'identifier', 'INVALID_REQUEST_SHAPE'],
      [{ ...FLIGHT, identifier: { a: null } }, 'a', 'INVALID_REQUEST_SHAPE'],
      [{ ...FLIGHT, from_id: ' ' }, 'from_id', undefined],
      [{ ...FLIGHT, to_id: '1', to_date: '0' }, 'to_date', undefined],
      [{ ...FLIGHT, ['x'.repeat(100)]: 1 }, 'x'.repeat(64), 'UNKNOWN_FIELD'],
    ]
    for (const [body, field, code] of rows)
      assert.deepEqual(
        refusal(() => parse(body)),
        [field, code],
      )
  })
})

describe('checkSpan()', () => {
  it('compares places of the same kind only', () => {
    const check = (body: object): unknown => refusal(() => checkSpan('replay', parse({ ...FLIGHT, ...body })))
    assert.equal(check({ from_id: '4', to_id: '4' }), 'taken')
    assert.deepEqual(check({ from_id: '5', to_id: '4' }), ['to_id', undefined])
    assert.equal(check({ from_date: '2025-06-09', to_date: '2025-06-09' }), 'taken')
    assert.deepEqual(check({ from_date: '2025-06-09', to_date: '2025-06-08' }), ['to_date', undefined])
    assert.equal(check({ from_id: '1000', to_date: '0' }), 'taken')
    assert.equal(check({ from_date: '2025-06-09', to_id: '0' }), 'taken')
  })

  it('takes a start where a replay needs one, and an end on a replay only', () => {
    const live = parse(FLIGHT)
    assert.equal(
      refusal(() => checkSpan('watch', live)),
      'taken',
    )
    assert.deepEqual(
      refusal(() => checkSpan('replay', live)),
      ['from_id', undefined],
    )
    const bounded = parse({ ...FLIGHT, from_id: '1', to_id: '4' })
    assert.deepEqual(
      refusal(() => checkSpan('watch', bounded)),
      ['to_id', undefined],
    )
    assert.equal(
      refusal(() => checkSpan('replay', bounded)),
      'taken',
    )
  })
})

describe('parseListenQuery()', () => {
  const query = (text: string, lastEventId: string | null = null): ListenRequest =>
    parseListenQuery(new URLSearchParams(text), lastEventId, NOW)

  it('takes every parameter but its own as a field', () => {
    assert.deepEqual(query('event=flight&number=a&number=b&country=it+aly&from_id=3'), {
      event: 'flight',
      identifier: { number: ['a', 'b'], country: 'it aly' },
      start: { kind: 'sequence', sequence: 3n },
    })
  })

  it('prefers the place a browser has reached to the start in the address', () => {
    const start = { kind: 'cursor', text: 'e.9' }
    assert.deepEqual(query('event=flight&from_id=3', 'e.9').start, start)
    assert.deepEqual(query('event=flight&from=e.8', 'e.9').start, start)
    assert.deepEqual(query('event=flight&from=e.9').start, start)
    assert.deepEqual(query('event=flight', '').start, { kind: 'live' })
  })

  it('refuses two starts, and a control given twice', () => {
    assert.deepEqual(
      refusal(() => query('event=e&from_id=1&from=e.9')),
      ['from', undefined],
    )
    assert.deepEqual(
      refusal(() => query('event=e&event=e')),
      ['event', undefined],
    )
    assert.deepEqual(
      refusal(() => query('number=1')),
      ['event', undefined],
    )
  })
})

describe('ids as positions', () => {
  const query = (text: string, lastEventId: string | null = null): ListenRequest =>
    parseListenQuery(new URLSearchParams(`event=flight&${text}`), lastEventId, NOW)
  const startOf = (text: string, lastEventId?: string): unknown => query(text, lastEventId).start

  it('are the number in them where a number is taken', () => {
    assert.deepEqual(startOf('from_id=flight@5'), { kind: 'sequence', sequence: 5n })
    assert.deepEqual(startOf('from_id=flight%405'), { kind: 'sequence', sequence: 5n })
    const { start, end } = parse({ ...FLIGHT, from_id: 'flight@5', to_id: 'flight@7' })
    assert.deepEqual(
      [start, end],
      [
        { kind: 'sequence', sequence: 5n },
        { kind: 'sequence', sequence: 7n },
      ],
    )
  })

  it('are what the client has where it says what it has', () => {
    assert.deepEqual(startOf('from=flight@5'), { kind: 'sequence', sequence: 6n })
    assert.deepEqual(startOf('', 'flight@5'), { kind: 'sequence', sequence: 6n })
    assert.deepEqual(startOf('from_id=1', 'flight@5'), { kind: 'sequence', sequence: 6n })
    assert.deepEqual(startOf('', 'flight@0'), { kind: 'sequence', sequence: 1n })
  })

  it('are refused for another event type, and where they are none', () => {
    for (const [text, last, field] of [
      ['from_id=mars@5', null, 'from_id'],
      ['from=mars@5', null, 'from'],
      ['', 'mars@5', 'Last-Event-ID'],
      ['from_id=flight@', null, 'from_id'],
      ['from_id=flight@-1', null, 'from_id'],
      ['from_id=flight@99999999999999999999', null, 'from_id'],
      ['from_id=@5', null, 'from_id'],
    ] as const)
      assert.deepEqual(
        refusal(() => query(text, last)),
        [field, undefined],
        `${text} ${last}`,
      )
    assert.deepEqual(
      refusal(() => parse({ ...FLIGHT, to_id: 'mars@5' })),
      ['to_id', undefined],
    )
  })

  it('leave a cursor a cursor', () => {
    assert.deepEqual(startOf('', 'epoch.5.1'), { kind: 'cursor', text: 'epoch.5.1' })
  })
})

describe('events=', () => {
  const query = (text: string): ListenRequest =>
    parseListenQuery(new URLSearchParams(`event=flight&${text}`), null, NOW)

  it('asks for messages without a name, and is no field of the event', () => {
    assert.deepEqual(query('events=message'), {
      event: 'flight',
      identifier: {},
      start: { kind: 'live' },
      asMessages: true,
    })
    assert.equal('asMessages' in query(''), false)
    assert.deepEqual(query('ticket=x').identifier, {})
  })

  it('can be nothing else', () => {
    for (const text of ['events=', 'events=live', 'events=message&events=message'])
      assert.deepEqual(
        refusal(() => query(text)),
        ['events', undefined],
        text,
      )
  })
})
