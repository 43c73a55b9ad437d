import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { retryAfterMs } from '#shared/client/retry.ts'

describe('retryAfterMs()', () => {
  const now = Date.UTC(2026, 7, 10)

  for (const [header, ms] of [
    [null, undefined],
    ['3', 3000],
    ['Mon, 10 Aug 2026 00:00:07 GMT', 7000],
    ['Sun, 09 Aug 2026 00:00:00 GMT', 0],
    ['99999', 300_000],
    ['soon', undefined],
  ] as const) {
    it(`reads ${String(header)}`, () => assert.equal(retryAfterMs(header, now), ms))
  }
})
