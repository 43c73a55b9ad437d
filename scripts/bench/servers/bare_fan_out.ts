/**
 * The bare limit of delivery: a plain server on `node:http`, which every runtime has. It frames and encodes what is posted once, and writes
 * it to every open socket. It stores and filters nothing, and gives no guarantee.
 *
 * @module
 */

import { createServer, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import process from 'node:process'

/** Bytes added to each frame, so that it is as large on the wire as a frame of ours. */
const PADDING = Number(process.argv[2] ?? 0)
/** `raw` writes ready chunks to the socket, `write` goes through the response as most servers do. */
const MODE = process.argv[3] ?? 'raw'

const sockets = new Set<Socket>()
const responses = new Set<ServerResponse>()
let sequence = 0

/** Bytes of one write of a replay. */
const CHUNK_BYTES = 64 * 1024
const REPLAY_PATH = /^\/replay\/(\d+)$/

const server = createServer((request, response) => {
  const replayed = REPLAY_PATH.exec(request.url ?? '')?.[1]
  if (replayed !== undefined) return replay(response, Number(replayed))
  if (request.method === 'GET') return listen(response)
  let body = ''
  request.setEncoding('utf8')
  request.on('data', (text: string) => (body += text))
  request.on('end', () => {
    deliver(JSON.parse(body) as readonly string[])
    response.writeHead(200, { 'Content-Length': 2 }).end('{}')
  })
})

function listen(response: ServerResponse): void {
  const { socket } = response
  response.writeHead(200, { 'Content-Type': 'text/event-stream' })
  response.write('data: hello\n\n')
  if (socket === null) return
  socket.setNoDelay(true)
  sockets.add(socket)
  responses.add(response)
  socket.on('error', () => undefined)
  socket.once('close', () => {
    sockets.delete(socket)
    responses.delete(response)
  })
}

/** Frames by their number, made once. */
const replays = new Map<number, readonly Buffer[]>()

/** Writes a number of ready frames as fast as they are taken. */
function replay(response: ServerResponse, count: number): void {
  const chunks = replays.get(count) ?? toChunks(count)
  replays.set(count, chunks)
  response.writeHead(200, { 'Content-Type': 'text/event-stream' })
  let next = 0
  const write = (): void => {
    for (let chunk = chunks[next]; chunk !== undefined; chunk = chunks[next]) {
      next++
      if (!response.write(chunk)) {
        response.once('drain', write)
        return
      }
    }
  }
  write()
}

function toChunks(count: number): readonly Buffer[] {
  sequence = 0
  const chunks: Buffer[] = []
  let text = ''
  for (let made = 0; made < count; made++) {
    text += toFrame('')
    if (text.length < CHUNK_BYTES && made < count - 1) continue
    chunks.push(Buffer.from(text, 'latin1'))
    text = ''
  }
  return chunks
}

/** Writes all payloads of one post as one chunk. */
function deliver(payloads: readonly string[]): void {
  const frames = payloads.map(toFrame).join('')
  if (MODE === 'write') {
    for (const response of responses) response.write(frames)
    return
  }
  const chunk = Buffer.from(`${frames.length.toString(16)}\r\n${frames}\r\n`, 'latin1')
  for (const socket of sockets) socket.write(chunk)
}

function toFrame(payload: string): string {
  return `event: live-notification\ndata: {"id":"mars@${++sequence}","padding":"${'x'.repeat(PADDING)}","payload":"${payload}"}\n\n`
}

server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object' && address !== null)
    console.log(`Listening on http://127.0.0.1:${address.port}`)
})
process.once('SIGTERM', () => process.exit(0))
