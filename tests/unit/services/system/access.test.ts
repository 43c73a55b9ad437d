import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { startAccess } from '#services/system/access.ts'
import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import { configOf } from '../../../support/auth_servers_system.ts'
import { CANARY } from '../../../support/tokens.ts'
import { createManualClock } from '../../../support/clock.ts'
import { createSecretReader } from '#shared/secret.ts'
import { createTestLog } from '../../shared/access/identity/support.ts'

describe('startAccess()', () => {
  const schemas = createBuiltinSchemas()
  const tokens = [{ username: 'ops', realm: 'local', secretEnv: 'OPS' }]
  const config = configOf({ identity: { providers: [{ kind: 'tokens', tokens }] } })
  const parts = {
    config,
    schemas,
    clock: createManualClock(),
    random: () => 'random',
    baseUrl: () => 'http://aviso.test',
  }

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
