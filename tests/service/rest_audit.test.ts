/**
 * What the audit log says of the ingest: who published what, and from where, also of what was refused.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createOpenAccess } from '#shared/access/open_access.ts'
import type { AuditRecord } from '#shared/access/audit/audit.ts'
import { AvisoError } from '#shared/errors.ts'
import { createMemoryAudit } from '../unit/shared/access/support.ts'
import { dissemination, setUp } from './rest_fixture.ts'

const REQUEST = { 'x-request-id': 'r-1' }
const NDJSON = { ...REQUEST, 'content-type': 'application/x-ndjson' }
const KEY = (step: number): string =>
  `/ec/diss/MACI/date=20190810,target=E1,class=od,expver=0001,domain=g,time=00,stream=enfo,step=${step}`

function numbered(step: number): Record<string, unknown> {
  return { ...dissemination({ step: String(step) }), id: `id-${step}` }
}

function withAudit(options: Parameters<typeof setUp>[0] = {}) {
  const audit = createMemoryAudit()
  const access = createOpenAccess({ audit, addressOf: () => '192.0.2.7' })
  return { ...setUp({ access, ...options }), records: audit.records }
}

/** A record without what is the same in all of them. */
function without(records: readonly AuditRecord[]): readonly object[] {
  return records.map(({ who, address, requestId, ...record }) => {
    assert.deepEqual([who, address, requestId], [undefined, '192.0.2.7', 'r-1'])
    return record
  })
}

describe('the audit log of the ingest', () => {
  it('has key and id of a published notification, once, with address and request id', async () => {
    const { post, records } = withAudit({ replays: new Set(['id-2']) })
    await post(numbered(1), REQUEST)
    await post(numbered(2), REQUEST)
    assert.deepEqual(without(records), [
      { action: 'published', event: 'dissemination', keys: [KEY(1)], ids: ['dissemination@1'], count: 1 },
    ])
  })

  it('has one record for a batch, and one for each result of a batch that is stored in part', async () => {
    const { post, records } = withAudit({
      failures: new Map([['id-2', new AvisoError('ERR_OUTCOME_UNKNOWN', 'unknown')]]),
    })
    await post([numbered(1), numbered(2), numbered(3)], REQUEST)
    assert.deepEqual(without(records), [
      {
        action: 'published',
        event: 'dissemination',
        keys: [KEY(1), KEY(3)],
        ids: ['dissemination@1-2'],
        count: 2,
      },
      {
        action: 'refused',
        event: 'dissemination',
        keys: [KEY(2)],
        reason: 'ERR_OUTCOME_UNKNOWN',
        count: 1,
      },
    ])
  })

  it('has what was refused, with its code, as far as it was read', async () => {
    const { post, records } = withAudit({
      failures: new Map([['id-9', new AvisoError('ERR_STORE_UNAVAILABLE', 'down')]]),
    })
    await post('{', REQUEST)
    await post(dissemination({ step: 'x' }), REQUEST)
    await post({ event_type: 'nope', identifier: {} }, REQUEST)
    await post(numbered(9), REQUEST)
    await post(numbered(1), { ...REQUEST, 'sec-fetch-site': 'cross-site' })
    await post([numbered(1), dissemination({ step: 'x' }), dissemination({ step: 'y' })], REQUEST)
    const event = 'dissemination'
    assert.deepEqual(without(records), [
      { action: 'refused', reason: 'ERR_INVALID_JSON', count: 1 },
      { action: 'refused', event, reason: 'ERR_INVALID_NOTIFICATION', count: 1 },
      { action: 'refused', event: 'nope', reason: 'ERR_UNKNOWN_EVENT', count: 1 },
      { action: 'refused', event, keys: [KEY(9)], reason: 'ERR_STORE_UNAVAILABLE', count: 1 },
      { action: 'refused', reason: 'ERR_FORBIDDEN', count: 1 },
      { action: 'refused', event, reason: 'ERR_INVALID_NOTIFICATION', count: 2 },
    ])
  })

  it('has the failure that ends a stream', async () => {
    const { post, records } = withAudit()
    await post(`${JSON.stringify(numbered(1))}\n"${'x'.repeat(300_000)}"\n`, NDJSON)
    assert.deepEqual(
      records.map(({ action, reason, count }) => [action, reason, count]),
      [
        ['published', undefined, 1],
        ['refused', 'ERR_TOO_LARGE', 1],
      ],
    )
  })

  it('has a bounded number of records for a stream, whatever its lines are', async () => {
    const { post, records } = withAudit()
    const lines = Array.from({ length: 300 }, (_, index) =>
      index % 3 === 0 ? '{"nonsense":' : JSON.stringify(numbered(index)),
    )
    await post(lines.join('\n'), NDJSON)
    const counts = records.map(({ action, count = 0 }) => [action, count] as const)
    const total = (wanted: string): number =>
      counts.reduce((sum, [action, count]) => sum + (action === wanted ? count : 0), 0)
    assert.deepEqual([total('published'), total('refused')], [200, 100])
    assert.ok(records.length <= 8, String(records.length))
    without(records)
  })
})
