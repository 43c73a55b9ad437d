/**
 * Runs one listener: reads its stream, runs its triggers and saves its position.
 *
 * Flow: stream → triggers → position
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'
import { ClientError, EXIT_FAILURE } from '#shared/client/client_error.ts'
import type { CloudEvent, ReceivedNotification } from '#shared/client/notification.ts'
import { keepDeadLetter } from './dead_letters.ts'
import type { Output } from './output.ts'
import type { Position } from './position.ts'
import type { StreamMessage } from '#shared/client/stream.ts'
import { runTriggers, type TriggerOutcome } from './triggers/run_triggers.ts'
import type { Trigger, TriggerInput } from './triggers/trigger.ts'

export interface ListenerParts {
  readonly stream: AsyncIterable<StreamMessage>
  readonly triggers: readonly Trigger[]
  /** Absent: no position is saved, as for a replay of the past. */
  readonly position?: Position | undefined
  /** End of the period, milliseconds since 1970. The listener ends when it has passed. */
  readonly until?: number | undefined
  /** Makes ready what triggers need besides the notification. Absent: nothing. */
  readonly prepare?: ((notification: ReceivedNotification) => Promise<Prepared>) | undefined
  /** Reads the schema's name for the payload. Called once, at the first notification. */
  readonly payloadName: () => Promise<string>
  /** Called when a connection is open, so that everything published from now on arrives. */
  readonly onConnected: () => void
  readonly onReceived: (event: CloudEvent) => void
  /** Called when all of the past has been handled. */
  readonly onCaughtUp?: () => void
  readonly output: Output
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  readonly stop: AbortSignal
  readonly kill: AbortSignal
}

/** What became of making ready. */
export type Prepared =
  | { readonly kind: 'ready'; readonly input: TriggerInput; readonly release: () => Promise<void> }
  /** As the outcomes of triggers. */
  | Extract<TriggerOutcome, { readonly kind: 'stopped' | 'poisoned' }>

/** Shortest time between two saves of the position. A crash repeats at most the notifications since the last save. */
const SAVE_INTERVAL_MS = 200

/**
 * Runs until the stream ends or a trigger has failed for good. The position moves past a notification only after its triggers have
 * succeeded, or after it is kept in the dead-letter file. So a notification may be handled twice, but is never missed.
 *
 * @throws {ClientError} with exit code 1 when a trigger has failed; and what the stream throws.
 */
export async function runListener(parts: ListenerParts): Promise<void> {
  const checkpoint = createCheckpoint(parts)
  let payloadName: string | undefined
  try {
    for await (const message of parts.stream) {
      if (message.kind === 'connected') {
        // First, so that a listener that says it is connected misses nothing even if it ends at once.
        if (message.cursor !== undefined) await checkpoint.reach(message.cursor)
        parts.onConnected()
      }
      if (message.kind === 'notification') {
        payloadName ??= await parts.payloadName()
        if (parts.stop.aborted || isPast(message.event, parts.until)) return
        if ((await handle(parts, { ...message.event, payloadName })) === 'stopped') return
      }
      if (message.kind === 'caught-up') {
        parts.onCaughtUp?.()
        if (parts.until !== undefined) return
      }
      if (message.kind !== 'connected' && message.cursor !== undefined) await checkpoint.reach(message.cursor)
      if (parts.stop.aborted) return
    }
  } finally {
    await checkpoint.close()
  }
}

async function handle(parts: ListenerParts, notification: ReceivedNotification): Promise<'done' | 'stopped'> {
  parts.onReceived(notification)
  parts.output.log('DEBUG', `Notification ${notification.id} received`)
  const outcome = await runPrepared(parts, notification)
  if (outcome.kind === 'poisoned') {
    await passOver(parts, notification, outcome)
    return 'done'
  }
  if (outcome.kind !== 'failed') return outcome.kind
  throw new ClientError(
    `Stopped at notification ${notification.id}, because its trigger failed. It is handled again at the next start. To skip such notifications, set on_failure: continue`,
    { exitCode: EXIT_FAILURE },
  )
}

async function runPrepared(
  parts: ListenerParts,
  notification: ReceivedNotification,
): Promise<TriggerOutcome> {
  if (parts.prepare === undefined) return runTriggers(parts.triggers, notification, parts)
  const prepared = await parts.prepare(notification)
  if (prepared.kind !== 'ready') return prepared
  try {
    return await runTriggers(parts.triggers, prepared.input, parts)
  } finally {
    await prepared.release()
  }
}

/** Keeps a notification that no trigger can handle, and says so. Without a position there is no file, because the run can be repeated. */
async function passOver(
  { clock, output, position }: ListenerParts,
  notification: ReceivedNotification,
  { trigger, reason }: { readonly trigger: string; readonly reason: string },
): Promise<void> {
  const what = `Notification ${notification.id} was passed over, because the trigger ${trigger} cannot handle it: ${reason}`
  if (position === undefined) return output.log('ERROR', what)
  const { deadLetters: path } = position
  const { hasDropped } = await keepDeadLetter(path, { notification, trigger, reason, at: clock.now() })
  output.log('ERROR', `${what}. It is kept in ${path}`)
  if (hasDropped)
    output.log('WARNING', `${path}.1 was replaced: what was passed over long ago is no longer kept`)
}

function isPast({ time }: CloudEvent, until: number | undefined): boolean {
  return until !== undefined && time !== undefined && Date.parse(time) > until
}

interface Checkpoint {
  /** Records that everything up to the cursor is handled. */
  reach(cursor: string): Promise<void>
  /** Saves the last cursor, if it is not saved yet. */
  close(): Promise<void>
}

/** Saves at once, and then at most every {@link SAVE_INTERVAL_MS}. */
function createCheckpoint({ position, clock }: ListenerParts): Checkpoint {
  const closed = new AbortController()
  let reached = position?.cursor
  let savedAt = Number.NEGATIVE_INFINITY
  let saving = Promise.resolve()
  let scheduled = false

  function flush(): Promise<void> {
    const cursor = reached
    if (cursor === undefined || position === undefined) return saving
    // Saves run one after another. A failure stays in the chain, so that the listener gets it at its next step.
    saving = saving.then(async () => {
      if (cursor === position.cursor) return
      await position.save(cursor)
      savedAt = clock.monotonic()
    })
    return saving
  }

  async function flushLater(): Promise<void> {
    scheduled = true
    await clock.sleep(SAVE_INTERVAL_MS, closed.signal)
    scheduled = false
    if (!closed.signal.aborted) await flush().catch(() => undefined)
  }

  return {
    async reach(cursor) {
      reached = cursor
      if (clock.monotonic() - savedAt >= SAVE_INTERVAL_MS) return flush()
      if (!scheduled) void flushLater()
    },
    close() {
      closed.abort()
      return flush()
    },
  }
}
