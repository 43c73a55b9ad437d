import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { AvisoError, HistoryCompacted, isAvisoError, oldestRevisionOf } from '#shared/errors.ts'

describe('HistoryCompacted', () => {
  it('carries the oldest revision as a number for us and as text for clients', () => {
    const cause = new Error('behind it')
    const error = new HistoryCompacted('gone', 9_007_199_254_740_993n, cause)
    assert.ok(isAvisoError(error, 'ERR_HISTORY_COMPACTED'))
    assert.deepEqual([error.status, error.message, error.cause], [410, 'gone', cause])
    assert.equal(error.oldest, 9_007_199_254_740_993n)
    assert.deepEqual(error.details, { oldest_revision: '9007199254740993' })
  })

  it('says nothing of a revision that the store did not tell', () => {
    const error = new HistoryCompacted('gone', undefined)
    assert.deepEqual([error.oldest, error.details], [undefined, {}])
    assert.equal(oldestRevisionOf(error), undefined)
  })
})

describe('oldestRevisionOf()', () => {
  it('looks at compacted history alone', () => {
    assert.equal(oldestRevisionOf(new HistoryCompacted('gone', 7n)), 7n)
    assert.equal(oldestRevisionOf(new AvisoError('ERR_FUTURE_POSITION', 'not yet')), undefined)
    assert.equal(oldestRevisionOf(undefined), undefined)
  })
})
