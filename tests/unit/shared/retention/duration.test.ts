import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatDuration, parseDurationMs } from '#shared/retention/duration.ts'

describe('parseDurationMs()', () => {
  it('reads the units of 2.x', () => {
    assert.equal(parseDurationMs('1w'), 604_800_000)
    assert.equal(parseDurationMs('15d'), 15 * 86_400_000)
    assert.equal(parseDurationMs('12h'), 43_200_000)
    assert.equal(parseDurationMs('90m'), 5_400_000)
    assert.equal(parseDurationMs('3600s'), 3_600_000)
  })
  for (const text of [
    '',
    '10',
    '10x',
    '0d',
    '-1d',
    '1.5h',
    '1 d',
    'd',
    '015d',
    '1e3d',
    '999999999999w',
    '15D',
  ])
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.equal(parseDurationMs(text), undefined)
    })
})

describe('formatDuration()', () => {
  it('says a duration as short as it can', () => {
    assert.equal(formatDuration(15 * 86_400_000), '15d')
    assert.equal(formatDuration(5_400_000), '90m')
    assert.equal(formatDuration(1_500), '1500ms')
  })
})
