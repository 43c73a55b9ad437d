/**
 * The bare limits of storing: puts to etcd by the generator, over the JSON gateway and over gRPC.
 *
 * @module
 */

import { hasGenerator, runPost, type PostResult, type WireLoad } from './generator.ts'
import { location } from './notifications.ts'

/** How the puts go to etcd. */
export type PutWire = 'gateway:' | 'grpc:'

/** Puts, each of the size of a notification in the store. */
export interface Puts {
  readonly connections: number
  /** Puts in one transaction. Default: no transaction. */
  readonly perTransaction?: number
}

/**
 * Puts new keys for a time.
 *
 * @param endpoint Address such as `http://127.0.0.1:2379`.
 * @returns `undefined` for gRPC where there is no compiler; the rate counts requests, not puts
 */
export async function runPuts(
  endpoint: string,
  wire: PutWire,
  durationMs: number,
  puts: Puts,
): Promise<PostResult | undefined> {
  const { connections, perTransaction } = puts
  if (wire === 'grpc:')
    return hasGenerator() ? runPost(endpoint, durationMs, grpcPuts(endpoint, puts)) : undefined
  const put = { key: `${btoa(bareKey())}${NUMBER_BASE64}`, value: btoa(BARE_VALUE) }
  const success = Array.from({ length: perTransaction ?? 0 }, () => ({ request_put: put }))
  const [path, body] = perTransaction === undefined ? ['put', put] : ['txn', { success }]
  const text = JSON.stringify(body)
  return runPost(endpoint, durationMs, { path: `/v3/kv/${path}`, body: text, connections })
}

/** Ten digits and two letters are base64 of nine bytes, different for each number. */
const NUMBER_BASE64 = '##########AA'
/** Length of a key that a notification has in the store, without the number. */
const KEY_BYTES = 72

/** Value of a bare put. Its length is a multiple of three. */
export const BARE_VALUE = location(0).padEnd(66, 'x')

/** What the keys of a load begin with, to which ten digits are added (the gateway: nine bytes): another text for each load, because rewriting a key is other work than writing a new one. */
export function bareKey(): string {
  return `/bench/${crypto.randomUUID()}/`.padEnd(KEY_BYTES, 'x')
}

/** Frames of HTTP/2: RFC 9113, section 6. Header fields: RFC 7541. */
const FRAME = { data: 0, headers: 1, settings: 4, windowUpdate: 8 } as const
const END_STREAM = 1
const END_HEADERS = 4
const ACKNOWLEDGE = 1
/** Largest frame that a server must take. */
const MAX_FRAME_BYTES = 16_384
/** What a server may send on a connection: as much as the protocol can say, so that the generator has no window to move. */
const WINDOW = 2 ** 31 - 1
const FIRST_WINDOW = 65_535

function grpcPuts(endpoint: string, { connections, perTransaction }: Puts): WireLoad {
  const put = field(1, `${bareKey()}##########`, field(2, BARE_VALUE))
  const isSingle = perTransaction === undefined
  // A request of a transaction is field 2 of TxnRequest, and holds the put in field 2.
  const parts = isSingle ? [put] : Array.from({ length: perTransaction }, () => field(2, field(2, put)))
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const head = Buffer.alloc(5)
  head.writeUInt32BE(length, 1)
  const path = `/etcdserverpb.KV/${isSingle ? 'Put' : 'Txn'}`
  const headers = frame(FRAME.headers, END_HEADERS, headerBlock(new URL(endpoint).host, path))
  const hello = [
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    frame(FRAME.settings, 0, Buffer.alloc(0)),
    frame(FRAME.windowUpdate, 0, uint32(WINDOW - FIRST_WINDOW)),
    // The answer to the server's own settings, whatever they are: the frames sent here suit every server.
    frame(FRAME.settings, ACKNOWLEDGE, Buffer.alloc(0)),
  ]
  return {
    kind: 'wire',
    isListen: false,
    protocol: 'grpc',
    connections,
    hello: Buffer.concat(hello),
    request: Buffer.concat([headers, ...dataFrames([head, ...parts])]),
  }
}

/** Header fields as literals that no table remembers, so that every request is the same bytes. */
function headerBlock(host: string, path: string): Buffer {
  const text = (value: string): string => String.fromCharCode(value.length) + value
  const indexed = '\x83\x86' // :method POST, :scheme http
  const literal = `\x04${text(path)}\x01${text(host)}\x0f\x10${text('application/grpc')}\x00${text('te')}${text('trailers')}`
  return Buffer.from(indexed + literal, 'latin1')
}

/** Parts in as few frames as hold them. A part is never cut, because the generator puts numbers into it. */
function dataFrames(parts: readonly Buffer[]): readonly Buffer[] {
  const groups: Buffer[][] = [[]]
  let bytes = 0
  for (const part of parts) {
    if (bytes + part.length > MAX_FRAME_BYTES) {
      groups.push([])
      bytes = 0
    }
    groups.at(-1)?.push(part)
    bytes += part.length
  }
  return groups.map((group, index) =>
    frame(FRAME.data, index === groups.length - 1 ? END_STREAM : 0, Buffer.concat(group)),
  )
}

/** A frame of stream 0; the generator puts in the stream of a request. */
function frame(type: number, flags: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  return Buffer.concat([head, payload])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** A field of a protobuf message that holds bytes, and what follows it. */
function field(number: number, content: string | Buffer, rest: Buffer = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.from(content)
  return Buffer.concat([Buffer.from([number * 8 + 2, ...varint(bytes.length)]), bytes, rest])
}

function varint(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value % 0x80) + 0x80, ...varint(Math.floor(value / 0x80))]
}
