import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'

import { createAudit, type Audit, type AuditRecord } from '#shared/access/audit/audit.ts'
import { createManualClock, type ManualClock } from '../../../../support/clock.ts'
import { createTestLog, deferred } from '../identity/support.ts'

const JOE = { provider: 'p', realm: 'r', username: 'joe' }

describe('createAudit()', () => {
  let clock: ManualClock
  let written: string[]
  let write: (lines: string) => Promise<void> | void
  let log: ReturnType<typeof createTestLog>
  let audit: Audit

  beforeEach(() => {
    clock = createManualClock()
    written = []
    write = (lines) => {
      written.push(lines)
    }
    log = createTestLog()
    audit = createAudit({ sink: (lines) => write(lines), clock, logger: log.logger })
  })

  const lines = (): Record<string, unknown>[] =>
    written
      .flatMap((text) => text.trimEnd().split('\n'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)

  it('writes one JSON line for each record, every second', async () => {
    audit.record({ action: 'opened', who: JOE, requestId: 'id', event: 'mars', position: 'e.1' })
    audit.record({ action: 'refused', who: undefined, reason: 'ERR_FORBIDDEN', keys: ['/a', '/b'] })
    assert.deepEqual(written, [])
    await clock.advance(1000)
    const time = new Date(clock.now() - 1000).toISOString()
    assert.deepEqual(lines(), [
      {
        time,
        action: 'opened',
        provider: 'p',
        realm: 'r',
        user: 'joe',
        request_id: 'id',
        event: 'mars',
        position: 'e.1',
      },
      { time, action: 'refused', keys: ['/a', '/b'], reason: 'ERR_FORBIDDEN' },
    ])
    await audit.close()
  })

  it('writes many records at once without waiting for the second', async () => {
    for (let index = 0; index < 2500; index++) audit.record({ action: 'published', who: JOE, count: index })
    await clock.advance(0)
    assert.equal(lines().length, 2500)
    assert.equal(audit.lost(), 0)
    await audit.close()
  })

  it('writes what a record is made of and nothing else that is passed in', async () => {
    const who = { ...JOE, token: 'CANARY', claims: { secret: 'CANARY' } }
    const record = { action: 'read', who, payload: 'CANARY', headers: { authorization: 'CANARY' } } as const
    audit.record(record as AuditRecord)
    await audit.close()
    assert.doesNotMatch(written.join(), /CANARY/)
  })

  it('cuts long texts and lists, and shows every odd letter by its number', async () => {
    const keys = Array.from({ length: 20 }, (_, index) => `/k${index}`)
    const ids = Array.from({ length: 17 }, (_, index) => `mars@${index}`)
    audit.record({
      action: 'read',
      who: { ...JOE, username: `a\n\u202e\u2028\ud800${'x'.repeat(1000)}` },
      keys,
      ids,
      address: '192.0.2.1',
    })
    await audit.close()
    const [text = ''] = written
    assert.ok(text.length < 1000)
    assert.match(text, /^[\x20-\x7e]+\n$/)
    const [line = {}] = lines()
    assert.equal(Object.keys(line['keys'] ?? {}).length, 16)
    assert.equal(line['more_keys'], 4)
    assert.equal(Object.keys(line['ids'] ?? {}).length, 16)
    assert.equal(line['more_ids'], 1)
    assert.equal(line['address'], '192.0.2.1')
  })

  it('keeps the order of lines while the sink is slow, and writes one batch at a time', async () => {
    const slow = deferred<void>()
    let writing = 0
    write = async (text) => {
      assert.equal(++writing, 1)
      if (written.length === 0) await slow.promise
      written.push(text)
      writing--
    }
    audit.record({ action: 'opened', who: JOE, reason: '1' })
    await clock.advance(1000)
    audit.record({ action: 'opened', who: JOE, reason: '2' })
    await clock.advance(5000)
    slow.resolve()
    await audit.close()
    assert.deepEqual(
      lines().map(({ reason }) => reason),
      ['1', '2'],
    )
  })

  it('loses what is beyond its bound, and says how much', async () => {
    const stuck = deferred<void>()
    write = () => stuck.promise
    audit.record({ action: 'opened', who: JOE })
    await clock.advance(1000)
    for (let index = 0; index < 10_005; index++) audit.record({ action: 'refused', who: JOE })
    assert.equal(audit.lost(), 5)
    stuck.resolve()
    await audit.close()
  })

  it('goes on after a sink that failed, and counts what it lost', async () => {
    write = () => Promise.reject(new Error('disk full at /secret/path'))
    audit.record({ action: 'opened', who: JOE })
    await clock.advance(1000)
    assert.equal(audit.lost(), 1)
    assert.match(log.lines.join(), /audit log cannot be written/)
    assert.doesNotMatch(log.lines.join(), /secret/)
    write = (text) => {
      written.push(text)
    }
    audit.record({ action: 'closed', who: JOE })
    await audit.close()
    assert.deepEqual(
      lines().map(({ action }) => action),
      ['closed'],
    )
  })
})
