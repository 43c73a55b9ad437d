/**
 * Redis: https://redis.io/docs/latest/develop/reference/protocol-spec/. Singles go into a stream, whose file is synced before the answer. Live
 * listeners are subscribers of a channel, which keeps nothing.
 *
 * @module
 */

import { TIMED_TAG, type WireLoad } from '../generator.ts'
import { numberedNotification } from '../notifications.ts'
import { findPackaged } from './install.ts'
import { exchange, found, startServer, type Peer, type PeerServer, type Publishes } from './peer.ts'

const FILL_LIMIT_MS = 120_000

export const redisPeer: Peer = { name: 'Redis, synced; live: channels †', isDurable: true, start }

async function start(): Promise<PeerServer> {
  const program = await found(findPackaged('redis-server'))
  const server = await startServer({
    program,
    prepare: (folder, port) => {
      const options = {
        port,
        bind: '127.0.0.1',
        dir: folder,
        appendonly: 'yes',
        appendfsync: 'always',
        save: '',
      }
      return Promise.resolve(Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]))
    },
  })
  return {
    ...server,
    publish: (load) => post(['XADD', 'bench', '*', 'd', numberedNotification()], load),
    publishLive: (load) => post(['PUBLISH', 'bench', numberedNotification()], load),
    listen: (connections) => ({
      ...streams(command(['SUBSCRIBE', 'bench']), connections),
      ready: ':1\r\n',
      timed: TIMED_TAG,
    }),
    replay: (count) => replay(server.url, count),
  }
}

function command(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`
}

function post(words: readonly string[], { connections, ...more }: Publishes): WireLoad {
  return { kind: 'wire', isListen: false, protocol: 'redis', connections, request: command(words), ...more }
}

function streams(request: string, connections: number): WireLoad {
  return { kind: 'wire', isListen: true, protocol: 'redis', connections, request, tag: TIMED_TAG }
}

async function replay(url: string, count: number): Promise<WireLoad> {
  const body = numberedNotification().replace(/@{10}/, 'NUMBER')
  const script = `for i = 1, ${count} do redis.call('XADD', 'bench', '*', 'd', (string.gsub(ARGV[1], 'NUMBER', string.format('%010d', i)))) end return 'FILLED'`
  await exchange(url, command(['EVAL', script, '0', body]), /FILLED/, FILL_LIMIT_MS)
  return { ...streams(command(['XRANGE', 'bench', '-', '+']), 1), expect: count }
}
