/**
 * Section G: notifications that are none, or not the sender's to publish.
 *
 * @module
 */

import { INGEST, numbered, type HostileRow, type Sender } from './row.ts'
import { dissemination } from '../support/notifications.ts'

const REQUEST = dissemination('SCL', 1)
const EVENT = {
  specversion: '1.0',
  id: 'one',
  source: '/tests',
  type: 'aviso',
  data: { event: 'dissemination', request: REQUEST, location: 's3://bucket/1' },
}
const withRequest = (more: object): object => ({
  ...EVENT,
  data: { ...EVENT.data, request: { ...REQUEST, ...more } },
})
const without = (name: string): object =>
  Object.fromEntries(Object.entries(EVENT).filter(([key]) => key !== name))

const row = (
  what: string,
  body: unknown,
  status: number,
  from: Sender = 'provider',
): Omit<HostileRow, 'id'> => ({
  what,
  path: INGEST,
  body: JSON.stringify(body),
  from,
  status,
})

/** Every row. */
export const INGEST_ROWS: readonly HostileRow[] = [
  ...numbered('G01', [
    row('no credential', EVENT, 401, 'nobody'),
    row('a listener', EVENT, 403, 'joe'),
    row('a provider of another destination', withRequest({ destination: 'BAR' }), 403),
    row('a destination that begins like its own', withRequest({ destination: 'SCLX' }), 403),
    row('a provider of another event type', { ...EVENT, data: { event: 'mars', request: marsOf() } }, 403),
  ]),
  ...numbered('G02', [
    ...['specversion', 'id', 'source', 'type', 'data'].map((name) =>
      row(`without ${name}`, without(name), 400),
    ),
    row('specversion 2.0', { ...EVENT, specversion: '2.0' }, 400),
    row('an id of 257 characters', { ...EVENT, id: 'x'.repeat(257) }, 400),
    row('an id with a line feed', { ...EVENT, id: 'a\nb' }, 400),
    row('an id that is an object', { ...EVENT, id: {} }, 400),
    row('a source of 5,000 characters', { ...EVENT, source: `/${'x'.repeat(5000)}` }, 400),
    row('data and data_base64', { ...EVENT, data_base64: 'e30=' }, 400),
    row('data_base64 that is none', { ...without('data'), data_base64: '!!!' }, 400),
  ]),
  ...numbered('G04', [
    row('an empty batch', [], 400),
    row(
      'a batch with one that is not its own',
      [EVENT, { ...(withRequest({ destination: 'BAR' }) as object), id: 'two' }],
      403,
    ),
    row('a batch with one that is none', [EVENT, { specversion: '1.0' }], 400),
    row('a batch of numbers', [1, 2, 3], 400),
  ]),
  ...numbered(
    'G05',
    ['', '.', '..', 'A/B', 'A\0B', '../BAR', 'SCL/../BAR', 'SCL/', '/SCL', 'A\nB', '\u202eSCL'].map(
      (destination) => row(`destination ${JSON.stringify(destination)}`, withRequest({ destination }), 400),
    ),
  ).map((each) => ({ ...each, status: statusOfDestination(each) })),
  ...numbered('G06', [
    ...['20250230', '99999999', '2026-1-1', '', 'today', '20260810T00'].map((date) =>
      row(`date ${date}`, withRequest({ date }), 400),
    ),
    {
      ...row('a step with a space', withRequest({ step: '1 ' }), 200),
      because: '1.x takes it for the number it is, and the key holds the number',
      reads: true,
    },
    row('a step that is none', withRequest({ step: 'x' }), 400),
    row('a class that is none', withRequest({ class: 'nosuch' }), 400),
  ]),
  ...numbered('G07', [
    row('an unknown field', withRequest({ nosuch: '1' }), 400),
    row(
      'a field that is missing',
      { ...EVENT, data: { event: 'dissemination', request: { destination: 'SCL' } } },
      400,
    ),
    row('a list for a field', withRequest({ destination: ['SCL', 'BAR'] }), 400),
    row('an object for a field', withRequest({ destination: { in: ['SCL'] } }), 400),
    row('null for a field', withRequest({ destination: null }), 400),
    row('an event type that is none', { ...EVENT, data: { event: 'nosuch', request: {} } }, 400),
    row(
      'an event type that is no text',
      { ...EVENT, data: { event: ['dissemination'], request: REQUEST } },
      400,
    ),
    row('another event type inside the request', withRequest({ event: 'mars' }), 400),
  ]),
  ...numbered(
    'G13',
    [-2, 2 ** 40, '1d', 1.5, true, []].map((ttl) => row(`ttl ${String(ttl)}`, withRequest({ ttl }), 400)),
  ),
  {
    id: 'G03',
    what: 'a header that is no percent-encoded UTF-8',
    path: INGEST,
    headers: { 'ce-specversion': '1.0', 'ce-id': '%ff%fe', 'ce-source': '/x', 'ce-type': 'aviso' },
    body: JSON.stringify(EVENT.data),
    from: 'provider',
    status: 400,
  },
  {
    id: 'G11',
    what: 'a payload of more than 256 KiB',
    path: INGEST,
    body: JSON.stringify({ ...EVENT, data: { ...EVENT.data, location: 'x'.repeat(257 * 1024) } }),
    from: 'provider',
    status: 413,
  },
]

function marsOf(): object {
  const { destination: _destination, target: _target, ...mars } = REQUEST
  return mars
}

/** A name that is a segment is a destination like any other: not the provider's own. */
function statusOfDestination({ what }: HostileRow): number {
  return what.includes('202e') || what.includes('\u202e') ? 403 : 400
}
