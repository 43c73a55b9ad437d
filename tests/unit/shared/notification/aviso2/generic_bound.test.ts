import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createGenericBound, MAX_GENERIC_EVENTS } from '#shared/notification/aviso2/generic_bound.ts'

describe('createGenericBound()', () => {
  it('lets so many event types through, those that have a schema always, and says what to do', () => {
    const bound = createGenericBound((event) => event === 'mars')
    for (let count = 0; count < MAX_GENERIC_EVENTS; count++) bound.admit(`run-${count}`)
    assert.equal(bound.size, MAX_GENERIC_EVENTS)
    assert.throws(() => bound.admit('one-more'), {
      code: 'ERR_TOO_MANY_EVENTS',
      status: 400,
      message: /takes no more: give "one-more" a schema/,
    })
    bound.admit('mars')
    bound.admit('run-7')
    assert.equal(bound.size, MAX_GENERIC_EVENTS)
  })
})
