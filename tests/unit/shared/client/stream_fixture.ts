/** Following a scripted service over real sockets, on a clock that skips waits. */

import type { ServerResponse } from 'node:http'
import type { Credentials } from '#shared/client/credentials.ts'
import { followStream, type StreamMessage, type StreamOptions } from '#shared/client/stream.ts'
import { createSkippingClock, type ManualClock } from '../../../support/clock.ts'
import { openStream, recordedOutput, scriptedService, type TestContext } from '../../scripts/aviso/fixture.ts'

export const OPENING = 'event: live-notification\ndata: {"type":"connection_established"}\nid: e.0\n\n'
export const noCredentials: Credentials = { headers: () => ({}), reload: () => Promise.resolve(false) }

/** What has happened so far. */
interface Seen {
  readonly asked: readonly unknown[]
  readonly messages: readonly StreamMessage[]
  /** Notifications that have come. */
  readonly ids: readonly string[]
}

/** What is followed, and how far. */
export interface Following {
  readonly steps: readonly ((response: ServerResponse) => void)[]
  readonly options?: Partial<StreamOptions>
  /** Stops after this many notifications. */
  readonly count: number
  readonly clock?: ManualClock
  /** Runs beside. */
  readonly meanwhile?: (clock: ManualClock, seen: Seen) => Promise<void>
}

/** Follows a scripted service until `count` notifications have come. */
export async function follow(
  context: TestContext,
  { steps, options = {}, count, clock = createSkippingClock(), meanwhile }: Following,
) {
  const service = await scriptedService(context, steps)
  const stop = new AbortController()
  context.after(() => stop.abort())
  const output = recordedOutput()
  const messages: StreamMessage[] = []
  const ids: string[] = []
  const stream = followStream({
    target: {
      baseUrl: service.url,
      event: 'flight',
      request: { country: ['italy'], airport: ['FCO', 'MXP'] },
    },
    start: { kind: 'live' },
    onGap: 'stop',
    credentials: noCredentials,
    fetch: (url, init) => fetch(url, init),
    clock,
    random: () => 1,
    output,
    stop: stop.signal,
    ...options,
  })
  const running = meanwhile?.(clock, { asked: service.asked, ids, messages })
  for await (const message of stream) {
    messages.push(message)
    if (message.kind === 'notification' && ids.push(message.event.id) === count) stop.abort()
  }
  await running
  const resumes = service.asked.map(({ headers }) => headers['last-event-id'])
  return { ...service, messages, ids, resumes, output, clock }
}

/** A stream that sends `text` and stays open, or is cut. */
export const send =
  (text: string, end: 'open' | 'cut' | 'close' = 'open') =>
  (response: ServerResponse): void => {
    openStream(response)
    response.write(text, () => {
      if (end === 'cut') setImmediate(() => response.destroy())
      if (end === 'close') response.end()
    })
  }
