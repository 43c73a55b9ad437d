import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { AvisoError } from '#shared/errors.ts'
import { isName, parseCredential, readCredential } from '#shared/access/identity/credential.ts'

function message(authorization: string, authType: string | null = null): string {
  const presented = parseCredential(authorization, authType)
  if (presented.kind === 'presented') assert.fail(`${authorization} was taken`)
  return presented.message
}

function request(headers: Record<string, string>, url = 'http://aviso.test/v3/kv/range'): Request {
  return new Request(url, { method: 'POST', headers })
}

describe('parseCredential()', () => {
  it('reads EmailKey as ecFlow and pyaviso 1.0 send it, without X-Auth-Type, in any case', () => {
    for (const scheme of ['EmailKey', 'emailkey', 'EMAILKEY']) {
      assert.deepEqual(parseCredential(`${scheme} joe@x.int:tok`, null), {
        kind: 'presented',
        credential: { kind: 'email_key', email: 'joe@x.int', token: 'tok', header: 'Bearer tok' },
      })
    }
    assert.equal(parseCredential('EmailKey joe@x.int:tok', 'ecmwf').kind, 'presented')
  })

  it('reads Bearer with X-Auth-Type as pyaviso 1.x sends it, and without as 2.x does', () => {
    for (const authType of [null, 'ecmwf', 'openid'] as const) {
      assert.deepEqual(parseCredential('Bearer a.b-c_d~e+f/g==', authType), {
        kind: 'presented',
        credential: {
          kind: 'bearer',
          token: 'a.b-c_d~e+f/g==',
          authType: authType ?? undefined,
          header: 'Bearer a.b-c_d~e+f/g==',
        },
      })
    }
  })

  it('reads Basic with and without X-Auth-Type, and hands the same text on', () => {
    const header = `Basic ${btoa('joe:pass:word')}`
    for (const authType of [null, 'plain']) {
      assert.deepEqual(parseCredential(header, authType), {
        kind: 'presented',
        credential: { kind: 'basic', username: 'joe', password: 'pass:word', header },
      })
    }
  })

  it('refuses a form that does not go with X-Auth-Type', () => {
    const basic = `Basic ${btoa('joe:pass')}`
    assert.equal(message('Bearer tok', 'plain'), 'Unsupported authorization scheme')
    assert.equal(message(basic, 'ecmwf'), 'Unsupported authorization scheme')
    assert.equal(message(basic, 'openid'), 'Unsupported authorization scheme')
    // 1.x sent this one upstream as `Basic tok`.
    assert.equal(message('EmailKey joe@x.int:tok', 'plain'), 'Unsupported authorization scheme')
    assert.equal(message('Digest abc', null), 'Unsupported authorization scheme')
  })

  it('refuses other types by name, but echoes nothing that could be a secret', () => {
    assert.equal(message('Bearer tok', 'foo'), 'Unknown auth type: foo')
    assert.match(message('Bearer tok', 'openid, plain'), /^Unknown auth type: use ecmwf, openid or plain$/)
    assert.match(message('Bearer tok', 'ECMWF'), /ECMWF/)
    assert.doesNotMatch(message('Bearer tok', 's3cret-s3cret-s3cret'), /s3cret/)
    assert.match(message('Bearer tok', '__proto__'), /^Unknown auth type/)
    assert.match(message('Bearer tok', 'constructor'), /^Unknown auth type/)
  })

  it('says what 1.x says of a value without a scheme', () => {
    assert.equal(message('tok'), 'Missing X-Auth-Type header')
    assert.equal(message('tok', 'ecmwf'), 'Invalid Authorization header format')
  })

  it('takes any number of spaces behind the scheme (RFC 9110 §11.4), and hands one on', () => {
    const presented = parseCredential('Bearer   x', null)
    assert.ok(presented.kind === 'presented')
    assert.equal(presented.credential.header, 'Bearer x')
  })

  it('refuses every other spelling', () => {
    const spellings = [
      '',
      'Bearer',
      'Bearer ',
      'bearer\tx',
      'Bearer a b',
      ' Bearer x',
      'Bearer x ',
      'Bearer a===',
      'Bearer a=b',
      'Bearer %00',
      'Bearer tök',
      'Bearer {"a":1}',
      `Bearer ${'a'.repeat(8193)}`,
      'EmailKey joe@x.int-tok',
      'EmailKey :tok',
      'EmailKey joe@x.int:',
      'EmailKey a:b:c',
      'EmailKey joe@x.int:to k',
      'Basic',
      'Basic ###',
      `Basic ${btoa('no colon')}`,
      `Basic ${btoa(':password')}`,
      `Basic ${btoa('joe:pass').replaceAll('=', '')}`,
      `Basic ${btoa('\u00ff\u00fe:x')}`,
      `Basic ${btoa('joe\u0000:x')}`,
    ]
    for (const spelling of spellings) assert.notEqual(message(spelling), '')
  })

  it('takes a credential of exactly the most characters', () => {
    assert.equal(parseCredential(`Bearer ${'a'.repeat(8192)}`, null).kind, 'presented')
  })
})

describe('readCredential()', () => {
  it('tells absent from malformed', () => {
    assert.deepEqual(readCredential(request({})), { kind: 'absent', message: 'Missing Authorization header' })
    assert.equal(readCredential(request({ authorization: 'tok' })).kind, 'malformed')
    assert.equal(readCredential(request({ authorization: 'Bearer tok' })).kind, 'presented')
  })

  it('refuses two credentials, which Fetch joins by a comma', () => {
    const two = new Headers([
      ['authorization', 'Bearer a'],
      ['authorization', 'Bearer b'],
    ])
    assert.throws(() => readCredential(new Request('http://aviso.test/', { headers: two })), {
      code: 'ERR_BAD_REQUEST',
    })
    assert.throws(() => readCredential(request({ authorization: 'Bearer a,b' })), { code: 'ERR_BAD_REQUEST' })
  })

  it('refuses a credential in the query, without repeating it', () => {
    for (const name of ['access_token', 'token', 'Access_Token', 'api_key', 'jwt', 'Authorization']) {
      assert.throws(
        () => readCredential(request({}, `http://aviso.test/api/v1/watch?event=flight&${name}=s3cret`)),
        (error: unknown) =>
          error instanceof AvisoError &&
          error.code === 'ERR_BAD_REQUEST' &&
          error.details['reason'] === 'query-credentials' &&
          !JSON.stringify([error.message, error.details]).includes('s3cret'),
      )
    }
    assert.equal(readCredential(request({}, 'http://aviso.test/api/v1/watch?event=token')).kind, 'absent')
  })

  it('looks at no other header', () => {
    const forged = {
      'x-forwarded-user': 'admin',
      'remote-user': 'admin',
      'x-auth-realm': 'ecmwf',
      'proxy-authorization': 'Bearer tok',
      'x-auth-type': 'ecmwf',
    }
    assert.equal(readCredential(request(forged)).kind, 'absent')
  })
})

describe('isName()', () => {
  it('takes what people and machines are called', () => {
    for (const name of ['joe', 'u+s er&name', 'joe@x.int', 'system:serviceaccount:ns:n', 'Jörg', '李']) {
      assert.ok(isName(name), name)
    }
  })

  it('refuses what cannot be shown as it is', () => {
    const names = [
      '',
      ' joe',
      'joe ',
      'a\u0000',
      'a\nb',
      'admin\u202e',
      'a\u200bb',
      '\ufeffjoe',
      '\ud800',
      'x'.repeat(321),
    ]
    for (const name of names) assert.ok(!isName(name), JSON.stringify(name))
  })
})
