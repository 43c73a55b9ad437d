import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { substitute } from '../../../../../scripts/aviso/triggers/substitute.ts'
import { TriggerError } from '../../../../../scripts/aviso/triggers/trigger.ts'
import { notification } from '../fixture.ts'

describe('substitute()', () => {
  it('fills in names, paths and the whole notification', () => {
    assert.equal(
      substitute('${event} on ${request.date}: ${payload}', notification(), undefined),
      'flight on 20210101: Landed',
    )
    assert.equal(substitute('${jsonpath}', notification(), '/tmp/x'), '/tmp/x')
    assert.equal(
      substitute('${json}', notification({ request: { country: 'Côte' } }), undefined),
      String.raw`{"event": "flight", "request": {"country": "C\u00f4te"}, "payload": "Landed"}`,
    )
  })

  it('does not look again at what it has filled in', () => {
    assert.equal(
      substitute('${payload}', notification({ payload: '${event} $& $1' }), undefined),
      '${event} $& $1',
    )
  })

  it('writes structured payloads as JSON, digit for digit, and reaches into them', () => {
    const structured = notification({
      payloadName: 'location',
      payload: { url: 's3://x', size: 12345678901234567890n },
    })
    assert.equal(
      substitute('${location.url} ${location.size}', structured, undefined),
      's3://x 12345678901234567890',
    )
    assert.equal(
      substitute('${location}', structured, undefined),
      '{"url":"s3://x","size":12345678901234567890}',
    )
  })

  it('has empty text for a payload that is absent', () => {
    const { payload: _payload, ...bare } = notification()
    assert.equal(substitute('[${payload}]', bare, undefined), '[]')
  })

  for (const name of ['HOME', 'request.nope', 'payload.x', 'request.constructor', '__proto__', 'jsonpath']) {
    it(`refuses \${${name}}`, () => {
      assert.throws(
        () => substitute(`\${${name}}`, notification(), undefined),
        (error) =>
          error instanceof TriggerError &&
          !error.retryable &&
          error.message.includes(`\${${name}} is not part of the notification`),
      )
    })
  }
})
