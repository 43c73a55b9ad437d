/**
 * Section H: positions, dates, filters and administration.
 *
 * @module
 */

import { numbered, type HostileRow } from './row.ts'

const WATCH_PATH = '/api/v1/watch'
const REPLAY = '/api/v1/replay'
const ADMIN = '/api/v1/admin'
const OWN = { event_type: 'dissemination', identifier: { destination: 'FOO' } }

const post = (path: string, body: unknown, status: number): Omit<HostileRow, 'id'> => ({
  what: JSON.stringify(body).slice(0, 90),
  path,
  body: JSON.stringify(body),
  status,
})
const get = (
  query: string,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Omit<HostileRow, 'id'> => ({
  what: `${query} ${JSON.stringify(headers)}`.slice(0, 90),
  method: 'GET',
  path: `${WATCH_PATH}?event=dissemination&destination=FOO${query}`,
  headers,
  status,
})

/** Every row. */
export const CURSOR_ROWS: readonly HostileRow[] = [
  ...numbered('H01', [
    get('&from=1.2', 410),
    ...['garbage', 'x.y', '-1', '1e30', 'v2:zzz', '../../x', '%00'].map((from) => get(`&from=${from}`, 400)),
    ...['garbage', 'a\u00ffb', '1.1.1.1.1.1'].map((id) => get('', 400, { 'last-event-id': id })),
  ]),
  ...numbered('H02', [
    get('&from_id=1&from_date=2026-08-10', 400),
    get('&from=1.1&from_id=1', 400),
    get('&from_id=1&from_id=2', 400),
    get('&event=flight', 400),
    get('&from_id=-1', 400),
    get('&from_id=1.5', 400),
    get(`&from_id=${'9'.repeat(30)}`, 400),
  ]),
  ...numbered(
    'H03',
    [
      '2026-02-30',
      '2026-13-01',
      'tomorrow',
      '20260230',
      '2026',
      '24:00',
      '2026-08-10T24:01:00Z',
      '',
      '-1',
    ].map((date) => post(REPLAY, { ...OWN, from_date: date }, 400)),
  ),
  ...numbered('H04', [
    post(REPLAY, { ...OWN, from_id: '9', to_id: '3' }, 400),
    post(REPLAY, { ...OWN, from_date: '2026-08-10T00:00:00Z', to_date: '2026-08-09T00:00:00Z' }, 400),
    post(REPLAY, OWN, 400),
    post(WATCH_PATH, { ...OWN, to_id: '3' }, 400),
    post(WATCH_PATH, { ...OWN, from_id: 1 }, 400),
  ]),
  ...numbered('H05', [
    ...['clean', 'compact', 'defragment'].map((job) => ({
      ...post(`${ADMIN}/${job}`, {}, 403),
      what: `${job} by a listener`,
    })),
    { ...post(`${ADMIN}/clean`, {}, 401), what: 'clean by nobody', from: 'nobody' as const },
    { what: 'wipe by a listener', method: 'DELETE', path: `${ADMIN}/wipe/all`, status: 403 },
  ]),
  ...numbered('X01', [
    // Filters of our own API: whatever they say, they name one destination by value.
    post(WATCH_PATH, { event_type: 'dissemination', identifier: {} }, 400),
    post(WATCH_PATH, { event_type: 'dissemination' }, 400),
    post(WATCH_PATH, { event_type: 'dissemination', identifier: { destination: { in: [] } } }, 400),
    post(WATCH_PATH, { event_type: 'dissemination', identifier: { destination: { regex: '.*' } } }, 400),
    post(WATCH_PATH, { event_type: 'dissemination', identifier: { destination: { gt: '' } } }, 400),
    post(WATCH_PATH, { event_type: 'dissemination', identifier: { destination: ['FOO', 'BAR'] } }, 403),
    post(
      WATCH_PATH,
      { event_type: 'dissemination', identifier: { destination: { in: ['FOO', 'BAR'] } } },
      403,
    ),
    post(WATCH_PATH, { event_type: 'dissemination', identifier: { destination: 'BAR' } }, 403),
    post(WATCH_PATH, { event_type: 'dissemination', identifier: { destination: 'FOOBAR' } }, 403),
    post(WATCH_PATH, { event_type: 'dissemination', identifier: { destination: 'FOO/../BAR' } }, 400),
    post(WATCH_PATH, { event_type: 'dissemination', identifier: { destination: '' } }, 400),
    post(WATCH_PATH, { event_type: 'dissemination', identifier: { destination: '*' } }, 403),
    post(WATCH_PATH, { event_type: 'dissemination', identifier: { destination: 'FOO', nosuch: '1' } }, 400),
    post(WATCH_PATH, { ...OWN, bogus: 1 }, 400),
    post(WATCH_PATH, { event_type: 'nosuch', identifier: {} }, 400),
    post(WATCH_PATH, { event_type: '__proto__', identifier: {} }, 400),
    post(WATCH_PATH, { event_type: 'toString', identifier: {} }, 400),
    post(WATCH_PATH, { event_type: 'dissemination', identifier: { toString: 'x', destination: 'FOO' } }, 400),
  ]),
]
