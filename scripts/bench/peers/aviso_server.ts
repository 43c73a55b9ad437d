/**
 * ECMWF's aviso-server 0.13 (Aviso 2.x), if it is in the `PATH`, on NATS with JetStream. `cargo install aviso-server` builds it.
 *
 * @module
 */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TIMED_TAG, type PostLoad, type WireLoad } from '../generator.ts'
import { NUMBERED_LOCATION } from '../notifications.ts'
import { findInstalled } from './install.ts'
import { startNats } from './nats.ts'
import { found, startServer, type Peer, type Publishes, type RunningServer } from './peer.ts'

/** Fields of a notification, so many as those of ours have. */
const FIELDS = ['class', 'date', 'domain', 'expver', 'step', 'stream', 'time'] as const

/** Those that a listener leaves out, because it takes every value. */
const WATCHED_ALL: readonly string[] = ['date', 'expver', 'step']

/** @param isSynced Whether NATS writes to disk before it acknowledges. */
export function avisoServerPeer(isSynced: boolean): Peer {
  return {
    name: `aviso-server + NATS, ${isSynced ? 'synced' : 'as it comes'}`,
    isDurable: isSynced,
    start: async () => {
      const program = await found(findInstalled('aviso_server'))
      const nats = await startNats(isSynced)
      const start = startServer({
        program,
        prepare: async (folder, port) => {
          const file = join(folder, 'config.yaml')
          await writeFile(file, configuration(port, nats.url, folder))
          return []
        },
        environment: (folder) => ({ AVISOSERVER_CONFIG_FILE: join(folder, 'config.yaml') }),
      })
      const server = await start.catch(async (error: unknown) => {
        await nats.stop()
        throw error
      })
      return { ...both(server, nats), publish, listen: (connections) => watch(server.url, connections) }
    },
  }
}

/** A system with a store beside it costs what both cost. */
function both(server: RunningServer, store: RunningServer): RunningServer {
  return {
    url: server.url,
    cpuSeconds: () => server.cpuSeconds() + store.cpuSeconds(),
    stop: async () => {
      await server.stop()
      await store.stop()
    },
  }
}

/** JSON, which is YAML too. */
function configuration(port: number, nats: string, folder: string): string {
  const rules = FIELDS.map((name) => [name, { type: 'StringHandler', required: !WATCHED_ALL.includes(name) }])
  return JSON.stringify({
    application: { host: '127.0.0.1', port, base_url: `http://127.0.0.1:${port}`, static_files_path: folder },
    notification_backend: {
      kind: 'jetstream',
      jetstream: { nats_url: nats.replace('http:', 'nats:'), storage_type: 'file' },
    },
    auth: { enabled: false },
    logging: { level: 'error', format: 'json' },
    notification_schema: {
      mars: {
        payload: { required: true },
        topic: { base: 'mars', key_order: FIELDS },
        identifier: Object.fromEntries(rules),
      },
    },
  })
}

function publish(load: Publishes): PostLoad {
  const run = crypto.randomUUID().slice(0, 8)
  const identifier = `{"class":"od","date":"${run}","domain":"g","expver":"@@@@","step":"@@@@@","stream":"oper","time":"0"}`
  const location = NUMBERED_LOCATION.replace(/@+/, '##########')
  // The number has to come first, because its digits are shown again.
  const body = `{"payload":{"location":"${location}"},"event_type":"mars","identifier":${identifier}}`
  return { path: '/api/v1/notification', body, ...load }
}

function watch(url: string, connections: number): WireLoad {
  const body = '{"event_type":"mars","identifier":{"class":"od","domain":"g","stream":"oper","time":"0"}}'
  const head = `POST /api/v1/watch HTTP/1.1\r\nHost: ${new URL(url).host}\r\nContent-Type: application/json\r\n`
  const request = `${head}Content-Length: ${body.length}\r\n\r\n${body}`
  const tags = { tag: TIMED_TAG, timed: TIMED_TAG }
  return { kind: 'wire', isListen: true, protocol: 'http', connections, request, ...tags }
}
