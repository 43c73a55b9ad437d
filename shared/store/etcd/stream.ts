/**
 * Opens a watch at a member and waits for its first message, for a bounded time.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'
import { within } from '#shared/time/deadline.ts'
import { silence, unavailable } from './errors.ts'
import { onAbort } from './on_abort.ts'
import type { MessageStream, Outcome, StreamRequest, Transport } from './transport.ts'
import type { WireObject } from './wire.ts'

/**
 * A watch without an answer after this time never gets one: etcd 3.5 does not answer a request it cannot read, and a stopped member answers
 * none.
 */
const FIRST_MESSAGE_LIMIT_MS = 3_000

/** A stream whose first messages have arrived. */
export interface OpenedStream {
  readonly stream: MessageStream
  /** At least one, unless the stream ended without any. */
  readonly messages: readonly WireObject[]
}

/** Dependencies of opening a stream. */
export interface StreamParts {
  readonly transport: Transport
  readonly clock: Clock
}

/** Opens a stream. Never throws. Any of the signals closes it, now and later. */
export async function openStream(
  { transport, clock }: StreamParts,
  request: Omit<StreamRequest, 'signal'>,
  signals: readonly (AbortSignal | undefined)[],
): Promise<Outcome<OpenedStream>> {
  const giveUp = new AbortController()
  const stopListening = onAbort(signals, () => giveUp.abort())
  const close = (): void => {
    stopListening()
    giveUp.abort()
  }
  const open = async (): Promise<Outcome<OpenedStream>> => {
    const opened = await transport.open({ ...request, signal: giveUp.signal })
    if (opened.kind !== 'done') return opened
    const { value } = opened
    // The receiver of the stream cancels it, which also removes the listeners on the signals.
    const stream = { next: () => value.next(), cancel: () => (value.cancel(), close()) }
    return { kind: 'done', value: { stream, messages: await firstMessages(stream) } }
  }
  try {
    const outcome = await within(open(), { clock, ms: FIRST_MESSAGE_LIMIT_MS, late: () => undefined })
    if (outcome?.kind !== 'done') close()
    return outcome ?? { ...silence(FIRST_MESSAGE_LIMIT_MS), kind: 'not_done' }
  } catch (error) {
    close()
    return { kind: 'not_done', error: unavailable(error) }
  }
}

async function firstMessages(stream: MessageStream): Promise<readonly WireObject[]> {
  for (;;) {
    const messages = await stream.next()
    if (messages === undefined) return []
    if (messages.length > 0) return messages
  }
}
