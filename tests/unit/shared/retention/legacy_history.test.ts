import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseLegacyHistory } from '#shared/retention/legacy_history.ts'
import { LEGACY_GAP_MS } from '#shared/retention/time_marks.ts'
import { toBytes } from '#shared/bytes/bytes.ts'

const DAY_MS = 86_400_000

function parse(entries: unknown, head = 1_000n) {
  return parseLegacyHistory(toBytes(JSON.stringify(entries)), head)
}

describe('parseLegacyHistory()', () => {
  it('dates an entry with the end of the day that 1.x wrote, and counts the days between', () => {
    const marks = parse([
      { revision: 10, timestamp: '2026-11-20T00:00:00.000000Z' },
      { revision: 20, timestamp: '2026-11-21T00:00:00.000000Z' },
    ])
    assert.deepEqual(marks, [
      { revision: 10n, at: Date.UTC(2026, 10, 21), countedMs: 0, legacy: true },
      { revision: 20n, at: Date.UTC(2026, 10, 22), countedMs: DAY_MS, legacy: true },
    ])
  })
  it('takes a time that is no midnight as it is', () => {
    const [mark] = parse([{ revision: 10, timestamp: '2026-11-20T06:00:00.123456Z' }])
    assert.equal(mark?.at, Date.UTC(2026, 10, 20, 6, 0, 0, 123))
  })
  it('does not count days that nobody vouches for', () => {
    const marks = parse([
      { revision: 10, timestamp: '2026-11-01T00:00:00.000000Z' },
      { revision: 20, timestamp: '2026-11-11T00:00:00.000000Z' },
    ])
    assert.equal(marks[1]?.countedMs, -LEGACY_GAP_MS)
  })
  it("leaves out what makes no sense: another store's, a time that goes back, other forms", () => {
    const marks = parse(
      [
        { revision: 10, timestamp: '2026-11-10T00:00:00.000000Z' },
        { revision: 11, timestamp: '2026-11-01T00:00:00.000000Z' },
        { revision: 99, timestamp: '2026-11-11T00:00:00.000000Z' },
        { revision: '12', timestamp: '2026-11-11T00:00:00.000000Z' },
        { revision: 1.5, timestamp: '2026-11-11T00:00:00.000000Z' },
        { revision: 13, timestamp: 'yesterday' },
        null,
      ],
      50n,
    )
    assert.deepEqual(
      marks.map(({ revision }) => revision),
      [10n],
    )
  })
  it('reads anything else as no history', () => {
    assert.deepEqual(parse({}), [])
    assert.deepEqual(parseLegacyHistory(toBytes('None'), 5n), [])
  })
})
