/**
 * Section B: paths, methods and headers that mean to reach something else.
 *
 * @module
 */

import { INGEST, numbered, RANGE, WATCH, type HostileRow } from './row.ts'
import { b64 } from '../support/etcd_wire.ts'

const BODY = JSON.stringify({ key: b64('/ec/diss/FOO/'), range_end: b64('/ec/diss/FOO0') })

const PATHS: Readonly<Record<string, readonly string[]>> = {
  B02: ['/v3//watch', '/v3/x/..%2fwatch', '/v3/%2e%2e%2fv3/watch'],
  B03: ['/v3%2fwatch', '/v3/%77atch', '/v3/kv%2frange', '/%763/kv/range'],
  B04: [
    '/v3/watch;a=1',
    '/v3/watch%00',
    '/v3/watch/',
    '/V3/watch',
    '/v3/kv/range/',
    '/v3/kv/Range',
    '/v3',
    '/v3/',
  ],
  B06: ['/v3beta/kv/range', '/v3/kv/txn', '/v3/kv/put', '/v3/kv/deleterange', '/v3/kv/compaction'],
  B07: [
    '/v3/lease/leases',
    '/v3/lease/timetolive',
    '/v3/lease/keepalive',
    '/v3/lease/grant',
    '/v3/lease/revoke',
    '/v3/maintenance/snapshot',
    '/v3/maintenance/alarm',
    '/v3/maintenance/hash',
    '/v3/maintenance/status',
    '/v3/election/observe',
    '/v3/election/leader',
    '/v3/lock/lock',
    '/v3/auth/user/list',
    '/v3/auth/authenticate',
    '/v3/auth/enable',
    '/v3/cluster/member/list',
    '/v3/cluster/member/add',
    '/debug/vars',
    '/debug/pprof/heap',
    '/version',
  ],
}

/** Every row. */
export const ROUTING_ROWS: readonly HostileRow[] = [
  ...Object.entries(PATHS).flatMap(([id, paths]) =>
    numbered(
      id,
      paths.map((path) => ({ what: `path ${path}`, path, body: BODY, status: 404 })),
    ),
  ),
  ...numbered(
    'B08',
    [RANGE, WATCH, INGEST].flatMap((path) =>
      ['GET', 'PUT', 'DELETE', 'HEAD', 'PATCH'].map((method) => ({
        what: `${method} of a path for POST`,
        method,
        path,
        status: 405,
      })),
    ),
  ),
  {
    id: 'B09',
    what: 'another method in a header',
    path: RANGE,
    headers: { 'x-http-method-override': 'DELETE', 'x-method-override': 'PUT' },
    body: BODY,
    status: 200,
    because: 'the header is ignored, and what is left is a good request',
    reads: true,
  },
  ...numbered('B10', [
    ...['x-forwarded-uri', 'x-original-url', 'x-rewrite-url', 'x-forwarded-prefix'].map((name) => ({
      what: `${name} naming a public path`,
      path: RANGE,
      headers: { [name]: '/api/v1/schema' },
      body: BODY,
      from: 'nobody' as const,
      status: 401,
    })),
    {
      what: 'a forged user in headers',
      path: RANGE,
      headers: {
        'x-forwarded-user': 'admin',
        'x-remote-user': 'admin',
        'remote-user': 'admin',
        'x-auth-realm': 'ecmwf',
        'grpc-metadata-token': 'root',
        forwarded: 'for=127.0.0.1',
      },
      body: BODY,
      from: 'nobody' as const,
      status: 401,
    },
  ]),
  ...numbered(
    'B13',
    [
      'gzip',
      'br',
      'deflate',
      'zstd',
      'gzip, gzip',
      Array.from({ length: 100 }, () => 'gzip').join(', '),
      'x',
      'identity;q=0',
    ].flatMap((encoding) =>
      [RANGE, INGEST].map((path) => ({
        what: `Content-Encoding ${encoding.slice(0, 30)}`,
        path,
        headers: { 'content-encoding': encoding },
        body: BODY,
        status: 415,
      })),
    ),
  ),
  ...numbered('B15', [
    ...['access_token', 'token', 'api_key', 'Access_Token', 'jwt'].map((name) => ({
      what: `a credential as ${name} in the query`,
      path: `${RANGE}?${name}=CANARY-7f3a-in-the-query`,
      body: BODY,
      from: 'nobody' as const,
      status: 400,
    })),
    {
      what: 'an unknown query parameter',
      method: 'GET',
      path: '/api/v1/watch?event=flight&nosuch=1',
      status: 400,
    },
  ]),
  {
    id: 'B16',
    what: 'a preflight of another origin',
    method: 'OPTIONS',
    path: RANGE,
    headers: { origin: 'https://evil.test', 'access-control-request-method': 'POST' },
    from: 'nobody',
    status: 204,
    because: 'it says which methods there are, and no Access-Control header lets the browser go on',
  },
  {
    id: 'B16p',
    what: 'a page of another site that publishes',
    path: INGEST,
    headers: { 'sec-fetch-site': 'cross-site', origin: 'https://evil.test' },
    body: JSON.stringify({ event_type: 'flight', identifier: {}, payload: 'x' }),
    from: 'nobody',
    status: 403,
  },
]
