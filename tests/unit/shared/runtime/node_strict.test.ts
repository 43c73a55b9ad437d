import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { toResponse } from '#shared/handler.ts'
import { ambiguityOf, answerAsterisk, readTarget, refuseAmbiguity } from '#shared/runtime/node_strict.ts'

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

  it('takes the absolute form (RFC 9112 §3.2.2) for the host of Host, and for no other', () => {
    const of = (url: string): string | undefined => ambiguityOf({ url, rawHeaders: ['Host', 'a:80'] })
    for (const url of ['http://a:80/v3/kv/range', 'HTTP://A:80', 'http://a:80?x=1', 'https://a:80/x?y=//'])
      assert.equal(of(url), undefined, url)
    for (const url of [
      'http://a/v3',
      'http://b:80/v3',
      'http://u@a:80/v3',
      'http://a:80/v3/../kv',
      'http://a:80//x',
      'ftp://a:80/',
    ])
      assert.equal(of(url), 'path', url)
    assert.equal(ambiguityOf({ url: 'http://a/', rawHeaders: [] }), 'path')
    assert.deepEqual(readTarget('http://a:80?x=1'), { target: '/?x=1', authority: 'a:80' })
    assert.deepEqual(readTarget('/a?u=http://b'), { target: '/a?u=http://b' })
  })

  it('refuses two hosts', () => {
    assert.equal(ambiguityOf({ url: '/', rawHeaders: [...HOST, 'X-Host', 'b', 'hOST', 'b'] }), 'host')
    assert.equal(ambiguityOf({ url: '/', rawHeaders: ['Accept', 'host', ...HOST] }), undefined)
  })
})

describe('refuseAmbiguity()', () => {
  it('answers as the services do', async () => {
    assert.equal(refuseAmbiguity({ headers: new Headers() }, 'path', () => 'id-1').status, 404)
    const response = toResponse(refuseAmbiguity({ headers: new Headers() }, 'host', () => 'id-1'))
    assert.equal(response.status, 400)
    assert.deepEqual(await response.json(), {
      message: 'Send one Host header',
      detail: 'Send one Host header',
      code: 'ERR_BAD_REQUEST',
      error: 'ERR_BAD_REQUEST',
      request_id: 'id-1',
    })
    assert.equal(response.headers.get('x-request-id'), 'id-1')
  })

  it('gives problem details to who prefers them', async () => {
    const headers = new Headers({ accept: 'application/problem+json' })
    const response = toResponse(refuseAmbiguity({ headers }, 'path', () => 'id-1'))
    assert.equal(response.headers.get('content-type'), 'application/problem+json')
    assert.deepEqual(await response.json(), {
      type: 'about:blank',
      title: 'Not Found',
      status: 404,
      detail: 'There is nothing at this path',
      code: 'ERR_NOT_FOUND',
      request_id: 'id-1',
    })
  })
})

describe('answerAsterisk()', () => {
  it('answers OPTIONS of the whole server, and nothing else', () => {
    assert.deepEqual(answerAsterisk({ method: 'OPTIONS', url: '*' }), {
      status: 204,
      headers: { allow: 'GET, HEAD, POST, PUT, DELETE, OPTIONS' },
      body: null,
    })
    assert.equal(answerAsterisk({ method: 'GET', url: '*' }), undefined)
    assert.equal(answerAsterisk({ method: 'OPTIONS', url: '/' }), undefined)
  })
})
