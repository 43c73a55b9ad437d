/**
 * What stands in front of a member's peer port, so that members can be cut off from each other while clients still reach them.
 *
 * A connection between members is used in both directions, so cutting off a member means its incoming connections and those that it made itself.
 * All come from the same address here; who made one stands in the header `X-Server-From` of etcd's peer protocol (rafthttp).
 *
 * @module
 */

import { createServer, createConnection, type AddressInfo, type Socket } from 'node:net'

/** A proxy in front of one member's peer port. */
export interface PeerProxy {
  readonly url: string
  /** Goes through the connections again after the answer of `isCut` has changed. */
  review(): void
  close(): Promise<void>
}

/** What a proxy is told. */
export interface PeerProxyOptions {
  readonly targetPort: number
  /** Whether a member (its id as hexadecimal text; '' for an unknown one) may not reach this one now. */
  readonly isCut: (from: string) => boolean
}

/** A request's head is a few hundred bytes. */
const MAX_HEAD_BYTES = 16 * 1024
const SERVER_FROM = /^X-Server-From: *([0-9a-f]+)\r?$/im

interface Link {
  readonly client: Socket
  server: Socket | undefined
  from: string
  /** Nothing has passed for a while: the two sides no longer agree. */
  isBroken: boolean
}

/** Starts one on a free port. */
export async function startPeerProxy({ targetPort, isCut }: PeerProxyOptions): Promise<PeerProxy> {
  const links = new Set<Link>()
  const end = (link: Link): void => {
    if (!links.delete(link)) return
    link.client.destroy()
    link.server?.destroy()
  }
  const hold = (link: Link): void => {
    link.isBroken = true
    link.client.unpipe().pause()
    link.server?.unpipe().pause()
  }
  const forward = (link: Link, head: Buffer): void => {
    const server = createConnection({ port: targetPort, host: '127.0.0.1', noDelay: true })
    link.server = server
    server.on('error', () => end(link))
    server.on('close', () => end(link))
    server.write(head)
    server.pipe(link.client)
    link.client.pipe(server)
  }
  const listener = createServer({ noDelay: true }, (client) => {
    const link: Link = { client, server: undefined, from: '', isBroken: false }
    links.add(link)
    client.on('error', () => end(link))
    client.on('close', () => end(link))
    let head = Buffer.alloc(0)
    const read = (piece: Buffer): void => {
      head = Buffer.concat([head, piece])
      if (!head.includes('\r\n\r\n') && head.length < MAX_HEAD_BYTES) return
      client.off('data', read)
      link.from = SERVER_FROM.exec(head.toString('latin1'))?.[1] ?? ''
      if (isCut(link.from)) hold(link)
      else forward(link, head)
    }
    client.on('data', read)
  })
  await new Promise<void>((done, failed) => {
    listener.once('error', failed)
    listener.listen(0, '127.0.0.1', done)
  })
  const { port } = listener.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    review: () => {
      for (const link of links) {
        if (isCut(link.from)) hold(link)
        else if (link.isBroken) end(link)
      }
    },
    close: async () => {
      for (const link of links) end(link)
      await new Promise<void>((done) => listener.close(() => done()))
    },
  }
}
