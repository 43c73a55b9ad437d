/**
 * One watch over the etcd gateway.
 *
 * Flow: etcd → **watch** → hub → listener
 *
 * One POST per watch, since several watches in one body are a race in etcd. Leaving closes the connection: nothing else ends a watch in etcd.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { createAssembler, type Assembler } from './gateway_assemble.ts'
import type { Caller } from './gateway_call.ts'
import type { Endpoint } from './gateway_endpoints.ts'
import { closedError, judge, readGatewayError, unavailable, type Verdict } from './gateway_errors.ts'
import { onAbort, type Outcome } from './gateway_exchange.ts'
import { watchOver, type Liveness } from './gateway_liveness.ts'
import { openStream, type LineStream, type OpenedStream, type StreamParts } from './gateway_stream.ts'
import {
  decodeClusterId,
  decodeInteger,
  decodeRevision,
  encodeRange,
  encodeWatch,
  malformed,
  parseObject,
  toObject,
  type WireObject,
} from './gateway_wire.ts'
import { checkWatch } from './mvcc_check.ts'
import type { KeyRange, Revision, WatchMessage, WatchRequest } from './store.ts'

/** For the read that shows that a member is up to date, and for the one that shows that it is alive. */
const READ_LIMIT_MS = 2_000

/** What watches are made with. */
export interface WatchParts extends StreamParts {
  readonly caller: Caller
}

/** What one attempt to open a watch works with. */
interface Opening {
  readonly range: KeyRange
  /** First revision; `undefined`: the next one. */
  readonly from: Revision | undefined
  readonly endpoint: Endpoint
  readonly stop: AbortSignal
}

/** A watch that stands. */
interface Standing {
  readonly endpoint: Endpoint
  readonly stream: LineStream
  /** The member's revision when it began. */
  readonly revision: Revision
  /** What came together with the first line. */
  readonly lines: readonly string[]
}

/** @see Store.watch */
export function watchGateway(parts: WatchParts, request: WatchRequest): AsyncIterable<WatchMessage> {
  return {
    [Symbol.asyncIterator]: () => {
      const stop = new AbortController()
      const messages = run(parts, request, stop)
      const leave = async (): Promise<IteratorResult<WatchMessage>> => {
        // A generator that waits for bytes would return only when some come.
        stop.abort()
        await messages.return()
        return { done: true, value: undefined }
      }
      return { next: () => messages.next(), return: leave }
    },
  }
}

async function* run(
  parts: WatchParts,
  request: WatchRequest,
  stopping: AbortController,
): AsyncGenerator<WatchMessage, void, undefined> {
  const { caller } = parts
  const stop = stopping.signal
  if (caller.closing.aborted) throw closedError()
  checkWatch(request)
  let assembler: Assembler | undefined
  const stopListening = onAbort([request.signal], () => stopping.abort())
  try {
    while (!stop.aborted) {
      const next: Revision | undefined = assembler?.next ?? request.from
      const standing = await caller.attempt(
        (endpoint) => open(parts, { range: request, from: next, endpoint, stop }),
        stop,
      )
      try {
        if (assembler === undefined) {
          assembler = createAssembler(next ?? standing.revision + 1n)
          yield { kind: 'created', revision: standing.revision }
        } else if (standing.revision < assembler.next - 1n) {
          // Only this one's reader knows how to find out whether the store went back in time.
          throw unavailable(new Error('The member is behind the watch that it goes on with'))
        }
        yield* follow(parts, request, { standing, assembler, stop })
      } finally {
        standing.stream.cancel()
      }
    }
  } catch (error) {
    // Leaving is no error, whatever it interrupted.
    if (!stop.aborted) throw caller.closing.aborted ? closedError() : error
  } finally {
    stopListening()
  }
}

/** One attempt to make a watch stand at a member. */
async function open(parts: WatchParts, opening: Opening): Promise<Outcome<Standing>> {
  const { caller } = parts
  const { range, from, endpoint, stop } = opening
  if (from === undefined) {
    // A member that lags behind would begin "now" in the past, before writes that the caller knows of.
    const body = encodeRange({ key: range.key, limit: 1, keysOnly: true })
    const read = await caller.members.ask(endpoint, {
      path: '/v3/kv/range',
      body,
      limitMs: READ_LIMIT_MS,
      signal: stop,
    })
    if (read.kind !== 'done') return read
  }
  const url = `${endpoint.url}/v3/watch`
  const signals = [stop, caller.closing]
  const token = caller.members.token()
  const opened = await openStream(parts, { url, body: encodeWatch(range, from), token, signals })
  if (opened.kind !== 'done') return opened
  const { stream } = opened.value
  const outcome = toStanding(caller, endpoint, opened.value)
  if (outcome.kind !== 'done') stream.cancel()
  return outcome
}

function toStanding(
  caller: Caller,
  endpoint: Endpoint,
  { stream, lines: [first, ...lines] }: OpenedStream,
): Outcome<Standing> {
  try {
    const message = first === undefined ? undefined : toMessage(first)
    const ended = message === undefined ? undefined : endOf(message)
    if (ended !== undefined) return ended
    const result = toObject(message?.['result'])
    if (result?.['created'] !== true)
      return { kind: 'not_done', error: unavailable(new Error('No watch was created')) }
    caller.endpoints.checkCluster(endpoint, decodeClusterId(result))
    return { kind: 'done', value: { endpoint, stream, revision: decodeRevision(result), lines } }
  } catch (error) {
    return { kind: 'not_done', error: error as AvisoError }
  }
}

/** What a line says about the end of its watch; `undefined` where it goes on. `canceled` counts before `created`: both may be true. */
function endOf(line: WireObject): Verdict | undefined {
  const result = toObject(line['result'])
  if (result === undefined) {
    const error = readGatewayError(line)
    return error === undefined ? { kind: 'unknown', error: unavailable() } : judge(error)
  }
  if (result['canceled'] !== true) return undefined
  const oldest = decodeInteger(result['compact_revision'])
  if (oldest > 0n) {
    const details = { oldest_revision: oldest.toString() }
    const message = 'This part of the history is no longer kept'
    return { kind: 'refused', error: new AvisoError('ERR_HISTORY_COMPACTED', message, { details }) }
  }
  const reason = result['cancel_reason']
  return judge({ code: 0, message: typeof reason === 'string' ? reason : 'canceled without a reason' })
}

/** Reads one connection. Returns when it has been silent for so long that it should be replaced. */
async function* follow(
  { caller, clock }: WatchParts,
  { key }: WatchRequest,
  { standing, assembler, stop }: { standing: Standing; assembler: Assembler; stop: AbortSignal },
): AsyncGenerator<WatchMessage, void, undefined> {
  const { endpoint, stream } = standing
  let quiet = false
  let dead: Error | undefined
  const body = encodeRange({ key, limit: 1, keysOnly: true })
  const liveness = watchOver({
    clock,
    aliveAt: () => endpoint.aliveAt,
    probe: async () => {
      const outcome = await caller.members.ask(endpoint, {
        path: '/v3/kv/range',
        body,
        limitMs: READ_LIMIT_MS,
        signal: stop,
      })
      // A refusal is an answer, too.
      return outcome.kind === 'not_done' || outcome.kind === 'unknown' ? outcome.error : undefined
    },
    onDead: (error) => {
      dead = error
      stream.cancel()
    },
    onQuiet: () => {
      quiet = true
      stream.cancel()
    },
  })
  try {
    yield* assemble(standing.lines, assembler, liveness)
    for (;;) {
      liveness.waiting()
      const lines = await stream.next()
      liveness.heard()
      if (lines === undefined) break
      yield* assemble(lines, assembler, liveness)
    }
    if (!quiet) throw dead ?? unavailable(new Error('The stream ended'))
  } catch (error) {
    if (quiet) return
    const blameless = stop.aborted || caller.closing.aborted || isAvisoError(error, 'ERR_HISTORY_COMPACTED')
    if (!blameless) caller.endpoints.failed(endpoint)
    throw dead ?? (isAvisoError(error) ? error : unavailable(error))
  } finally {
    liveness.stop()
  }
}

function* assemble(
  lines: readonly string[],
  assembler: Assembler,
  liveness: Liveness,
): Generator<WatchMessage, void, undefined> {
  for (const text of lines) {
    const line = toMessage(text)
    const ended = endOf(line)
    if (ended !== undefined) throw ended.error
    for (const message of assembler.add(toObject(line['result']) ?? {})) {
      if (message.kind === 'progress') liveness.progressed()
      yield message
    }
  }
}

function toMessage(text: string): WireObject {
  const message = parseObject(text)
  if (message === undefined) throw malformed(new Error('A line is no JSON object'))
  return message
}
