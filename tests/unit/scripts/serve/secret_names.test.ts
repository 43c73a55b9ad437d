import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { secretNames } from '../../../../scripts/serve/secret_names.ts'

describe('secretNames()', () => {
  it('finds every variable that a configuration names, wherever it is', () => {
    const config = {
      vars: { storeUser: { name: 'root', passwordEnv: 'STORE' }, telemetry: { http: { tokenEnv: 'TOKEN' } } },
      services: {
        monitoring: { vars: { telemetryTokenEnv: 'TOKEN', opsview: [{ passwordEnv: 'OPSVIEW' }] } },
      },
      identity: { providers: [{ secretEnvs: ['NEW', 'OLD'] }] },
      env: 'not a secret',
      nothing: null,
    }
    assert.deepEqual(secretNames(config), ['STORE', 'TOKEN', 'OPSVIEW', 'NEW', 'OLD'])
  })
})
