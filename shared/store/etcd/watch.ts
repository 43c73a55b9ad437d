/**
 * One watch of etcd.
 *
 * Flow: etcd → **watch** → hub → listener
 *
 * One connection per watch, because several watches in one request body are a race in etcd's gateway. Leaving closes the connection,
 * because nothing else ends a watch there.
 *
 * etcd is not asked to cut large messages, because that makes it several times slower (see {@link WatchOpening.isCut}). Where a message is
 * too large for us or for the gateway, the watch goes on from the last whole revision over a connection that cuts, until the message that
 * was cut is complete. Then it goes on without. Over the gateway a watch begins with a connection that cuts, for the first part alone.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { createAssembler, type Assembler } from './assemble.ts'
import type { Caller } from './call.ts'
import type { Endpoint } from './endpoints.ts'
import {
  closedError,
  compacted,
  isSilent,
  isTooLargeMessage,
  judge,
  readGatewayError,
  unavailable,
  type Verdict,
} from './errors.ts'
import { onAbort } from './on_abort.ts'
import { watchOver, type Liveness } from './liveness.ts'
import type { Question } from './members.ts'
import { openStream, type OpenedStream, type StreamParts } from './stream.ts'
import type { MessageStream, Outcome } from './transport.ts'
import {
  decodeClusterId,
  decodeInteger,
  decodeRevision,
  encodeRange,
  encodeWatch,
  malformed,
  toObject,
  type WatchOpening,
  type WireObject,
} from './wire.ts'
import { checkWatch } from '../check.ts'
import type { KeyRange, Revision, WatchMessage, WatchRequest } from '../store.ts'

/** Time limit of two reads: the one that shows that a member is up to date, and the one that shows that it is alive. */
const READ_LIMIT_MS = 2_000

/** Dependencies of watches. */
export interface WatchParts extends StreamParts {
  readonly caller: Caller
}

/** One attempt to open a watch. */
interface Opening extends WatchOpening {
  readonly endpoint: Endpoint
  readonly stop: AbortSignal
}

/** An open watch. */
interface Standing {
  readonly endpoint: Endpoint
  readonly stream: MessageStream
  /** The member's revision when it began. */
  readonly revision: Revision
  /** What came together with the first message. */
  readonly messages: readonly WireObject[]
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
  let isCut = parts.transport.beginsCut
  let isFirst = true
  const stopListening = onAbort([request.signal], () => stopping.abort())
  try {
    while (!stop.aborted) {
      const next: Revision | undefined = assembler?.next ?? request.from
      const standing = await caller.attempt(
        (endpoint) => open(parts, { range: request, from: next, isCut, endpoint, stop }),
        stop,
      )
      try {
        if (assembler === undefined) {
          assembler = createAssembler(next ?? standing.revision + 1n)
          yield { kind: 'created', revision: standing.revision }
        } else if (standing.revision < assembler.next - 1n) {
          // Only the reader of this watch can find out whether the store went back in time.
          throw unavailable(new Error('The member is behind the watch that it goes on with'))
        }
        assembler.restart()
        const reason: Replacement = yield* follow(parts, request, {
          standing,
          assembler,
          isCut,
          isFirst,
          stop,
        })
        isCut = reason === 'too_large' || reason === 'quiet'
        isFirst = false
      } finally {
        standing.stream.cancel()
      }
    }
  } catch (error) {
    // Leaving is not an error, whatever it interrupted.
    if (!stop.aborted) throw caller.closing.aborted ? closedError() : error
  } finally {
    stopListening()
  }
}

/** Tries once to open a watch at a member. */
async function open(parts: WatchParts, opening: Opening): Promise<Outcome<Standing>> {
  const { caller } = parts
  const { range, from, isCut, endpoint, stop } = opening
  if (from === undefined) {
    // A member that lags behind would begin "now" in the past, before writes that the caller knows of.
    const read = await caller.members.ask(endpoint, pointRead(parts, range, stop))
    if (read.kind !== 'done') return read
  }
  const message = encodeWatch({ range, from, isCut }, parts.transport.encodeBytes)
  const token = caller.members.token()
  const opened = await openStream(parts, { endpoint: endpoint.url, message, token }, [stop, caller.closing])
  if (opened.kind !== 'done') return opened
  const { stream } = opened.value
  const outcome = toStanding(caller, endpoint, opened.value)
  if (outcome.kind !== 'done') stream.cancel()
  return outcome
}

function toStanding(
  caller: Caller,
  endpoint: Endpoint,
  { stream, messages: [first, ...messages] }: OpenedStream,
): Outcome<Standing> {
  try {
    const ended = first === undefined ? undefined : endOf(first)
    if (ended !== undefined) return ended
    const result = toObject(first?.['result'])
    if (result?.['created'] !== true)
      return { kind: 'not_done', error: unavailable(new Error('No watch was created')) }
    caller.endpoints.checkCluster(endpoint, decodeClusterId(result))
    return { kind: 'done', value: { endpoint, stream, revision: decodeRevision(result), messages } }
  } catch (error) {
    return { kind: 'not_done', error: error as AvisoError }
  }
}

/**
 * Why a connection is replaced.
 * - `too_large`: the next message was too large.
 * - `quiet`: nothing came for so long that the connection may be lost; or a message is so large that it takes longer.
 * - `begun`: the first part of the first message has come.
 * - `whole`: a message that was cut is complete.
 */
type Replacement = 'too_large' | 'quiet' | 'begun' | 'whole'

/** What a connection is read with. */
interface Following {
  readonly standing: Standing
  readonly assembler: Assembler
  readonly isCut: boolean
  /** Whether it is the first connection of the watch. */
  readonly isFirst: boolean
  readonly stop: AbortSignal
}

/** Thrown where the next message was too large. */
class TooLarge extends Error {}

/**
 * The end of a watch that a message announces; `undefined` while the watch goes on. `canceled` counts before `created`, because both may be
 * true.
 *
 * @throws {TooLarge} where the next message was too large.
 */
function endOf(message: WireObject): Verdict | undefined {
  const result = toObject(message['result'])
  if (result === undefined) {
    const error = readGatewayError(message)
    if (error !== undefined && isTooLargeMessage(error)) throw new TooLarge(error.message)
    return error === undefined ? { kind: 'unknown', error: unavailable() } : judge(error)
  }
  if (result['canceled'] !== true) return undefined
  const oldest = decodeInteger(result['compact_revision'])
  if (oldest > 0n) {
    return { kind: 'refused', error: compacted(oldest) }
  }
  const reason = result['cancel_reason']
  return judge({ code: 0, message: typeof reason === 'string' ? reason : 'canceled without a reason' })
}

/** Reads one connection. @returns Why it should be replaced by another one that begins with `assembler.next`. */
async function* follow(
  parts: WatchParts,
  request: WatchRequest,
  { standing, assembler, isCut, isFirst, stop }: Following,
): AsyncGenerator<WatchMessage, Replacement, undefined> {
  const { caller, clock } = parts
  const { endpoint, stream } = standing
  let quiet = false
  let dead: Error | undefined
  let silent = false
  const liveness = watchOver({
    clock,
    aliveAt: () => endpoint.aliveAt,
    probe: async () => {
      const outcome = await caller.members.ask(endpoint, pointRead(parts, request, stop))
      silent = isSilent(outcome)
      // A refusal is an answer too.
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
    let messages: readonly WireObject[] | undefined = standing.messages
    let isWithin = false
    while (messages !== undefined) {
      for (const message of messages) {
        yield* assemble(message, assembler, liveness)
        const wasWithin = isWithin
        isWithin = isPart(message)
        // Messages that are not cut cost nothing more, so that there is no hurry before.
        if (isCut && wasWithin && !isWithin) return 'whole'
        if (isCut && isWithin && isFirst) return 'begun'
      }
      liveness.waiting()
      messages = await stream.next()
      liveness.heard()
    }
    if (!quiet) throw dead ?? unavailable(new Error('The stream ended'))
    return 'quiet'
  } catch (error) {
    if (quiet) return 'quiet'
    if (error instanceof TooLarge) {
      if (!isCut) return 'too_large'
      throw malformed(error)
    }
    const blameless = stop.aborted || caller.closing.aborted || isAvisoError(error, 'ERR_HISTORY_COMPACTED')
    if (!blameless) caller.endpoints.failed(endpoint, silent)
    throw dead ?? (isAvisoError(error) ? error : unavailable(error))
  } finally {
    liveness.stop()
  }
}

function* assemble(
  message: WireObject,
  assembler: Assembler,
  liveness: Liveness,
): Generator<WatchMessage, void, undefined> {
  const ended = endOf(message)
  if (ended !== undefined) throw ended.error
  for (const whole of assembler.add(toObject(message['result']) ?? {})) {
    if (whole.kind === 'progress') liveness.progressed()
    yield whole
  }
}

/** Whether a message goes on in the next one. */
function isPart(message: WireObject): boolean {
  return toObject(message['result'])?.['fragment'] === true
}

/** The cheapest read that needs a quorum and that every user who may watch may do. */
function pointRead({ transport }: WatchParts, { key }: KeyRange, signal: AbortSignal): Question {
  const message = encodeRange({ key, limit: 1, keysOnly: true }, transport.encodeBytes)
  return { path: '/v3/kv/range', message, limitMs: READ_LIMIT_MS, signal }
}
