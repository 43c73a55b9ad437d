/**
 * NATS with JetStream: https://docs.nats.io/reference/reference-protocols/nats-protocol. Live listeners are plain subscribers of the subject
 * that the stream keeps.
 *
 * @module
 */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runLoads, TIMED_TAG, type WireLoad } from '../generator.ts'
import { numberedNotification } from '../notifications.ts'
import { findNats } from './install.ts'
import {
  exchange,
  found,
  startServer,
  type Peer,
  type PeerServer,
  type Publishes,
  type RunningServer,
} from './peer.ts'

const CONNECT = 'CONNECT {"verbose":false,"pedantic":false}\r\n'
const SUBJECT = 'bench.live'
/** What the generator puts the number of a connection into. */
const INBOX = '_INBOX.~~~~~~'
/** Notifications that one acknowledgement answers while a stream is filled. */
const FILL = 100
const FILL_LIMIT_MS = 120_000

/** @param isSynced Whether a write is on disk when it is acknowledged. By default NATS syncs every two minutes. */
export function natsPeer(isSynced: boolean): Peer {
  return {
    name: isSynced ? 'NATS JetStream, synced' : 'NATS JetStream, as it comes',
    isDurable: isSynced,
    start: () => start(isSynced),
  }
}

/** Starts NATS with JetStream. */
export async function startNats(isSynced: boolean): Promise<RunningServer> {
  const program = await found(findNats())
  return startServer({
    program,
    prepare: async (folder, port) => {
      const sync = isSynced ? ', sync_interval: always' : ''
      const file = join(folder, 'nats.conf')
      // A replay may be ahead of its reader by all that is stored.
      const limits = 'max_pending: 512MB\nwrite_deadline: "60s"\n'
      await writeFile(
        file,
        `listen: "127.0.0.1:${port}"\n${limits}jetstream { store_dir: "${folder}"${sync} }\n`,
      )
      return ['-c', file]
    },
  })
}

async function start(isSynced: boolean): Promise<PeerServer> {
  const server = await startNats(isSynced)
  const { url } = server
  const config = { name: 'bench', subjects: ['bench.>'], storage: 'file', num_replicas: 1 }
  const create = publication('$JS.API.STREAM.CREATE.bench', JSON.stringify(config), '_INBOX.setup')
  try {
    await exchange(url, `${CONNECT}SUB _INBOX.setup 1\r\n${create}`, /"did_create":true/)
  } catch (error) {
    await server.stop()
    throw error
  }
  return { ...server, publish, listen, replay: (count) => replay(url, count) }
}

function publication(subject: string, body: string, reply = ''): string {
  return `PUB ${subject} ${reply}${reply === '' ? '' : ' '}${Buffer.byteLength(body)}\r\n${body}\r\n`
}

function post(request: string, connections: number, more: Partial<WireLoad>): WireLoad {
  const hello = `${CONNECT}SUB ${INBOX} 1\r\nPING\r\n`
  return {
    kind: 'wire',
    isListen: false,
    protocol: 'nats',
    connections,
    request,
    hello,
    ready: 'PONG\r\n',
    ...more,
  }
}

function publish({ connections, ...more }: Publishes): WireLoad {
  return post(publication(SUBJECT, numberedNotification(), INBOX), connections, more)
}

function listen(connections: number): WireLoad {
  const request = `${CONNECT}SUB ${SUBJECT} 1\r\nPING\r\n`
  const tags = { tag: TIMED_TAG, timed: TIMED_TAG }
  return { kind: 'wire', isListen: true, protocol: 'nats', connections, request, ready: 'PONG\r\n', ...tags }
}

async function replay(url: string, count: number): Promise<WireLoad> {
  const body = numberedNotification()
  const request = publication(SUBJECT, body).repeat(FILL - 1) + publication(SUBJECT, body, INBOX)
  const fill = post(request, 1, { requests: count / FILL, perRequest: FILL })
  await runLoads(url, { until: FILL_LIMIT_MS }, [fill])
  const name = 'replay'
  const config = {
    name,
    deliver_subject: 'replay',
    ack_policy: 'none',
    deliver_policy: 'all',
    replay_policy: 'instant',
    mem_storage: true,
  }
  const create = JSON.stringify({ stream_name: 'bench', config })
  const text = `${CONNECT}SUB replay 1\r\n${publication(`$JS.API.CONSUMER.CREATE.bench.${name}`, create)}`
  // What follows is the number of the notification in the stream.
  const tag = `$JS.ACK.bench.${name}.1.`
  return { kind: 'wire', isListen: true, protocol: 'nats', connections: 1, request: text, tag, expect: count }
}
