import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createAudit, createTailAudit } from '#shared/access/audit/audit.ts'
import { createAuditTail, KEPT_OF_EACH_KIND } from '#shared/access/audit/tail.ts'
import { createManualClock } from '../../../../support/clock.ts'
import { createTestLog } from '../identity/support.ts'

describe('createAuditTail()', () => {
  it('keeps the newest of each kind, and gives the newest of all first', () => {
    const tail = createAuditTail()
    tail.keep('administered', 'a')
    for (let index = 0; index < KEPT_OF_EACH_KIND + 5; index++) tail.keep('refused', `r${index}`)
    tail.keep('opened', 'o')
    const lines = tail.list().map(({ line }) => line)
    assert.equal(lines.length, KEPT_OF_EACH_KIND + 2)
    assert.deepEqual(lines.slice(0, 2), ['o', `r${KEPT_OF_EACH_KIND + 4}`])
    assert.deepEqual(lines.slice(-2), ['r5', 'a'])
    const numbers = tail.list().map(({ number }) => number)
    assert.deepEqual([numbers[0], numbers.at(-1)], [KEPT_OF_EACH_KIND + 7, 1])
  })
})

describe('createTailAudit()', () => {
  it('gives the tail the lines that a log gets', async () => {
    const clock = createManualClock()
    const alone = createAuditTail()
    const beside = createAuditTail()
    const written: string[] = []
    const sink = (lines: string): void => void written.push(lines)
    const logged = createAudit({ sink, tail: beside, clock, logger: createTestLog().logger })
    const record = { action: 'refused', who: undefined, keys: ['/ä'], reason: 'ERR_FORBIDDEN' } as const
    createTailAudit(alone, clock).record(record)
    logged.record(record)
    await logged.close()
    assert.deepEqual(alone.list(), beside.list())
    assert.deepEqual(written, [alone.list()[0]?.line])
  })
})
