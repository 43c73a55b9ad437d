import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { reasonOf } from '#shared/client/client_error.ts'

function failedWith(message: string, code?: string): TypeError {
  return new TypeError('fetch failed', { cause: Object.assign(new Error(message), { code }) })
}

describe('reasonOf()', () => {
  it('says in words what a code means, and keeps the text behind it', () => {
    const cases: readonly (readonly [string, string])[] = [
      ['getaddrinfo ENOTFOUND nohost.invalid', 'the host name is unknown'],
      ['getaddrinfo EAI_AGAIN nohost', 'the name service of this machine does not answer'],
      ['connect ECONNREFUSED 127.0.0.1:1', 'the connection was refused, so nothing listens there'],
      ['connect EHOSTUNREACH 10.0.0.1:80', 'no way leads to it'],
      ['bad port', 'fetch never uses this port, because it belongs to another protocol'],
    ]
    for (const [text, meaning] of cases) assert.equal(reasonOf(failedWith(text)), `${meaning}: ${text}`)
    const bun = Object.assign(new Error('Unable to connect'), { code: 'ConnectionRefused' })
    assert.match(reasonOf(bun), /^the connection was refused/)
  })

  it('names each address of a host that has several: the error around them says nothing', () => {
    const errors = ['::1', '127.0.0.1'].map((address) => new Error(`connect ECONNREFUSED ${address}:1`))
    const error = new TypeError('fetch failed', { cause: new AggregateError(errors, '') })
    assert.match(reasonOf(error), /ECONNREFUSED ::1:1; .*ECONNREFUSED 127\.0\.0\.1:1$/)
  })

  it('says in one line that a server does not speak TLS', () => {
    const text =
      '40:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:../tls.c:77:\n'
    assert.equal(
      reasonOf(failedWith(text)),
      'it does not speak TLS at this port: an http address may be meant',
    )
  })

  it('says it once where the text is put into another one', () => {
    const reason = reasonOf(failedWith('connect ECONNREFUSED 127.0.0.1:1'))
    const around = `${reason}, through the proxy http://127.0.0.1:1`
    assert.equal(reasonOf(new Error(around)), around)
  })

  it('leaves other texts as they are', () => {
    assert.equal(reasonOf(new Error('No answer in time')), 'No answer in time')
    assert.equal(reasonOf('thrown text'), 'thrown text')
  })
})
