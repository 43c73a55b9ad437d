/**
 * Section D: bodies that are no JSON, or JSON with two readings.
 *
 * @module
 */

import { toBytes } from '#shared/bytes/bytes.ts'
import { INGEST, numbered, RANGE, WATCH, type HostileRow } from './row.ts'
import { b64 } from '../support/etcd_wire.ts'

const KEY = b64('/ec/diss/FOO/')
const GOOD = `{"key":"${KEY}"}`
const KIB = 1024

/** Bodies that are wrong for the facade, for our own API and for the ingest alike. */
const EVERYWHERE: Readonly<Record<string, readonly (string | Uint8Array)[]>> = {
  D01: ['', 'null', '[]', '"x"', '0', 'true'],
  D02: [`${GOOD}${GOOD}`, `${GOOD} x`, `${GOOD},`, `${GOOD}\n${GOOD}`, `[${GOOD}]`],
  D03: [`{"key":"${KEY}","key":"${KEY}"}`, `{"key":"${KEY}","\\u006bey":"${KEY}"}`],
  D04: [
    `{"key":"${KEY}",}`,
    `{"key":"${KEY}"/*x*/}`,
    `{'key':'${KEY}'}`,
    `{key:"${KEY}"}`,
    ...['NaN', 'Infinity', '0x10', '+1', '01', '.5', '1.', '--1', '1e', 'undefined'].map(
      (number) => `{"key":"${KEY}","limit":${number}}`,
    ),
  ],
  D05: [
    `\ufeff${GOOD}`,
    Uint8Array.from([0xff, 0xfe, ...[...toBytes(GOOD)].flatMap((byte) => [byte, 0])]),
    Uint8Array.from([...toBytes('{"key":"'), 0xff, ...toBytes('"}')]),
    Uint8Array.from([...toBytes('{"key":"'), 0xc0, 0xaf, ...toBytes('"}')]),
    Uint8Array.from([...toBytes('{"key":"'), 0x00, ...toBytes('"}')]),
    '{"key":"\\ud800"}',
    '{"key":"a\nb"}',
    '{"key":"\\x41"}',
    `${GOOD}\u0000`,
  ],
  D06: ['__proto__', 'constructor', 'prototype'].flatMap((name) => [
    `{"key":"${KEY}","${name}":{"admin":true}}`,
    `{"key":"${KEY}","x":{"y":[{"${name}":1}]}}`,
    `{"key":"${KEY}","${name.replace('o', '\\u006f')}":1}`,
  ]),
  D07: [20, 1000, 3000].map((depth) => `{"key":${'['.repeat(depth)}${']'.repeat(depth)}}`),
  D08: [`{${Array.from({ length: 70 }, (_, index) => `"n${index}":1`).join()}}`],
  D09: [
    `{"key":"${KEY}","limit":${'9'.repeat(5000)}}`,
    `{"key":"${KEY}","limit":1e400}`,
    `{"key":"${KEY}","limit":-1e400}`,
  ],
  D11: [Uint8Array.from([0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0, 0xff, 0xff, 0, 0, 0, 0])],
}

const TARGETS: readonly string[] = [RANGE, WATCH, '/api/v1/watch', INGEST]

/** Every row. */
export const JSON_ROWS: readonly HostileRow[] = [
  ...TARGETS.flatMap((path) =>
    Object.entries(EVERYWHERE).flatMap(([id, bodies]) =>
      numbered(
        `${id} ${path} `,
        bodies.map((body) => ({
          what: `${typeof body === 'string' ? body.slice(0, 60) : `${body.length} bytes`}`,
          path,
          body,
          status: 400,
        })),
      ),
    ),
  ),
  ...numbered(
    'D10',
    (
      [
        [RANGE, 16],
        [WATCH, 16],
        ['/api/v1/watch', 256],
      ] as const
    ).map(([path, most]) => ({
      what: `more than ${most} KiB`,
      path,
      body: `{"key":"${'A'.repeat(most * KIB)}"}`,
      status: 413,
    })),
  ),
  {
    id: 'D10i',
    what: 'a notification of more than 256 KiB',
    path: INGEST,
    body: `{"event_type":"${'A'.repeat(300 * KIB)}"}`,
    from: 'provider',
    status: 413,
  },
  {
    id: 'D07z',
    what: 'brackets to the limit of the size, in the ingest',
    path: INGEST,
    body: `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
    from: 'provider',
    status: 400,
  },
  {
    id: 'D08z',
    what: 'two hundred thousand names like integers, in the ingest',
    path: INGEST,
    body: `{${Array.from({ length: 200_000 }, (_, index) => `"${index}":1`).join()}}`,
    from: 'provider',
    status: 413,
  },
]
