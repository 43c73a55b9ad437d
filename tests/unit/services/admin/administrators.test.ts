import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createAdminAuthoriser } from '#services/admin/administrators.ts'
import { silentAudit, type AuditRecord } from '#shared/access/audit/audit.ts'
import { createAccessControl } from '#shared/access/policy/access_control.ts'
import { openPolicy } from '#shared/access/policy/policy.ts'
import { identifyNobody } from '#shared/access/policy/requester.ts'
import { rejects } from '../../../contract/store_support.ts'

function setUp(isAdmin: boolean) {
  const records: AuditRecord[] = []
  const access = createAccessControl({
    identify: identifyNobody,
    policy: () => ({ ...openPolicy, isAdmin: () => isAdmin }),
    audit: { ...silentAudit, record: (record) => void records.push(record) },
  })
  const { authorise } = createAdminAuthoriser(access)
  return {
    records,
    call: (method: string, path: string) => authorise(new Request(`http://127.0.0.1${path}`, { method })),
  }
}

describe('createAdminAuthoriser()', () => {
  it('puts on record what is administered, not every look at it', async () => {
    const { records, call } = setUp(true)
    await call('GET', '/api/v1/monitoring/status')
    await call('HEAD', '/api/v1/admin/status')
    assert.deepEqual(records, [])
    await call('POST', '/api/v1/admin/clean?full=true')
    await call('DELETE', '/api/v1/admin/wipe/all')
    assert.deepEqual(
      records.map(({ action, reason }) => [action, reason]),
      [
        ['administered', 'POST /api/v1/admin/clean'],
        ['administered', 'DELETE /api/v1/admin/wipe/all'],
      ],
    )
  })

  it('puts every refusal on record', async () => {
    const { records, call } = setUp(false)
    await rejects(call('GET', '/api/v1/monitoring/status'), 'ERR_FORBIDDEN')
    await rejects(call('POST', '/api/v1/admin/clean'), 'ERR_FORBIDDEN')
    assert.deepEqual(
      records.map(({ action }) => action),
      ['refused', 'refused'],
    )
  })
})
