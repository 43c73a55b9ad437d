import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { judge, judgeForeign, readGatewayError } from '#shared/store/etcd/errors.ts'

describe('readGatewayError()', () => {
  it('reads every shape of every version', () => {
    const error = { code: 14, message: 'etcdserver: no leader' }
    for (const body of [
      { error: error.message, message: error.message, code: 14 },
      { code: 14, message: error.message },
      {
        error: { grpc_code: 14, http_code: 503, message: error.message, http_status: 'Service Unavailable' },
      },
      { error: { code: 14, message: error.message } },
    ]) {
      assert.deepEqual(readGatewayError(body), error)
    }
  })

  it('finds none where there is none', () => {
    assert.equal(readGatewayError(undefined), undefined)
    assert.equal(readGatewayError({}), undefined)
    assert.equal(readGatewayError({ header: { revision: '1' } }), undefined)
    assert.equal(readGatewayError({ error: { reason: 'x' } }), undefined)
  })
})

describe('judge()', () => {
  const kindOf = (code: number, message: string): string => {
    const { kind, error } = judge({ code, message })
    return `${kind} ${error.code}`
  }

  it('tells the three meanings of HTTP 429 apart by text', () => {
    assert.equal(kindOf(8, 'etcdserver: mvcc: database space exceeded'), 'refused ERR_STORE_FULL')
    assert.equal(
      kindOf(8, 'grpc: received message larger than max (2100010 vs. 2097152)'),
      'refused ERR_TOO_LARGE',
    )
    assert.equal(kindOf(14, 'etcdserver: too many requests'), 'not_done ERR_STORE_UNAVAILABLE')
  })

  it('tells positions', () => {
    assert.equal(
      kindOf(11, 'etcdserver: mvcc: required revision has been compacted'),
      'refused ERR_HISTORY_COMPACTED',
    )
    assert.equal(
      kindOf(11, 'etcdserver: mvcc: required revision is a future revision'),
      'refused ERR_FUTURE_POSITION',
    )
  })

  it('asks for another token, but not for another password', () => {
    assert.equal(kindOf(16, 'etcdserver: invalid auth token'), 'login ERR_STORE_UNAVAILABLE')
    assert.equal(kindOf(3, 'etcdserver: user name is empty'), 'login ERR_STORE_UNAVAILABLE')
    assert.equal(kindOf(3, 'etcdserver: revision of auth store is old'), 'login ERR_STORE_UNAVAILABLE')
    const wrong = 'etcdserver: authentication failed, invalid user ID or password'
    assert.equal(kindOf(3, wrong), 'refused ERR_STORE_UNAVAILABLE')
    assert.equal(kindOf(7, 'etcdserver: permission denied'), 'refused ERR_STORE_UNAVAILABLE')
  })

  it('takes nothing for undone that may have been done', () => {
    assert.equal(kindOf(14, 'etcdserver: no leader'), 'not_done ERR_STORE_UNAVAILABLE')
    for (const [code, message] of [
      [14, 'etcdserver: request timed out'],
      [14, 'etcdserver: request timed out, possibly due to previous leader failure'],
      [14, 'transport is closing'],
      [14, 'error reading from server: EOF'],
      [1, 'grpc: the client connection is closing'],
      [2, 'context deadline exceeded'],
      [4, 'context deadline exceeded'],
      [14, 'etcdserver: leader changed'],
      [13, 'something new'],
    ] as const) {
      assert.equal(kindOf(code, message), 'unknown ERR_STORE_UNAVAILABLE', message)
    }
  })

  it('keeps the text of etcd out of the message', () => {
    const { error } = judge({ code: 14, message: 'secret 10.0.0.1' })
    assert.doesNotMatch(error.message, /secret/)
    assert.match(String(error.cause), /secret/)
  })
})

describe('judgeForeign()', () => {
  it('takes for undone only what nothing behind it can have done', () => {
    assert.deepEqual(
      [200, 301, 404, 405, 502].map((status) => judgeForeign(status).kind),
      ['unknown', 'not_done', 'not_done', 'not_done', 'unknown'],
    )
    assert.equal(judgeForeign(404).error.code, 'ERR_STORE_PROTOCOL')
  })
})
