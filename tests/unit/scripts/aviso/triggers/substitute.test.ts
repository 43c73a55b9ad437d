import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { substitute } from '../../../../../scripts/aviso/triggers/substitute.ts'
import { TriggerError } from '../../../../../scripts/aviso/triggers/trigger.ts'
import { notification } from '../fixture.ts'

const handover = { give: (_name: string, value: string) => value, file: () => '/tmp/x' }

describe('substitute()', () => {
  it('fills in names, paths and the whole notification', () => {
    assert.equal(
      substitute('${event} on ${request.date}: ${payload}', notification(), handover),
      'flight on 20210101: Landed',
    )
    assert.equal(substitute('${jsonpath}', notification(), handover), '/tmp/x')
    assert.equal(
      substitute('${json}', notification({ request: { country: 'Côte' } }), handover),
      String.raw`{"event": "flight", "request": {"country": "C\u00f4te"}, "payload": "Landed"}`,
    )
  })

  it('does not look again at what it has filled in', () => {
    assert.equal(
      substitute('${payload}', notification({ payload: '${event} $& $1' }), handover),
      '${event} $& $1',
    )
  })

  it('writes structured payloads as JSON, digit for digit, and reaches into them', () => {
    const structured = notification({
      payloadName: 'location',
      payload: { url: 's3://x', size: 12345678901234567890n },
    })
    assert.equal(
      substitute('${location.url} ${location.size}', structured, handover),
      's3://x 12345678901234567890',
    )
    assert.equal(
      substitute('${location}', structured, handover),
      '{"url":"s3://x","size":12345678901234567890}',
    )
  })

  it('has empty text for a payload that is absent', () => {
    const { payload: _payload, ...bare } = notification()
    assert.equal(substitute('[${payload}]', bare, handover), '[]')
  })

  it('has empty text for what a run does not have yet, and refuses what no run has', () => {
    const late = notification({ event: 'run', payload: { state: 'late', received: 3n } })
    assert.equal(
      substitute('${payload.received}|${payload.complete_at}|${payload.eta.from}|', late, handover),
      '3|||',
    )
    assert.throws(() => substitute('${payload.complete}', late, handover), TriggerError)
    assert.throws(
      () => substitute('${payload.complete_at}', { ...late, event: 'flight' }, handover),
      TriggerError,
    )
  })

  for (const name of ['HOME', 'request.nope', 'payload.x', 'request.constructor', '__proto__']) {
    it(`refuses \${${name}}`, () => {
      assert.throws(
        () => substitute(`\${${name}}`, notification(), handover),
        (error) =>
          error instanceof TriggerError &&
          !error.retryable &&
          error.isPoison === (name === 'payload.x') &&
          error.message.includes(`\${${name}} is not part of the notification`),
      )
    })
  }
})
