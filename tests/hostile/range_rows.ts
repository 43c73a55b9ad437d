/**
 * Sections E and F: ranges and watches that reach further than joe may see, in every spelling that some etcd understands.
 *
 * @module
 */

import { numbered, RANGE, WATCH, type HostileRow } from './row.ts'
import { b64 } from '../support/etcd_wire.ts'

type Body = Readonly<Record<string, unknown>>

const FOO = '/ec/diss/FOO/'
const FOO_END = '/ec/diss/FOO0'
const range = (key: string, end?: string): Body => ({
  key: b64(key),
  ...(end !== undefined && { range_end: b64(end) }),
})
const OWN = range(FOO, FOO_END)
const BYTES = (...bytes: number[]): string => b64(Uint8Array.from(bytes))

/** Wide ranges: forbidden by both routes. */
const FORBIDDEN: Readonly<Record<string, readonly Body[]>> = {
  E01: [range(FOO, '\0')],
  E02: [
    { key: b64(FOO), range_end: BYTES(0xff) },
    { key: b64(FOO), range_end: BYTES(0xff, 0xff) },
  ],
  E04: [range(FOO, '/ec/diss/FOOBAR0'), range(FOO, '/ec/diss/FOO1'), range(FOO, '/ec/diss/FOO0\0')],
  E05: [
    range('\0', '\0'),
    range('\0'),
    range('/', '0'),
    range('/ec/diss/', '/ec/diss0'),
    range('/ec/diss/SCK', '/ec/diss/SCM'),
  ],
  E08: [
    { key: b64(FOO), rangeEnd: b64('\0') },
    { key: b64(FOO), rangeEnd: b64('/zz') },
  ],
  E18: [
    { ...range('/ec/diss/BAR/', '/ec/diss/BAR0'), count_only: true },
    { ...range('/ec/diss/BAR/', '/ec/diss/BAR0'), keys_only: true },
    { ...range('/ec/diss/', '/ec/diss0'), countOnly: true },
    { ...range('\0', '\0'), limit: 1, sort_order: 'DESCEND', sort_target: 'MOD' },
  ],
  E26: [
    range('/ec/diss/../mars/x'),
    range('/ec/diss//FOO/'),
    range('//ec/diss/FOO/'),
    range('/ec/diss%2fFOO/'),
    range('/ec/diss/FO'),
    range('/ec/diss/FOO'),
    range('/ec/diss/FOOBAR/x'),
    range('/ec/diss/FOO\0'),
    range('/_aviso/epoch'),
    range('/_aviso/', '/_aviso0'),
    range('/ec/admin/20260810/FOO'),
  ],
  E27: [
    range('/ec/diss/foo/', '/ec/diss/foo0'),
    range('/ec/diss/FO\u004f\u0301/'),
    range('/ec/diss/ＦＯＯ/'),
  ],
}

/** Bodies that no etcd should ever see: malformed for both routes. */
const MALFORMED: Readonly<Record<string, readonly Body[]>> = {
  E06: [{ key: '' }, { range_end: b64(FOO) }, { key: null }, {}],
  E07: [
    { key: b64(FOO), range_end: '' },
    range(FOO, FOO),
    range(FOO, '/ec/diss/FOA'),
    { key: b64(FOO), range_end: BYTES(0, 0) },
  ],
  E09: [
    { key: b64(FOO), range_end: b64(FOO_END), rangeEnd: b64('\0') },
    { key: b64(FOO), rangeEnd: b64('\0'), range_end: b64(FOO_END) },
    { key: b64(FOO), range_end: b64(FOO_END), rangeEnd: null },
  ],
  E11: [
    '_w==',
    'L2VjL2Rpc3MvRk9PLw',
    'L2Vj\nL2Rp',
    'L2Vj\r\nL2Rp',
    'L2Vj L2Rp',
    'L2Vj\tL2Rp',
    ' L2Vj',
    'L2Vj!',
    'AA===',
    'AA==AA==',
    'AB==',
    'AAB=',
    'Ł===',
    'A',
    '====',
    '%41%41==',
  ].map((key) => ({ key })),
  E12: [[0], [47, 101], 7, true, { a: 1 }, ['L2Vj']].flatMap((value) => [
    { key: value },
    { key: b64(FOO), range_end: value },
  ]),
  E13: [{ key: b64('x'.repeat(1025)) }, { key: b64(FOO), range_end: b64(`/f${'x'.repeat(1100)}`) }],
  E14: ['bogus', 'KEY', 'Key', 'RangeEnd', 'range-end', 'rangeend', 'key ', ''].map((name) => ({
    ...OWN,
    [name]: b64('\0'),
  })),
}

/** Fields of a range alone. */
const BAD_RANGE_FIELDS: Readonly<Record<string, readonly Body[]>> = {
  E15: [
    -1,
    10_001,
    1.5,
    '1.0',
    '1e0',
    ' 1 ',
    '0x1',
    2 ** 63,
    '9223372036854775808',
    'aa',
    true,
    [],
    '-1',
    '+1',
    '01',
  ].map((limit) => ({ limit })),
  E16: [{ revision: -1 }, { revision: 'latest' }, { revision: 1.5 }, { revision: '99999999999999999999' }],
  E19: [
    { sort_target: 'VALUE' },
    { sort_target: 4 },
    { sort_order: 'BOGUS' },
    { sort_order: 99 },
    { sort_order: -1 },
    { sort_target: 'key' },
    { sort_order: 'ASCEND', sortOrder: 'ASCEND' },
  ],
  E20: [{ serializable: 'yes' }, { serializable: 1 }, { keys_only: 'false' }, { count_only: 0 }],
}

/** Bodies of a watch alone. */
const BAD_WATCHES: readonly unknown[] = [
  { create_request: OWN, createRequest: OWN },
  { create_request: null },
  { create_request: {} },
  { create_request: [OWN] },
  OWN,
  { cancel_request: { watch_id: 1 } },
  { progress_request: {} },
  { request_union: { create_request: OWN } },
  { create_request: OWN, cancel_request: { watch_id: 0 } },
  ...[
    { prev_kv: true },
    { filters: ['NOPUT'] },
    { filters: [0] },
    { watch_id: 7 },
    { start_revision: -1 },
    { start_revision: '9223372036854775808' },
    { start_revision: 'now' },
    { limit: 1 },
    { bogus: 1 },
  ].map((field) => ({ create_request: { ...OWN, ...field } })),
]

const RPC_PATHS = [
  '/v3/kv/txn',
  '/v3/kv/put',
  '/v3/kv/deleterange',
  '/v3/lease/timetolive',
  '/v3/election/observe',
]

const rangeRow = (body: unknown, status: number): Omit<HostileRow, 'id'> => ({
  what: JSON.stringify(body).slice(0, 90),
  path: RANGE,
  body: JSON.stringify(body),
  status,
})
const watchRow = (body: unknown, status: number): Omit<HostileRow, 'id'> => ({
  ...rangeRow(body, status),
  path: WATCH,
})

/** Every row. */
export const RANGE_ROWS: readonly HostileRow[] = [
  ...Object.entries(FORBIDDEN).flatMap(([id, bodies]) =>
    numbered(id, [
      ...bodies.map((body) => rangeRow(body, 403)),
      ...bodies
        .filter(
          (body) => !('count_only' in body || 'keys_only' in body || 'countOnly' in body || 'limit' in body),
        )
        .map((body) => watchRow({ create_request: body }, 403)),
    ]),
  ),
  ...Object.entries(MALFORMED).flatMap(([id, bodies]) =>
    numbered(id, [
      ...bodies.map((body) => rangeRow(body, 400)),
      ...bodies.map((body) => watchRow({ create_request: body }, 400)),
    ]),
  ),
  ...Object.entries(BAD_RANGE_FIELDS).flatMap(([id, fields]) =>
    numbered(
      id,
      fields.map((field) => rangeRow({ ...OWN, ...field }, 400)),
    ),
  ),
  {
    id: 'E16f',
    what: 'a revision that is yet to come',
    path: RANGE,
    body: JSON.stringify({ ...OWN, revision: 1_000_000 }),
    status: 400,
    because: 'what etcd answers, which its clients know; our own API has 410',
    reads: true,
  },
  ...numbered(
    'E21',
    BAD_WATCHES.map((body) => watchRow(body, 400)),
  ),
  ...numbered('E03', [
    {
      ...rangeRow(range('/ec/diss/FOO', '/ec/diss/FOP'), 200),
      what: 'a 1.x prefix, which includes FOOBAR by the arithmetic of prefixes',
      because: 'it is cut down to what may be seen',
      reads: true,
    },
    rangeRow({ key: b64('/ec/diss/FOO'), range_end: b64('/ec/diss/FOQ') }, 403),
  ]),
  ...numbered(
    'E10',
    [
      `{"key":"${b64(FOO)}","key":"${b64('\0')}"}`,
      `{"key":"${b64(FOO)}","\\u006bey":"${b64('\0')}"}`,
      `{"key":"${b64(FOO)}","range_end":"${b64(FOO_END)}","range_end":"${b64('\0')}"}`,
    ].flatMap((body) => [
      { ...rangeRow(null, 400), what: body, body },
      { ...watchRow(null, 400), what: `watch ${body}`, body: `{"create_request":${body}}` },
    ]),
  ),
  ...numbered('E17', [
    { ...rangeRow({ ...OWN, revision: 1 }, 200), what: 'an old revision of what is their own', reads: true },
    rangeRow({ ...range('/ec/diss/BAR/', '/ec/diss/BAR0'), revision: 1 }, 403),
  ]),
  ...numbered('E25', [
    {
      ...watchRow({ create_request: { ...OWN, start_revision: 0 } }, 200),
      because: 'what etcd and its clients mean by it: from now on',
    },
    {
      ...watchRow({ create_request: { ...OWN, start_revision: 1_000_000 } }, 400),
      because: 'what etcd answers, which its clients know; our own API has 410',
      reads: true,
    },
  ]),
  {
    id: 'E21z',
    what: 'two watches in one body',
    path: WATCH,
    body: `${JSON.stringify({ create_request: OWN })}\n${JSON.stringify({ create_request: range('\0', '\0') })}`,
    status: 400,
  },
  ...numbered(
    'F01',
    RPC_PATHS.map((path) => ({
      what: `${path} with a range inside`,
      path,
      body: JSON.stringify({ success: [{ request_range: range('\0', '\0') }], compare: [] }),
      status: 404,
    })),
  ),
]
