import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createAddressOf, networkOf, startAccess } from '#services/system/access.ts'
import { BUILTIN_SCHEMAS } from '#shared/notification/builtin_schemas.ts'
import { createSchemas } from '#shared/notification/schema.ts'
import { configOf } from '../../../support/auth_servers_system.ts'
import { CANARY } from '../../../support/tokens.ts'
import { createManualClock } from '../../../support/clock.ts'
import { createSecretReader } from '#shared/secret.ts'
import { createTestLog } from '../../shared/access/identity/support.ts'

function request(forwarded?: string): Request {
  return new Request(
    'http://aviso.test/',
    forwarded === undefined ? {} : { headers: { 'x-forwarded-for': forwarded } },
  )
}

describe('createAddressOf()', () => {
  it('believes no header where there is no proxy of ours', () => {
    const addressOf = createAddressOf(0, () => '192.0.2.1')
    assert.equal(addressOf(request('203.0.113.9')), '192.0.2.1')
    assert.equal(createAddressOf(0)(request('203.0.113.9')), undefined)
  })

  it('believes the address that the outermost proxy of ours saw, whatever the client put before it', () => {
    const forwarded = 'forged, 203.0.113.9, 10.0.0.2'
    assert.equal(createAddressOf(1)(request(forwarded)), '10.0.0.2')
    assert.equal(createAddressOf(2)(request(forwarded)), '203.0.113.9')
    assert.equal(createAddressOf(2, () => '192.0.2.1')(request('10.0.0.2')), '192.0.2.1')
  })
})

describe('networkOf()', () => {
  it('takes an IPv4 address as it is, also inside an IPv6 one', () => {
    assert.equal(networkOf('192.0.2.1'), '192.0.2.1')
    assert.equal(networkOf('::ffff:192.0.2.1'), '192.0.2.1')
  })

  it('takes the network of an IPv6 address, in whatever spelling', () => {
    for (const address of ['2001:db8:1:2:3:4:5:6', '2001:DB8:1:2::9', '2001:db8:1:2::']) {
      assert.equal(networkOf(address), '2001:db8:1:2', address)
    }
    assert.equal(networkOf('2001:db8::1'), '2001:db8:0:0')
    assert.equal(networkOf('::1'), '0:0:0:0')
  })
})

describe('startAccess()', () => {
  const schemas = createSchemas([...BUILTIN_SCHEMAS].map(([source, content]) => ({ source, content })))
  const tokens = [{ username: 'ops', realm: 'local', secretEnv: 'OPS' }]
  const config = configOf({ identity: { providers: [{ kind: 'tokens', tokens }] } })
  const parts = { config, schemas, clock: createManualClock() }

  it('refuses a token that could be guessed, without showing it', () => {
    const { logger } = createTestLog()
    assert.throws(
      () => startAccess({ ...parts, logger, readSecret: createSecretReader({ OPS: CANARY }) }),
      (error: Error) => /token of ops/.test(error.message) && !error.message.includes(CANARY),
    )
  })

  it('counts the records that the audit log has lost', async () => {
    const { logger, lines } = createTestLog()
    const auditSink = (): never => {
      throw new Error('disk full')
    }
    const readSecret = createSecretReader({ OPS: `${CANARY}-the-token-of-ops` })
    const access = startAccess({ ...parts, logger, readSecret, auditSink })
    assert.equal(access.counts()['audit_lost'], 0)
    const headers = { authorization: 'Bearer wrong' }
    await assert.rejects(access.forListening(new Request('http://aviso.test/', { method: 'POST', headers })))
    await access.close()
    assert.equal(access.counts()['audit_lost'], 1)
    assert.match(lines.join('\n'), /The audit log cannot be written/)
  })
})
