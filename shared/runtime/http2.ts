/**
 * {@link ConnectHttp2} over `node:http2`, which Node, Deno and Bun have. They agree in what is used here, except for the order of events.
 *
 * @module
 */

import { readFileSync } from 'node:fs'
import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import { AvisoError } from '#shared/errors.ts'
import type {
  ConnectHttp2,
  Http2Connection,
  Http2Fault,
  Http2Options,
  Http2Receiver,
  Http2Request,
  Http2Stream,
} from './http2_like.ts'
import { notSentError } from './plain_fetch.ts'
import { toTlsOptions, type FindStoreTls } from './store_tls.ts'

/** Node ends connections that hold more than 10 MB. Our windows and the size of requests are the bounds here. */
const MAX_SESSION_MEMORY_MB = Number.MAX_SAFE_INTEGER
/** How `node:http2` and OpenSSL say that the other side speaks something else. */
const FOREIGN = /^ERR_HTTP2_ERROR$|NO_APPLICATION_PROTOCOL/
/** Whether a head is the end of its stream, in the flags of its frame. */
const END_STREAM = constants.NGHTTP2_FLAG_END_STREAM
const { NGHTTP2_CANCEL: CANCEL, NGHTTP2_REFUSED_STREAM: REFUSED_STREAM } = constants

/** Names the file of the authorities that are trusted instead of the runtime's, as for other clients of gRPC. */
const ROOTS_VARIABLE = 'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH'

/**
 * Makes the power to connect.
 *
 * @param findTls What the connections are secured with; absent: what the machine trusts.
 */
export function createConnectHttp2(
  environment: Readonly<Record<string, string | undefined>>,
  findTls?: FindStoreTls,
): ConnectHttp2 {
  const rootsFile = environment[ROOTS_VARIABLE]
  return (url, options) =>
    new Promise((resolve, reject) => {
      const session = connect(url, {
        maxSessionMemory: MAX_SESSION_MEMORY_MB,
        settings: { enablePush: false, initialWindowSize: options.windowBytes },
        ...(rootsFile !== undefined && url.startsWith('https:') && { ca: readFileSync(rootsFile) }),
        ...(findTls !== undefined && toTlsOptions(findTls())),
      })
      const giveUp = (): void => session.destroy()
      const connection = toConnection(session, options)
      const begin = (): void => {
        options.signal.removeEventListener('abort', giveUp)
        resolve(connection)
      }
      let isForeign = false
      session.on('error', (error: Error & { readonly code?: string }) => {
        isForeign = FOREIGN.test(error.code ?? '')
        reject(isForeign ? foreign(error) : notSentError(error))
      })
      session.on('close', () => reject(notSentError(new Error('The connection was closed before it began'))))
      session.once('remoteSettings', begin)
      options.signal.addEventListener('abort', giveUp)
      if (options.signal.aborted) giveUp()
    })
}

function foreign(cause: Error): AvisoError {
  return new AvisoError(
    'ERR_STORE_PROTOCOL',
    'What answers there speaks no HTTP/2: check the address of the store, and any proxy in front of it',
    { cause },
  )
}

function toConnection(session: ClientHttp2Session, { windowBytes }: Http2Options): Http2Connection {
  let isOpen = true
  /** The last stream that the other side has begun with, once it says so. */
  let lastTaken = Infinity
  const onEnd = (): void => {
    isOpen = false
  }
  session.on('goaway', (_code: number, last: number) => {
    isOpen = false
    lastTaken = Math.min(lastTaken, last)
  })
  session.on('error', onEnd)
  session.on('close', onEnd)
  // The same as that of a stream: with a larger one, Bun 1.4 forgets to give a stream room again.
  session.once('connect', () => {
    // Deno tells of a connection that the other side has refused already.
    if (!session.destroyed) session.setLocalWindowSize(windowBytes)
  })
  return {
    get isOpen() {
      return isOpen && !session.closed && !session.destroyed
    },
    request: (request, receiver) => begin(session, request, { receiver, lastTaken: () => lastTaken }),
    ping: () =>
      new Promise((resolve, reject) => {
        session.ping((error) => (error === null ? resolve() : reject(error)))
      }),
    close: () => {
      isOpen = false
      session.close()
    },
    destroy: () => {
      isOpen = false
      session.destroy()
    },
  }
}

/** Where what comes goes. */
interface Reception {
  readonly receiver: Http2Receiver
  /** See {@link toConnection}. */
  readonly lastTaken: () => number
}

function begin(
  session: ClientHttp2Session,
  { path, fields, body, staysOpen }: Http2Request,
  { receiver, lastTaken }: Reception,
): Http2Stream {
  const stream = session.request({ ':method': 'POST', ':path': path, ...fields }, { endStream: false })
  let failure: Error | undefined
  let isAnswered = false
  let isLeft = false
  stream.on('response', (head, flags) => {
    isAnswered = true
    if (isLeft) return
    receiver.onHead(Number(head[':status']), head)
    if ((flags & END_STREAM) !== 0) receiver.onTrailers(head)
  })
  stream.on('data', (bytes: Uint8Array) => {
    isAnswered = true
    if (!isLeft) receiver.onData(bytes)
  })
  stream.on('trailers', (trailers) => {
    if (!isLeft) receiver.onTrailers(trailers)
  })
  stream.on('error', (error) => {
    failure = error
  })
  stream.on('close', () => {
    if (isLeft) return
    isLeft = true
    receiver.onEnd(faultOf(stream, { failure, isUntouched: !isAnswered && isUntouched(stream, lastTaken()) }))
  })
  if (staysOpen) {
    stream.write(body)
    // A stream is closed only when both sides have ended it.
    stream.on('end', () => void stream.end())
  } else {
    stream.end(body)
  }
  return {
    write: (bytes) => void stream.write(bytes),
    pause: () => void stream.pause(),
    resume: () => void stream.resume(),
    cancel: () => {
      if (isLeft) return
      isLeft = true
      stream.close(CANCEL)
      // What was held back would keep the stream.
      stream.resume()
    },
  }
}

/** Whether the other side has never seen a stream, or has said that it did not begin with it. */
function isUntouched({ id, rstCode }: ClientHttp2Stream, lastTaken: number): boolean {
  return id === undefined || id === 0 || rstCode === REFUSED_STREAM || id > lastTaken
}

function faultOf(
  { rstCode }: ClientHttp2Stream,
  { failure, isUntouched }: { readonly failure: Error | undefined; readonly isUntouched: boolean },
): Http2Fault | undefined {
  if (failure === undefined && rstCode === constants.NGHTTP2_NO_ERROR) return undefined
  return { isUntouched, cause: failure ?? new Error(`The stream was reset with code ${rstCode}`) }
}
