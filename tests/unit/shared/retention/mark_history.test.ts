import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import { encodeHistory, parseHistory } from '#shared/retention/mark_history.ts'
import { toBytes } from '#shared/bytes/bytes.ts'

const history = {
  compacted: 5n,
  marks: [
    { revision: 5n, at: Date.UTC(2026, 10, 20), countedMs: 0, legacy: true as const },
    { revision: 2n ** 60n, at: Date.UTC(2026, 10, 21), countedMs: 3_600_000 },
  ],
}

describe('parseHistory()', () => {
  it('reads back what encodeHistory() writes', () => {
    assert.deepEqual(parseHistory(encodeHistory(history)), history)
  })
  for (const [what, text] of [
    ['the history of 1.x', '[{"revision":123,"timestamp":"2026-11-21T00:00:00.000000Z"}]'],
    ['no JSON', 'None'],
    ['another version', '{"version":2,"compacted":"0","marks":[]}'],
    ['revisions as numbers', '{"version":1,"compacted":5,"marks":[]}'],
    [
      'revisions out of order',
      '{"version":1,"compacted":"0","marks":[{"revision":"5","timestamp":"2026-11-21T00:00:00.000Z","counted_ms":0},{"revision":"4","timestamp":"2026-11-22T00:00:00.000Z","counted_ms":0}]}',
    ],
    ['no date', '{"version":1,"compacted":"0","marks":[{"revision":"5","timestamp":"soon","counted_ms":0}]}'],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => parseHistory(toBytes(text)),
        (error) => isAvisoError(error, 'ERR_STORE_PROTOCOL'),
      )
    })
  }
})
