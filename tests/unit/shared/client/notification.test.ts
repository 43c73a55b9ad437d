import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { cloudEventText } from '#services/auth/listen/cloudevent.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { parseCloudEvent } from '#shared/client/notification.ts'

describe('parseCloudEvent()', () => {
  const data = { identifier: { airport: 'FCO' }, payload: 'Landed' }
  const event = (more: object): string =>
    JSON.stringify({ specversion: '1.0', id: 'flight@7', source: 's', data, ...more })

  it("keeps the provider's trace, and nothing that only looks like one", () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    assert.equal(parseCloudEvent(event({ traceparent }))?.traceparent, traceparent)
    for (const bad of [`${traceparent}\nX: y`, traceparent.toUpperCase(), '', 7, `${traceparent} `]) {
      assert.equal(parseCloudEvent(event({ traceparent: bad }))?.traceparent, undefined)
    }
  })

  /** What the service makes of a stored text that is JSON for `JSON.parse`. */
  const stored = (payload: string): string =>
    cloudEventText(
      {
        revision: 12n,
        index: 0,
        event: 'flight',
        key: '/k',
        request: { airport: ',"payload":x' },
        value: toBytes(payload),
        sequence: 7n,
      },
      'http://aviso.test',
    )

  for (const [what, payload] of [
    ['a name twice', '{"a":1,"a":2}'],
    ['a name that objects have', '{"__proto__":{"a":1}}'],
    ['half a character', String.raw`["\ud800"]`],
    ['more levels than we read', `${'['.repeat(20_000)}1${']'.repeat(20_000)}`],
    ['a part that looks like the end of the event', '{"a":"}}","a":{"payload":{}}}'],
  ] as const) {
    it(`takes a payload with ${what} as its text, because what is stored must not stop a listener`, () => {
      const received = parseCloudEvent(stored(payload))
      assert.equal(received?.payload, payload)
      assert.deepEqual([received?.id, received?.request['airport']], ['flight@7', ',"payload":x'])
    })
  }

  it('reads every other payload as the JSON that it is', () => {
    assert.deepEqual(parseCloudEvent(stored('{"a":12345678901234567890}'))?.payload, {
      a: 12345678901234567890n,
    })
    assert.equal(parseCloudEvent(stored('a\0b'))?.payload, 'a\0b')
    assert.equal(parseCloudEvent(stored('None'))?.payload, undefined)
  })

  it('refuses what is no notification of ours', () => {
    for (const text of [
      '',
      '{}',
      '[1]',
      '{"id":"x","data":{"identifier":{},"payload":{"a":1,"a":2}}',
      'null',
    ])
      assert.throws(() => parseCloudEvent(text), /cannot be read/, text)
  })
})
