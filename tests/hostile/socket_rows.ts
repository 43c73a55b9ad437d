/**
 * Section A, and what of B only raw bytes can say: requests on which two servers in a row could disagree.
 *
 * @module
 */

/** A runtime whose server is asked. */
export type SocketRuntime = 'node' | 'deno' | 'bun' | 'workerd'

/** One request in bytes. Every character is one byte. */
export interface SocketRow {
  readonly id: string
  readonly what: string
  readonly bytes: string
  /** First status of the answer; `closed`: none comes. */
  readonly status: number | 'closed'
  /** Where a runtime's own server answers otherwise, before we are asked; and why that does no harm. */
  readonly except?: Partial<Record<SocketRuntime, number | 'closed'>>
  readonly because?: string
}

/** The token that the request may read by. */
export const SOCKET_TOKEN = 'CANARY-7f3a-token-for-sockets'

const BODY = '{"key":"L2VjL21hcnMv","range_end":"L2VjL21hcnMw"}'
const LINE = 'POST /v3/kv/range HTTP/1.1\r\n'
const HOST = 'Host: aviso.test\r\n'
const AUTH = `Authorization: Bearer ${SOCKET_TOKEN}\r\n`
const WITH_LENGTH = `Content-Length: ${BODY.length}\r\n\r\n${BODY}`
const CHUNKED = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n`

/** A good request with further header lines. */
const withHeader = (line: string): string => `${LINE}${HOST}${AUTH}${line}\r\n${WITH_LENGTH}`
const withLine = (line: string): string => `${line}\r\n${HOST}${AUTH}${WITH_LENGTH}`

/** A request that is served: the first and the last of every run. */
export const GOOD_BYTES = `${LINE}${HOST}${AUTH}${WITH_LENGTH}`

const ONE_REQUEST = 'one request comes of it, with the rights of its token'

/** Every row. */
export const SOCKET_ROWS: readonly SocketRow[] = [
  {
    id: 'A01',
    what: 'a length and chunks',
    bytes: `${LINE}${HOST}${AUTH}Transfer-Encoding: chunked\r\nContent-Length: ${BODY.length}\r\n\r\n${CHUNKED}\r\n`,
    status: 400,
    except: { workerd: 200 },
    because: `workerd takes the chunks, as RFC 9112 §6.3 allows, and closes: ${ONE_REQUEST}`,
  },
  { id: 'A02', what: 'two lengths', bytes: withHeader('Content-Length: 1'), status: 400 },
  ...['+49', '-1', '49, 49', '0x31', '49;', ''].map((length, index) => ({
    id: `A03${index}`,
    what: `length "${length}"`,
    bytes: `${LINE}${HOST}${AUTH}Content-Length: ${length}\r\n\r\n${BODY}`,
    status: 400,
  })),
  ...['xchunked', 'chunked, identity', 'chunked, chunked', 'gzip'].map((coding, index) => ({
    id: `A04${index}`,
    what: `transfer coding "${coding}"`,
    bytes: `${LINE}${HOST}${AUTH}Transfer-Encoding: ${coding}\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    status: 400,
  })),
  {
    id: 'A05lf',
    what: 'lines that end in a line feed',
    bytes: GOOD_BYTES.replaceAll('\r\n', '\n'),
    status: 400,
    except: { workerd: 200, bun: 505 },
    because: `RFC 9112 §2.2 lets a server take them: ${ONE_REQUEST}`,
  },
  { id: 'A05cr', what: 'a carriage return in a header', bytes: withHeader('X-A: a\rb'), status: 400 },
  { id: 'A05nul', what: 'a zero byte in a header', bytes: withHeader('X-A: a\0b'), status: 400 },
  { id: 'A05fold', what: 'a folded header', bytes: withHeader('X-A: a\r\n b'), status: 400 },
  { id: 'A05space', what: 'a space before the colon', bytes: withHeader('X-A : a'), status: 400 },
  {
    id: 'A06',
    what: 'no Host',
    bytes: `${LINE}${AUTH}${WITH_LENGTH}`,
    status: 400,
    because: 'nothing is decided by it',
  },
  {
    id: 'A07',
    what: 'two Hosts',
    bytes: withHeader('Host: other.test'),
    status: 400,
    except: { bun: 200, workerd: 500 },
    because: 'nothing is decided by it; workerd answers 500 by itself',
  },
  { id: 'A08', what: 'two credentials', bytes: withHeader('Authorization: Bearer other'), status: 400 },
  {
    id: 'A08first',
    what: 'two credentials, the wrong one first',
    bytes: `${LINE}${HOST}Authorization: Bearer other\r\n${AUTH}${WITH_LENGTH}`,
    status: 400,
  },
  {
    id: 'A09',
    what: 'a header of 17 KiB',
    bytes: withHeader(`X-A: ${'a'.repeat(17 * 1024)}`),
    status: 431,
    except: { workerd: 200 },
    because: 'their bounds are higher, and cannot be set',
  },
  {
    id: 'A10',
    what: 'two thousand headers',
    bytes: withHeader(Array.from({ length: 2000 }, (_, index) => `X${index}: a`).join('\r\n')),
    status: 431,
    except: { deno: 200, workerd: 200 },
    because: 'as for one long header',
  },
  {
    id: 'A11',
    what: 'a path of 17 KiB',
    bytes: withLine(`POST /v3/kv/range?${'a'.repeat(17 * 1024)} HTTP/1.1`),
    status: 431,
    except: { workerd: 200 },
    because: 'as for one long header',
  },
  {
    id: 'A12',
    what: 'a chunk with an extension of 20 KiB',
    bytes: `${LINE}${HOST}${AUTH}Transfer-Encoding: chunked\r\n\r\n${BODY.length.toString(16)};${'a'.repeat(20 * 1024)}\r\n${BODY}\r\n0\r\n\r\n`,
    status: 413,
    except: { deno: 200, workerd: 400 },
    because: 'Deno bounds the body alone',
  },
  {
    id: 'A13',
    what: 'a credential behind the body',
    bytes: `${LINE}${HOST}Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n${CHUNKED}${AUTH}\r\n`,
    status: 401,
    except: { bun: 400 },
    because: 'its own parser refuses what is behind a body, and reads on before we answer',
  },
  {
    id: 'A14',
    what: 'HTTP/2.0 in a line of HTTP/1',
    bytes: withLine('POST /v3/kv/range HTTP/2.0'),
    status: 400,
    except: { node: 200, deno: 200, bun: 505 },
    because: 'Node answers as HTTP/1 and closes',
  },
  {
    id: 'A14b',
    what: 'HTTP/1.2',
    bytes: withLine('POST /v3/kv/range HTTP/1.2'),
    status: 400,
    except: { bun: 505 },
  },
  { id: 'A15', what: 'a TLS greeting', bytes: `\x16\x03\x01\x02\x00${'x'.repeat(100)}\r\n\r\n`, status: 400 },
  {
    id: 'A16',
    what: 'CONNECT',
    bytes: `CONNECT evil.test:443 HTTP/1.1\r\n${HOST}\r\n`,
    status: 405,
    except: { node: 'closed', deno: 'closed', workerd: 500 },
  },
  {
    id: 'A16o',
    what: 'OPTIONS of the whole server',
    bytes: `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`,
    status: 204,
    except: { bun: 400, workerd: 500 },
    because: 'their own parsers take no such target',
  },
  { id: 'A16t', what: 'TRACE', bytes: `TRACE /v3/kv/range HTTP/1.1\r\n${HOST}${AUTH}\r\n`, status: 405 },
  {
    id: 'A17',
    what: 'an upgrade to WebSocket',
    bytes: withHeader('Upgrade: websocket\r\nConnection: Upgrade'),
    status: 200,
    except: { workerd: 405 },
    because: 'never 101: it is ignored or refused',
  },
  {
    id: 'A17h',
    what: 'an upgrade to HTTP/2',
    bytes: withHeader('Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAA'),
    status: 200,
    because: 'never 101: it is ignored or refused',
  },
  {
    id: 'A20',
    what: 'a body that breaks off',
    bytes: `${LINE}${HOST}${AUTH}Content-Length: 500\r\n\r\n${BODY}`,
    status: 'closed',
  },
  {
    id: 'A23',
    what: 'an expectation nobody meets',
    bytes: withHeader('Expect: 200-ok'),
    status: 417,
    except: { bun: 200, workerd: 200 },
    because: 'RFC 9110 §10.1.1 lets a server ignore it',
  },
  { id: 'B01', what: 'two slashes', bytes: withLine('POST //evil.test/v3/kv/range HTTP/1.1'), status: 404 },
  ...['/v3/x/../kv/range', '/v3/./kv/range', '/v3/%2e%2e/v3/kv/range', '/v3\\kv\\range'].map(
    (path, index) => ({
      id: `B02${index}`,
      what: `path ${path}`,
      bytes: withLine(`POST ${path} HTTP/1.1`),
      status: 404,
      except: index < 2 ? { bun: 200, workerd: 200 } : { bun: 200 },
      because:
        'their servers hand on the path it stands for: a rule for paths in a proxy in front must do so too',
    }),
  ),
  {
    id: 'B05',
    what: 'another host in the first line',
    bytes: withLine('POST http://evil.test/v3/kv/range HTTP/1.1'),
    status: 404,
    except: { bun: 200, workerd: 200 },
    because: 'nothing is decided by the host',
  },
  {
    id: 'B05a',
    what: 'the host of Host in the first line',
    bytes: withLine('POST http://aviso.test/v3/kv/range HTTP/1.1'),
    status: 200,
  },
  { id: 'B05r', what: 'a path without its slash', bytes: withLine('POST v3/kv/range HTTP/1.1'), status: 400 },
]
