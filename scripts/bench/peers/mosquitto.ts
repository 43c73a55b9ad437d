/**
 * Mosquitto, a broker of MQTT 3.1.1: https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/mqtt-v3.1.1.html. It acknowledges (QoS 1) from memory.
 *
 * @module
 */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TIMED_TAG, type WireLoad } from '../generator.ts'
import { numberedNotification } from '../notifications.ts'
import { findPackaged } from './install.ts'
import { found, startServer, type Peer, type PeerServer, type Publishes } from './peer.ts'

const TYPE = { connect: 0x10, publish: 0x30, subscribe: 0x82 } as const
/** Delivery at least once, as a flag of a publication. */
const QOS_1 = 0x02
const CLEAN_SESSION = 0x02
/** Number of a packet that is answered. One is under way at a time. */
const PACKET_ID = Buffer.from([0, 1])
const TOPIC = 'bench'

export const mosquittoPeer: Peer = { name: 'mosquitto', isDurable: false, start }

async function start(): Promise<PeerServer> {
  const program = await found(findPackaged('mosquitto'))
  const server = await startServer({
    program,
    prepare: async (folder, port) => {
      const file = join(folder, 'mosquitto.conf')
      await writeFile(
        file,
        `listener ${port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 0\nlog_dest none\nuser root\n`,
      )
      return ['-c', file]
    },
  })
  return { ...server, publish, listen }
}

function publish({ connections, ...more }: Publishes): WireLoad {
  const payload = Buffer.from(numberedNotification())
  return {
    kind: 'wire',
    isListen: false,
    protocol: 'mqtt',
    connections,
    hello: connectPacket('p'),
    ready: Buffer.from([0x20, 2, 0, 0]),
    request: packet(TYPE.publish | QOS_1, text(TOPIC), PACKET_ID, payload),
    ...more,
  }
}

function listen(connections: number): WireLoad {
  const subscribe = packet(TYPE.subscribe, PACKET_ID, text(TOPIC), Buffer.from([0]))
  return {
    kind: 'wire',
    isListen: true,
    protocol: 'mqtt',
    connections,
    request: Buffer.concat([connectPacket('l'), subscribe]),
    ready: Buffer.from([0x90, 3, ...PACKET_ID, 0]),
    tag: TIMED_TAG,
    timed: TIMED_TAG,
  }
}

/** The generator puts the number of the connection into the client's name. */
function connectPacket(prefix: string): Buffer {
  const keepAlive = Buffer.from([0, 0])
  const level = Buffer.from([4, CLEAN_SESSION])
  return packet(TYPE.connect, text('MQTT'), level, keepAlive, text(`${prefix}~~~~~~`))
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes])
}

function packet(type: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([type, ...lengthOf(body.length)]), body])
}

/** The remaining length: seven bits a byte, the lowest first. */
function lengthOf(length: number): readonly number[] {
  return length < 0x80 ? [length] : [(length % 0x80) + 0x80, ...lengthOf(Math.floor(length / 0x80))]
}
