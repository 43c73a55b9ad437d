import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { parseStreamDate } from '#shared/time/start_date.ts'

function parsed(text: string): string | undefined {
  const at = parseStreamDate(text)
  return at === undefined ? undefined : new Date(at).toISOString()
}

describe('parseStreamDate()', () => {
  it('reads date and time with a zone, and takes UTC without one', () => {
    const rows = {
      '2025-06-09T15:15:00+02:00': '2025-06-09T13:15:00.000Z',
      '2025-06-09T13:15:00Z': '2025-06-09T13:15:00.000Z',
      '2025-06-09t13:15:00z': '2025-06-09T13:15:00.000Z',
      '2025-06-09 13:15:00': '2025-06-09T13:15:00.000Z',
      '2025-06-09 13:15:00 -00:30': '2025-06-09T13:45:00.000Z',
      '2025-06-09T13:15:00.5': '2025-06-09T13:15:00.500Z',
      '2025-06-09T13:15:00.123999999Z': '2025-06-09T13:15:00.123Z',
      '2026-11-25T02:48:13.001000+00:00': '2026-11-25T02:48:13.001Z',
      '2024-02-29T00:00:00Z': '2024-02-29T00:00:00.000Z',
      '1969-12-31T23:59:59.999Z': '1969-12-31T23:59:59.999Z',
    }
    for (const [text, expected] of Object.entries(rows)) assert.equal(parsed(text), expected, text)
  })

  it('tells Unix seconds from milliseconds by their digits', () => {
    const rows = {
      '1740509903': 1_740_509_903_000,
      '+1740509903': 1_740_509_903_000,
      '00000000001740509903': 1_740_509_903_000,
      '10000000000': 10_000_000_000_000,
      '946684800000': 946_684_800_000,
      '1740509903710': 1_740_509_903_710,
      '0': 0,
    }
    for (const [text, expected] of Object.entries(rows)) assert.equal(parseStreamDate(text), expected, text)
  })

  it('takes nothing else', () => {
    const bad = [
      '',
      ' ',
      '-1',
      '2025-06-09',
      '2025-06-09T13:15',
      'yesterday',
      '2025-02-30T00:00:00Z',
      '2025-06-09T24:00:00Z',
      '2025-06-09T13:15:60Z',
      '2025-06-09T13:15:00+24:00',
      '2025-06-09T13:15:00+0200',
      '2025-06-09T13:15:00.Z',
      '2025-06-09T13:15:00Zx',
      '1740509903.5',
      '1e9',
      '9999999999999999',
    ]
    for (const text of bad) assert.equal(parsed(text), undefined, text)
  })
})
