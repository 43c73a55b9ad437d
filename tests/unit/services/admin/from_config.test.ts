import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toAdminSettings } from '#services/admin/from_config.ts'
import type { AdminVars } from '#services/admin/settings.ts'
import { isAvisoError } from '#shared/errors.ts'
import { createSchemas } from '#shared/notification/schema.ts'
import { thingsOf } from '../../../support/aviso2_schemas.ts'
import { DAY_MS, HOUR_MS, schemas } from './jobs/fixture.ts'

const VARS: AdminVars = {
  jobs: { compact: null, clean: null },
  history: 16 * DAY_MS,
  retention: { age: 15 * DAY_MS },
  events: {},
  longestGap: 3 * HOUR_MS,
  legacyHistoryKey: '/ec/admin/history',
  defragmentWasteMebibytes: 512,
}

describe('toAdminSettings()', () => {
  it('refuses a retention of an event type that no schema has: it would be kept by another one', () => {
    assert.throws(
      () => toAdminSettings({ ...VARS, events: { marz: { age: DAY_MS } } }, schemas),
      (error) => isAvisoError(error, 'ERR_UNKNOWN_EVENT') && error.message.includes('marz'),
    )
    assert.deepEqual(toAdminSettings({ ...VARS, events: { mars: { age: DAY_MS } } }, schemas).events, {
      mars: { ageMs: DAY_MS, count: undefined, dateField: undefined },
    })
  })

  it('takes the storage policies of 2.x schemas, unless the configuration says otherwise', () => {
    const storage_policy = { retention_time: '30d', max_messages: 5, max_size: '1Ki' }
    const content = thingsOf({ x: { type: 'StringHandler' } }, { storage_policy })
    const things = createSchemas([{ source: 'things', content }])
    const policy = { ageMs: 30 * DAY_MS, count: 5, bytes: 1024 }
    const settings = toAdminSettings(VARS, things)
    assert.deepEqual(settings.events, { things: policy })
    assert.equal(settings.historyMs, 30 * DAY_MS, 'what is kept can be replayed')
    const own = toAdminSettings({ ...VARS, events: { things: { count: 3 } } }, things)
    assert.deepEqual(own.events, { things: { ...policy, count: 3, dateField: undefined } })
  })

  it('takes the folders of the schemas for roots, and never the whole store', () => {
    assert.deepEqual([...toAdminSettings(VARS, schemas).roots].toSorted(), [
      '/ec/admin/',
      '/ec/diss/',
      '/ec/mars/',
      '/tmp/aviso/flight/',
    ])
    assert.deepEqual(toAdminSettings({ ...VARS, roots: ['/ec/mars/'] }, schemas).roots, ['/ec/mars/'])
  })
})
