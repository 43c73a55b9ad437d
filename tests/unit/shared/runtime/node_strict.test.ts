import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { toResponse } from '#shared/handler.ts'
import { ambiguityOf, refuseAmbiguity } from '#shared/runtime/node_strict.ts'

const HOST = ['Host', 'a']

describe('ambiguityOf()', () => {
  it('takes every path that stands for itself', () => {
    const targets = [
      '/',
      '/v3/kv/range',
      '/api/v1/watch?event=flight&from=..',
      '/a.b/..c/d..',
      '/v3/%77atch',
      '/a?x=\\..\\',
    ]
    for (const url of targets) assert.equal(ambiguityOf({ url, rawHeaders: HOST }), undefined, url)
  })

  it('refuses paths that somebody else would read as other ones', () => {
    const targets = [
      '//evil/v3/kv/range',
      '/v3/../kv',
      '/v3/..',
      '/v3/./kv',
      '/v3/%2e%2e/kv',
      '/v3/.%2E',
      '/v3%2f..%2fkv',
      '/v3\\kv',
      'http://evil.test/v3/kv/range',
      'v3/kv',
      '*',
      '',
    ]
    for (const url of targets) assert.equal(ambiguityOf({ url, rawHeaders: HOST }), 'path', url)
  })

  it('refuses two hosts', () => {
    assert.equal(ambiguityOf({ url: '/', rawHeaders: [...HOST, 'X-Host', 'b', 'hOST', 'b'] }), 'host')
    assert.equal(ambiguityOf({ url: '/', rawHeaders: ['Accept', 'host', ...HOST] }), undefined)
  })
})

describe('refuseAmbiguity()', () => {
  it('answers as the services do', async () => {
    assert.equal(refuseAmbiguity('path').status, 404)
    const response = toResponse(refuseAmbiguity('host'))
    assert.equal(response.status, 400)
    assert.deepEqual(await response.json(), {
      message: 'Send one Host header',
      detail: 'Send one Host header',
      code: 'ERR_BAD_REQUEST',
    })
  })
})
