import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createAdministration } from '#shared/access/administration.ts'
import { rejects } from '../../../contract/store_support.ts'
import { createMemoryAudit, identifyByHeader, policyOf } from './support.ts'

function setUp() {
  const audit = createMemoryAudit()
  const policy = policyOf([{ realm: 'r', users: ['ops'], admin: true }])
  const forAdministration = createAdministration({
    identify: identifyByHeader,
    policy: () => policy,
    audit,
  })
  return {
    records: audit.records,
    call: (user: string | undefined, method: string, path: string) => {
      const headers = user === undefined ? {} : { 'x-user': user }
      return forAdministration(new Request(`http://127.0.0.1${path}`, { method, headers }))
    },
  }
}

describe('createAdministration()', () => {
  it('lets administer who may, and tells the name', async () => {
    const { call } = setUp()
    assert.deepEqual(await call('ops', 'GET', '/api/v1/admin/status'), { name: 'ops' })
  })

  it('puts on record what is administered, not every look at it', async () => {
    const { records, call } = setUp()
    await call('ops', 'GET', '/api/v1/monitoring/status')
    await call('ops', 'HEAD', '/api/v1/admin/status')
    assert.equal(records.length, 0)
    await call('ops', 'POST', '/api/v1/admin/clean?full=true')
    await call('ops', 'DELETE', '/api/v1/admin/wipe/all')
    assert.deepEqual(
      records.map(({ action, who, reason }) => [action, who?.username, reason]),
      [
        ['administered', 'ops', 'POST /api/v1/admin/clean'],
        ['administered', 'ops', 'DELETE /api/v1/admin/wipe/all'],
      ],
    )
  })

  it('puts every refusal on record', async () => {
    const { records, call } = setUp()
    await rejects(call('joe', 'GET', '/api/v1/monitoring/status'), 'ERR_FORBIDDEN')
    await rejects(call('joe', 'POST', '/api/v1/admin/clean'), 'ERR_FORBIDDEN')
    await rejects(call(undefined, 'POST', '/api/v1/admin/clean'), 'ERR_UNAUTHENTICATED')
    assert.deepEqual(
      records.map(({ action, who, reason }) => [action, who?.username, reason]),
      [
        ['refused', 'joe', 'ERR_FORBIDDEN'],
        ['refused', 'joe', 'ERR_FORBIDDEN'],
        ['refused', undefined, 'ERR_UNAUTHENTICATED'],
      ],
    )
  })
})
