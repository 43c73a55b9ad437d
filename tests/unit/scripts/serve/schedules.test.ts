import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import {
  checkSchedules,
  nextTime,
  startSchedules,
  type DueEvent,
} from '../../../../scripts/serve/schedules.ts'

const HOUR_MS = 3_600_000
const NOW = Date.UTC(2026, 10, 25, 3, 30)

function refuses(crons: Record<string, string | null>, pattern: RegExp, longestGapMs = 3 * HOUR_MS): void {
  assert.throws(
    () => checkSchedules(crons, { longestGapMs, nowMs: NOW }),
    (error) => isAvisoError(error, 'ERR_CONFIG') && pattern.test(error.message),
  )
}

describe('checkSchedules()', () => {
  it('takes crons of five fields, and none', () => {
    checkSchedules({ compact: '0 * * * *', clean: '30 0 * * *' }, { longestGapMs: 3 * HOUR_MS, nowMs: NOW })
    checkSchedules({ compact: null, clean: null }, { longestGapMs: 3 * HOUR_MS, nowMs: NOW })
  })
  for (const pattern of [
    '',
    'daily',
    '* * * *',
    '* * * * * *',
    '60 * * * *',
    '0 25 * * *',
    '0 0 30 2 *',
    '*/0 * * * *',
    '0 0 * * XXX',
  ])
    it(`refuses ${JSON.stringify(pattern)}`, () => {
      refuses({ clean: pattern }, /workers\.admin\.vars\.jobs\.clean: .* is not a cron/)
    })
  it('refuses a compactor that runs so seldom that nothing would ever be old enough', () => {
    refuses({ compact: '0 0 * * *' }, /longestGap to 25h/)
    refuses({ compact: '0 8-18 * * *' }, /14 h/)
    checkSchedules({ compact: '0 0 * * *' }, { longestGapMs: 25 * HOUR_MS, nowMs: NOW })
  })
})

describe('startSchedules()', () => {
  it('has the last time of each schedule done at once, in UTC', async () => {
    const events: DueEvent[] = []
    const crons = { compact: '0 * * * *', clean: '30 0 * * *', never: null }
    const stop = startSchedules({ crons, now: () => NOW, run: async (event) => void events.push(event) })
    stop()
    assert.deepEqual(events, [
      { cron: '0 * * * *', scheduledTime: Date.UTC(2026, 10, 25, 3), isCatchUp: true },
      { cron: '30 0 * * *', scheduledTime: Date.UTC(2026, 10, 25, 0, 30), isCatchUp: true },
    ])
  })
  it('has a cron of several jobs once', () => {
    const events: DueEvent[] = []
    const crons = { compact: '0 * * * *', clean: '0 * * * *' }
    startSchedules({ crons, now: () => NOW, run: async (event) => void events.push(event) })()
    assert.equal(events.length, 1)
  })

  it('counts a time that is now', async () => {
    const times: number[] = []
    const at = Date.UTC(2026, 10, 25, 3)
    startSchedules({
      crons: { compact: '0 * * * *' },
      now: () => at,
      run: async ({ scheduledTime }) => void times.push(scheduledTime),
    })()
    assert.deepEqual(times, [at])
  })
})

describe('nextTime()', () => {
  it('is the next time in UTC, and not now', () => {
    assert.equal(nextTime('30 0 * * *', NOW), Date.UTC(2026, 10, 26, 0, 30))
    assert.equal(nextTime('30 3 * * *', NOW), Date.UTC(2026, 10, 26, 3, 30))
  })
})
