/**
 * The module nchan of nginx: https://nchan.io. It keeps messages in memory.
 *
 * @module
 */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runLoads, TIMED_TAG, type ListenLoad, type PostLoad } from '../generator.ts'
import { numberedNotification } from '../notifications.ts'
import { findPackaged, NCHAN_MODULE } from './install.ts'
import { found, startServer, type Peer, type PeerServer, type Publishes } from './peer.ts'

const FILL_LIMIT_MS = 120_000

export const nchanPeer: Peer = { name: 'nginx with nchan', isDurable: false, start }

async function start(): Promise<PeerServer> {
  const program = await found(findPackaged('nginx'))
  const server = await startServer({
    program,
    prepare: async (folder, port) => {
      const file = join(folder, 'nginx.conf')
      await writeFile(file, configuration(program.folder ?? '', folder, port))
      return ['-p', folder, '-e', 'stderr', '-c', file]
    },
  })
  return {
    ...server,
    publish,
    listen: (connections) => listenAt('/live', connections, { isTimed: true }),
    replay: async (count) => {
      // One connection, so that they are stored in the order of their numbers.
      await runLoads(server.url, { until: FILL_LIMIT_MS }, [
        { ...publish({ connections: 1 }), requests: count },
      ])
      return listenAt('/all', 1, { expect: count })
    },
  }
}

/** One process, so that its processor time is that of the server. */
function configuration(unpacked: string, folder: string, port: number): string {
  const channel = 'nchan_channel_id bench;'
  return `load_module ${unpacked}/${NCHAN_MODULE};
daemon off;
master_process off;
pid ${folder}/nginx.pid;
events { worker_connections 20000; }
http {
  access_log off;
  nchan_max_reserved_memory 1024M;
  server {
    listen 127.0.0.1:${port};
    keepalive_requests 1000000000;
    location = /publish { nchan_publisher; ${channel} nchan_message_buffer_length 200000; nchan_message_timeout 0; }
    location = /live { nchan_subscriber eventsource; ${channel} nchan_subscriber_first_message newest; }
    location = /all { nchan_subscriber eventsource; ${channel} nchan_subscriber_first_message oldest; }
  }
}
`
}

function publish(load: Publishes): PostLoad {
  return { path: '/publish', body: numberedNotification(), ...load }
}

function listenAt(path: string, connections: number, more: Partial<ListenLoad>): ListenLoad {
  return { kind: 'listen', path, connections, tag: TIMED_TAG, ...more }
}
