/**
 * Says when a look at runs is worth its cost: after a notification of a run, or of a product of it, and now and then in any case.
 *
 * A look comes after the streams are open, so nothing can happen between the two. Streams go on by themselves after a restart of the
 * service, and each connection is a reason to look again. The state of a run may come a moment after its product, so looks follow a
 * notification at growing pauses.
 *
 * @module
 */

import type { CallContext } from '#shared/client/call.ts'
import { ClientError, messageOf } from '#shared/client/client_error.ts'
import { followStream } from '#shared/client/stream.ts'

/** Notifications that are a reason to look. */
export interface Source {
  /** What it is, for messages: `runs of mars`. */
  readonly name: string
  readonly event: string
  readonly request: Readonly<Record<string, readonly string[]>>
  /** Fields without which the service opens no such stream. Empty: none. */
  readonly lacks: readonly string[]
}

/** Reasons to look at runs. */
export interface Changes {
  /** Resolves when every stream is open or refused, or after a while. */
  opened(): Promise<void>
  /** Resolves when it is time for the next look, or at the stop. */
  next(): Promise<void>
  /** Why the user may not open a stream; `undefined`: no stream was refused to the user. */
  refusal(): string | undefined
  /** Ends the streams. */
  close(): void
}

/** A service that does not open a stream by then is asked nevertheless. */
const OPEN_LIMIT_MS = 5_000
/** Notifications that come together are one reason. */
const GATHER_MS = 250
/** All that wait for one run are told at once, and must not ask at once. */
const SPREAD_MS = 500
/** Pauses between looks after a notification: from the first, each twice as long as the one before. */
const FIRST_PAUSE_MS = 1_000
/** Longest pause between two looks, where every stream is open. */
const LONGEST_PAUSE_MS = 60_000
/** The same where a person watches. */
const WATCHED_PAUSE_MS = 10_000
/** The same where a stream is refused. */
const REFUSED_PAUSE_MS = 30_000
/** Statuses of refusals that are about the user. */
const NOT_FOR_USER: ReadonlySet<number> = new Set([401, 403])

/**
 * Follows streams until it is closed, or `stop` aborts.
 *
 * @param isWatched Whether a person sees what comes of the looks.
 */
export function followChanges(
  sources: readonly Source[],
  { isWatched }: { readonly isWatched: boolean },
  context: CallContext,
): Changes {
  const { clock, random, output } = context
  const closed = new AbortController()
  const stop = AbortSignal.any([context.stop, closed.signal])
  let pauseMs = FIRST_PAUSE_MS
  let mostMs = isWatched ? WATCHED_PAUSE_MS : LONGEST_PAUSE_MS
  let hasNews = false
  let refusal: string | undefined
  let wake = (): void => undefined
  const tell = (): void => {
    hasNews = true
    pauseMs = FIRST_PAUSE_MS
    wake()
  }

  const lookOnly = (name: string, reason: string): void => {
    output.log('WARNING', `No news of ${name}, so it is looked for now and then: ${reason}`)
    mostMs = Math.min(mostMs, REFUSED_PAUSE_MS)
  }

  async function follow({ name, event, request, lacks }: Source, onOpen: () => void): Promise<void> {
    const { config } = context
    if (lacks.length > 0) {
      lookOnly(name, `name ${lacks.map((field) => `${field}=…`).join(' ')} to get them at once`)
      return onOpen()
    }
    try {
      const stream = followStream({
        ...context,
        stop,
        // A look says that the service is gone; a stream need not say it, too.
        output: { log: (level, message) => output.log(level === 'WARNING' ? 'DEBUG' : level, message) },
        target: { baseUrl: config.baseUrl, event, request },
        start: { kind: 'live' },
        onGap: 'continue',
        timeoutMs: config.timeoutMs,
        retryDelayMs: config.retryDelayMs,
      })
      for await (const { kind } of stream) {
        if (kind === 'connected') onOpen()
        if (kind === 'connected' || kind === 'notification') tell()
      }
    } catch (error) {
      lookOnly(name, messageOf(error))
      if (error instanceof ClientError && NOT_FOR_USER.has(error.status ?? 0)) refusal ??= messageOf(error)
    }
    onOpen()
  }

  const opening = Promise.all(sources.map((source) => new Promise<void>((open) => void follow(source, open))))
  return {
    async opened() {
      const waited = new AbortController()
      const late = clock.sleep(OPEN_LIMIT_MS, AbortSignal.any([stop, waited.signal]))
      await Promise.race([opening, late])
      waited.abort()
      hasNews = false
    },
    async next() {
      const news = new AbortController()
      wake = () => news.abort()
      const jitter = isWatched ? 0 : random() * SPREAD_MS
      if (!hasNews) {
        await clock.sleep(pauseMs + jitter, AbortSignal.any([stop, news.signal]))
        pauseMs = Math.min(pauseMs * 2, mostMs)
      }
      wake = () => undefined
      if (hasNews) await clock.sleep(GATHER_MS + jitter, stop)
      hasNews = false
    },
    refusal: () => refusal,
    close: () => closed.abort(),
  }
}
