/**
 * Centrifugo, if it is in the `PATH`: https://centrifugal.dev. It keeps nothing here, and sends server-sent events.
 *
 * @module
 */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TIMED_TAG, type ListenLoad, type PostLoad } from '../generator.ts'
import { numberedNotification } from '../notifications.ts'
import { findInstalled } from './install.ts'
import { found, startServer, type Peer, type PeerServer, type Publishes } from './peer.ts'

const CHANNEL = 'bench'

export const centrifugoPeer: Peer = { name: 'Centrifugo', isDurable: false, start }

async function start(): Promise<PeerServer> {
  const program = await found(findInstalled('centrifugo'))
  const server = await startServer({
    program,
    prepare: async (folder, port) => {
      const file = join(folder, 'config.json')
      const config = {
        http_server: { address: '127.0.0.1', port },
        http_api: { insecure: true },
        client: { insecure: true },
        uni_sse: { enabled: true },
        usage_stats: { disabled: true },
        log: { level: 'error' },
      }
      await writeFile(file, JSON.stringify(config))
      return ['--config', file]
    },
  })
  return { ...server, publish, listen }
}

function publish(load: Publishes): PostLoad {
  const body = `{"channel":"${CHANNEL}","data":${numberedNotification()}}`
  return { path: '/api/publish', body, ...load }
}

function listen(connections: number): ListenLoad {
  const connect = encodeURIComponent(JSON.stringify({ subs: { [CHANNEL]: {} } }))
  const path = `/connection/uni_sse?cf_connect=${connect}`
  return { kind: 'listen', path, connections, tag: TIMED_TAG, isTimed: true }
}
