import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { parseDate } from '#shared/time/written_date.ts'

/** 2026-11-29T20:15:00.500Z */
const NOW = Date.UTC(2026, 10, 29, 20, 15, 0, 500)

function parsed(text: string): string | undefined {
  const at = parseDate(text, NOW)
  return at === undefined ? undefined : new Date(at).toISOString()
}

describe('parseDate()', () => {
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
      '2025-06-09T13:15': '2025-06-09T13:15:00.000Z',
      '2026-11-29 10:25': '2026-11-29T10:25:00.000Z',
      '2026-11-29 10:25Z': '2026-11-29T10:25:00.000Z',
      '2025-06-09T13:15:00+0200': '2025-06-09T11:15:00.000Z',
      '2025-06-09T13:15:00-05': '2025-06-09T18:15:00.000Z',
      '2025-06-09T13:15:00,25Z': '2025-06-09T13:15:00.250Z',
      '20261129T1025': '2026-11-29T10:25:00.000Z',
      '20261129T102530Z': '2026-11-29T10:25:30.000Z',
      '20261129T102530+0100': '2026-11-29T09:25:30.000Z',
    }
    for (const [text, expected] of Object.entries(rows)) assert.equal(parsed(text), expected, text)
  })

  it('reads a date, also as eight digits, as its first moment in UTC', () => {
    const rows = {
      '2026-11-29': '2026-11-29T00:00:00.000Z',
      '20261129': '2026-11-29T00:00:00.000Z',
      '19700101': '1970-01-01T00:00:00.000Z',
      '202611291025': '2026-11-29T10:25:00.000Z',
      '20261129102530': '2026-11-29T10:25:30.000Z',
    }
    for (const [text, expected] of Object.entries(rows)) assert.equal(parsed(text), expected, text)
  })

  it('reads what people say', () => {
    const rows = {
      now: '2026-11-29T20:15:00.500Z',
      today: '2026-11-29T00:00:00.000Z',
      Yesterday: '2026-11-28T00:00:00.000Z',
      '-30s': '2026-11-29T20:14:30.500Z',
      '-90m': '2026-11-29T18:45:00.500Z',
      '-3h': '2026-11-29T17:15:00.500Z',
      '-2d': '2026-11-27T20:15:00.500Z',
      '-1W': '2026-11-22T20:15:00.500Z',
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
    for (const [text, expected] of Object.entries(rows)) assert.equal(parseDate(text, NOW), expected, text)
  })

  it('takes nothing else', () => {
    const bad = [
      '',
      ' ',
      '-1',
      '2025-6-9',
      '2025-06',
      '2025',
      '1129',
      '20251301',
      '20250230',
      '12345678',
      'tomorrow',
      'yesterday 10:00',
      '3h',
      '-3',
      '-3y',
      '-3.5h',
      '+3h',
      '-3h ',
      '10:25',
      '2025-06-09T13',
      '2025-06-09T13:15:00 02:00',
      '2025-02-30T00:00:00Z',
      '2025-06-09T24:00:00Z',
      '2025-06-09T13:15:60Z',
      '2025-06-09T13:15:00+24:00',
      '2025-06-09T13:15:00+02000',
      '2025-06-09T13:15:00+02:60',
      '2025-06-09T13:15:00.Z',
      '2025-06-09T13:15:00Zx',
      '1740509903.5',
      '1e9',
      '9999999999999999',
    ]
    for (const text of bad) assert.equal(parsed(text), undefined, text)
  })
})
