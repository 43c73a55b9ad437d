/**
 * The command `aviso replay`: runs listeners over notifications of the past, then ends.
 *
 * @module
 */

import { ClientError, EXIT_USAGE } from '#shared/client/client_error.ts'
import type { CommandContext } from './context.ts'
import { dateStart, futureText, readDate, runPeriod } from './listen.ts'

/** Flags of `replay`, as commander gives them. */
export interface ReplayFlags {
  readonly event?: string
  readonly from?: string
  readonly to?: string
  readonly onGap?: 'stop' | 'continue'
  readonly dryRun?: boolean
}

/**
 * Runs the triggers of files, or prints with `--event`, from `--from` (default: the oldest that is kept) up to `--to` (default: now).
 *
 * @throws {ClientError} as `listen`, and for a period that is empty.
 */
export async function replay(
  words: readonly string[],
  flags: ReplayFlags,
  context: CommandContext,
): Promise<void> {
  const now = context.clock.now()
  const from = flags.from === undefined ? undefined : readDate('--from', flags.from, now)
  const to = flags.to === undefined ? undefined : readDate('--to', flags.to, now)
  if (from !== undefined && from > now) {
    throw usage(`--from must be in the past${futureText(from, now)}`)
  }
  if (from !== undefined && to !== undefined && to <= from) throw usage('--to must be later than --from')
  const period = {
    start: from === undefined ? ({ kind: 'oldest' } as const) : dateStart(from),
    until: to ?? Number.POSITIVE_INFINITY,
  }
  const received = await runPeriod(words, { flags, period, context })
  context.output.log('INFO', `Replayed ${received} notification${received === 1 ? '' : 's'}`)
}

function usage(message: string): ClientError {
  return new ClientError(message, { exitCode: EXIT_USAGE })
}
