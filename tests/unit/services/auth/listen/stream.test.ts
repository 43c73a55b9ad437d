import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { BODY_LIMITS } from '#services/auth/listen/limits.ts'
import { ageOf } from '#services/auth/listen/stream.ts'
import { HistoryCompacted } from '#shared/errors.ts'
import { toText } from '#shared/bytes/bytes.ts'
import { createManualClock } from '../../../../support/clock.ts'
import { createFixture, keyValue, post, type Fixture } from '../support.ts'

const ALL = { event_type: 'flight', identifier: {} }
const BASE = '/tmp/aviso/flight/'
const JOURNAL = '/_aviso/journal/flight'

/** The store's head is 40; the journal was last written at 20, the status at 30. */
function stored(): Fixture {
  return createFixture([keyValue(JOURNAL, { modRevision: 20n }), keyValue(BASE, { modRevision: 30n })])
}

function compacted(oldest: bigint): HistoryCompacted {
  return new HistoryCompacted('gone', oldest)
}

async function ask({ handler }: Fixture, path: string, body: object): Promise<string> {
  const response = await handler(post(path, body))
  const text = await response.text()
  assert.equal(response.status, 200, text)
  return text
}

describe('openStream()', () => {
  it('ends a replay at the last write of the journal or a status, not at the store’s head', async () => {
    const fixture = stored()
    await ask(fixture, '/api/v1/replay', { ...ALL, from_id: '1' })
    assert.equal(fixture.hub.requests[0]?.until, 30n)
    const asked = fixture.store.asked.map(({ key, keysOnly }) => [toText(key), keysOnly])
    assert.deepEqual(asked, [
      [JOURNAL, true],
      [BASE, true],
    ])
  })

  it('asks for the head where a request covers many status keys', async () => {
    const fixture = stored()
    const destination = Array.from({ length: 20 }, (_, index) => `D${index}`)
    await ask(fixture, '/api/v1/replay', {
      event_type: 'dissemination',
      identifier: { destination },
      from_id: '1',
    })
    assert.equal(fixture.hub.requests[0]?.until, 40n)
    assert.equal(fixture.store.asked.length, 1)
  })

  it('ends a replay where it is told to, or at what is stored', async () => {
    const fixture = stored()
    await ask(fixture, '/api/v1/replay', { ...ALL, from_id: '2', to_id: '9' })
    await ask(fixture, '/api/v1/replay', { ...ALL, from_id: '2', to_id: '500' })
    await ask(fixture, '/api/v1/replay', { ...ALL, from_id: '2', to_date: '1970-01-01T00:00:25Z' })
    const spans = fixture.hub.requests.map(({ from, until }) => [
      from.kind === 'revision' && from.revision,
      until,
    ])
    assert.deepEqual(spans, [
      [12n, 19n],
      [12n, 30n],
      [12n, 25n],
    ])
  })

  it('answers a replay that starts behind its end without asking the hub', async () => {
    const fixture = stored()
    const text = await ask(fixture, '/api/v1/replay', {
      ...ALL,
      from_id: '31',
      to_date: '1970-01-01T00:00:25Z',
    })
    assert.equal(fixture.hub.requests.length, 0)
    assert.deepEqual(text.match(/"(?:type|reason)":"\w+"/g), [
      '"type":"replay_started"',
      '"type":"replay_completed"',
      '"reason":"end_of_stream"',
    ])
  })

  it('starts over with the oldest position where everything is asked for, a few times', async () => {
    const fixture = stored()
    fixture.hub.failures = [compacted(7n), compacted(9n)]
    const text = await ask(fixture, '/api/v1/watch', { ...ALL, from_id: '0' })
    const starts = fixture.hub.requests.map(({ from }) => from.kind === 'revision' && from.revision)
    assert.deepEqual(starts, [1n, 7n, 9n])
    assert.match(text, /"truncated":true/)
    const hopeless = stored()
    hopeless.hub.failures = [compacted(7n), compacted(9n), compacted(11n), compacted(13n)]
    const gone = await ask(hopeless, '/api/v1/watch', { ...ALL, from_id: '0' })
    assert.equal(hopeless.hub.requests.length, 3)
    assert.match(gone, /notification_replay_limit_reached/)
  })

  it('never moves a start that was asked for', async () => {
    const fixture = stored()
    fixture.hub.failures = [compacted(15n)]
    const text = await ask(fixture, '/api/v1/watch', { ...ALL, from_id: '2' })
    assert.equal(fixture.hub.requests.length, 1)
    assert.match(text, /notification_replay_limit_reached/)
    const open = createFixture()
    open.hub.failures = [compacted(15n)]
    const response = await open.handler(new Request('http://aviso.test/api/v1/watch?event=flight&from_id=2'))
    const body = (await response.json()) as Record<string, string>
    assert.deepEqual([response.status, body['oldest_position']], [410, 'epoch-1.14'])
  })
})

describe('ageOf()', () => {
  const now = Date.parse('2026-08-10T12:00:00.500Z')
  const grant = {
    keys: [],
    takeRead: async () => () => undefined,
    left: () => undefined,
    takePlace: () => assert.fail('no stream is opened here'),
  }
  const age = (endsAt: number | undefined) =>
    ageOf(
      { limits: { ...BODY_LIMITS, maxAgeSeconds: 60 }, clock: createManualClock(now) },
      { ...grant, endsAt },
    )

  it('is the limit of the service, unless the right ends before it: then that is the reason', () => {
    assert.deepEqual(age(undefined), { maxAgeSeconds: 60, ageReason: 'max_age' })
    assert.deepEqual(age(now + 60_000), { maxAgeSeconds: 60, ageReason: 'max_age' })
    assert.deepEqual(age(now + 58_001), { maxAgeSeconds: 59, ageReason: 'auth_expired' })
    assert.deepEqual(age(now - 5_000), { maxAgeSeconds: 1, ageReason: 'auth_expired' })
  })
})
