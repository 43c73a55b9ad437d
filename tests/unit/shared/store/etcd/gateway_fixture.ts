/**
 * A server that answers like etcd's gateway, or like nothing of the kind, as each test says.
 *
 * @module
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type GatewayStoreParts } from '#shared/store/etcd/gateway.ts'
import type { Store, WatchMessage } from '#shared/store/store.ts'
import { encodeBase64 } from '#shared/bytes/base64.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { LEAST_CHANCE } from '../../../../support/dice.ts'
import { openGatewayStore } from '../../../../support/etcd_stores.ts'

export const HEADER = {
  cluster_id: '14841639068965178418',
  member_id: '10276657743932975437',
  revision: '7',
  raft_term: '2',
}

/** A POST that the server got. */
export interface Received {
  readonly path: string
  readonly body: string
  readonly headers: IncomingMessage['headers']
}

/** What a test may answer. */
export interface Reply {
  json(status: number, body: unknown): void
  text(status: number, body: string, headers?: Record<string, string>): void
  /** Begins an answer that lasts. */
  stream(): { write(text: string | Uint8Array): void; end(): void; readonly closed: Promise<void> }
  /** Closes the connection without an answer. */
  reset(): void
}

export interface Fixture {
  readonly url: string
  /** Everything it got, in order. */
  readonly received: Received[]
  /** How often a path was asked for. */
  count(path: string): number
  close(): Promise<void>
}

/** Starts a server. Paths that `answer` does not take (it returns false) are answered as a healthy etcd would. */
export async function startFixture(
  answer: (received: Received, reply: Reply) => boolean | void,
): Promise<Fixture> {
  const received: Received[] = []
  const server = createServer((request, response) => {
    const pieces: Uint8Array[] = []
    request.on('data', (piece: Uint8Array) => pieces.push(piece))
    request.on('end', () => {
      const path = request.url ?? ''
      const body = Buffer.concat(pieces).toString()
      const one = { path, body, headers: request.headers }
      received.push(one)
      const reply = createReply(request, response)
      if (answer(one, reply) === false) reply.json(200, healthy(path))
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    count: (path) => received.filter((one) => one.path === path).length,
    close: () =>
      new Promise((done) => {
        server.close(() => done())
        server.closeAllConnections()
      }),
  }
}

/** A server that is there no more. */
export async function closedPort(): Promise<string> {
  const fixture = await startFixture(() => false)
  await fixture.close()
  return fixture.url
}

/** A store over servers, with this runtime's own client. */
export async function openStore(
  endpoints: readonly string[],
  more: Partial<GatewayStoreParts> = {},
): Promise<Store> {
  // The first endpoint comes first.
  return openGatewayStore(endpoints, { random: () => LEAST_CHANCE, ...more })
}

function healthy(path: string): object {
  switch (path) {
    case '/v3/maintenance/status':
      return { header: HEADER, version: '3.5.30', dbSize: '8192', dbSizeInUse: '4096' }
    case '/v3/kv/txn':
      return {
        header: { ...HEADER, revision: '8' },
        succeeded: true,
        responses: [{ response_put: { header: { revision: '8' } } }],
      }
    default:
      return { header: HEADER }
  }
}

function createReply(request: IncomingMessage, response: ServerResponse): Reply {
  const text: Reply['text'] = (status, body, headers = {}) => {
    response.writeHead(status, { 'Content-Type': 'text/plain', ...headers }).end(body)
  }
  return {
    text,
    json: (status, body) => text(status, JSON.stringify(body), { 'Content-Type': 'application/json' }),
    stream: () => {
      response.writeHead(200, { 'Content-Type': 'application/json' })
      response.flushHeaders()
      return {
        write: (piece) => response.write(piece),
        end: () => response.end(),
        closed: new Promise((done) => response.once('close', () => done())),
      }
    },
    reset: () => request.socket.destroy(),
  }
}

/** A line of a watch. */
export function line(result: object): string {
  return `${JSON.stringify({ result })}\n`
}

/** A message with one event for each revision. */
export function events(revisions: readonly number[], more: object = {}): string {
  const list = revisions.map((revision) => ({
    kv: {
      key: encodeBase64(toBytes('a')),
      value: encodeBase64(toBytes(`v${revision}`)),
      mod_revision: `${revision}`,
    },
  }))
  return line({ header: HEADER, events: list, ...more })
}

/** A watch message as text, with the values of its events. */
export function show(message: WatchMessage): string {
  if (message.kind !== 'revision') return `${message.kind} ${message.revision}`
  return `${message.revision}:${message.events.map(({ kv }) => toText(kv.value)).join(',')}`
}
