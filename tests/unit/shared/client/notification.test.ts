import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
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
})
