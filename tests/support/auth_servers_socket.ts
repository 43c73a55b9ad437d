/**
 * An HTTP server by hand, over raw sockets, so that it can break the protocol in every way a dependency does.
 *
 * @module
 */

import { createServer, type Server, type Socket } from 'node:net'

/** A request as it came. Header names are in lower case. */
export interface SeenRequest {
  readonly method: string
  readonly target: string
  readonly headers: ReadonlyMap<string, string>
}

/** A right answer. */
export interface RightAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** Ways of not giving a right answer; the right one is the material of some of them. */
export const MISBEHAVIOURS = [
  'refuse',
  'hang',
  'reset',
  'reset_in_body',
  'slow',
  'status_500',
  'status_503',
  'status_429',
  'status_404',
  'status_204',
  'redirect',
  'redirect_elsewhere',
  'empty',
  'html',
  'truncated_body',
  'truncated_json',
  'wrong_type',
  'oversized',
  'gzip',
  'duplicate_names',
  'garbage',
] as const

export type Misbehaviour = (typeof MISBEHAVIOURS)[number]

/** A running stand-in. */
export interface RawServer {
  readonly url: string
  /** Everything it was asked, in order. */
  readonly seen: SeenRequest[]
  /** From now on; `undefined`: it behaves. */
  misbehave(how: Misbehaviour | undefined): Promise<void>
  close(): Promise<void>
}

const OVERSIZED_BYTES = 10 * 1024 * 1024
const HTML = '<!doctype html><title>Gateway</title><p>Something went wrong</p>'

/** Starts a server on a free loopback port. */
export async function startRawServer(
  respond: (request: SeenRequest) => Promise<RightAnswer> | RightAnswer,
): Promise<RawServer> {
  const seen: SeenRequest[] = []
  const sockets = new Set<Socket>()
  let how: Misbehaviour | undefined
  let server = listener()
  const port = await listen(server, 0)

  function listener(): Server {
    return createServer((socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
      // A client that gives up is no failure of the stand-in.
      socket.on('error', () => undefined)
      let head = ''
      socket.on('data', (bytes: Uint8Array) => {
        head += new TextDecoder('latin1').decode(bytes)
        const end = head.indexOf('\r\n\r\n')
        if (end === -1) return
        const request = parseHead(head.slice(0, end))
        head = ''
        seen.push(request)
        void answer(socket, request)
      })
    })
  }

  async function answer(socket: Socket, request: SeenRequest): Promise<void> {
    const right = await respond(request)
    if (how === undefined) send(socket, right)
    else breakProtocol(socket, right, how)
  }

  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    async misbehave(next) {
      const was = how
      how = next
      if (next === 'refuse') await stop(server, sockets)
      else if (was === 'refuse') {
        server = listener()
        await listen(server, port)
      }
    },
    close: async () => {
      if (how !== 'refuse') await stop(server, sockets)
    },
  }
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
}

function stop(server: Server, sockets: Set<Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy()
  return new Promise((resolve) => server.close(() => resolve()))
}

function parseHead(text: string): SeenRequest {
  const [line = '', ...lines] = text.split('\r\n')
  const [method = '', target = ''] = line.split(' ')
  const headers = lines.map((header): [string, string] => {
    const colon = header.indexOf(':')
    return [header.slice(0, colon).toLowerCase(), header.slice(colon + 1).trim()]
  })
  return { method, target, headers: new Map(headers) }
}

function headOf(status: number, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries({ connection: 'close', ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  )
  return `HTTP/1.1 ${status} Status\r\n${lines.join('')}\r\n`
}

function send(socket: Socket, { status, headers = {}, body = '' }: RightAnswer, declared?: number): void {
  const length = declared ?? new TextEncoder().encode(body).length
  const type = body === '' ? {} : { 'content-type': 'application/json' }
  socket.end(headOf(status, { ...type, 'content-length': String(length), ...headers }) + body)
}

function breakProtocol(socket: Socket, right: RightAnswer, how: Misbehaviour): void {
  const { status, headers = {}, body = '' } = right
  switch (how) {
    case 'refuse':
    case 'hang':
      return
    case 'reset':
      reset(socket)
      return
    case 'reset_in_body':
      socket.write(headOf(status, { ...headers, 'content-length': '100' }) + '{"a', () => reset(socket))
      return
    case 'slow': {
      socket.write('HTTP/1.1 200 ')
      const timer = setInterval(() => socket.write('O'), 200)
      socket.on('close', () => clearInterval(timer))
      return
    }
    case 'status_500':
    case 'status_503':
    case 'status_429':
    case 'status_404':
    case 'status_204':
      // With everything else right: the status alone must be enough.
      send(socket, {
        ...right,
        status: Number(how.slice('status_'.length)),
        ...(how === 'status_204' && { body: '' }),
      })
      return
    case 'redirect':
      send(socket, { ...right, status: 302, headers: { ...headers, location: '/elsewhere' } })
      return
    case 'redirect_elsewhere':
      send(socket, { ...right, status: 302, headers: { ...headers, location: 'http://127.0.0.2:9/' } })
      return
    case 'empty':
      send(socket, { status: 200 })
      return
    case 'html':
      send(socket, { status: 200, headers: { 'content-type': 'text/html' }, body: HTML })
      return
    case 'truncated_body':
      send(socket, right, body.length + 100)
      return
    case 'truncated_json':
      send(socket, { status: 200, body: '{"success":"yes","destinationList":[{"name":"SCL","act' })
      return
    case 'wrong_type':
      send(socket, { status: 200, body: '["yes"]' })
      return
    case 'oversized':
      send(socket, { status: 200, headers, body: `{"padding":"${'x'.repeat(OVERSIZED_BYTES)}"}` })
      return
    case 'gzip':
      send(socket, { status: 200, headers: { 'content-encoding': 'gzip' }, body: 'not gzip at all' })
      return
    case 'duplicate_names':
      send(socket, {
        status: 200,
        body: '{"success":"no","success":"yes","uid":"a","uid":"b","token":"a","token":"b"}',
      })
      return
    case 'garbage':
      socket.end('\u0016\u0003\u0001 this is no HTTP\r\n\r\n')
      return
  }
}

/** By a RST where the runtime can send one. */
function reset(socket: Socket): void {
  if (typeof socket.resetAndDestroy === 'function') socket.resetAndDestroy()
  else socket.destroy()
}
