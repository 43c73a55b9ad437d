/**
 * `aviso runs --watch`: redraws a terminal, and prints what changes as lines elsewhere. It goes on after restarts of the service.
 *
 * @module
 */

import type { CommandContext } from '../context.ts'
import { followChanges, type Source } from './run_changes.ts'
import type { Asking } from './run_service.ts'
import { countText, missingText, percentText, runName, stateText, timeText } from './run_text.ts'
import { isComplete, type RunView } from './run_view.ts'

/** What is seen at one look. */
export interface Seen {
  readonly runs: readonly RunView[]
  /** For people. */
  readonly text: string
  /** For programs. */
  readonly json: unknown
}

/**
 * Looks until the client is told to stop.
 *
 * @param sources Notifications that are a reason to look.
 * @throws {ClientError} what a look throws: a refusal.
 */
export async function watchRuns(
  look: (asking: Asking) => Promise<Seen>,
  sources: readonly Source[],
  context: CommandContext,
): Promise<void> {
  const { output, stop, clock, config } = context
  const { screen } = output
  const changes = followChanges(sources, { isWatched: screen !== undefined }, context)
  const printChanges = changePrinter(context)
  await changes.opened()
  while (!stop.aborted) {
    let seen: Seen
    try {
      seen = await look(context)
    } catch (error) {
      // The stop ends a look, too.
      if (stop.aborted) return
      throw error
    }
    if (screen === undefined || context.json) printChanges(seen.runs)
    else {
      const at = `${new Date(clock.now()).toISOString().slice(0, 19).replace('T', ' ')}Z`
      screen.show(fitted(`${new URL(config.baseUrl).host}, ${at}\n\n${seen.text}`, screen.size().rows))
    }
    await changes.next()
  }
}

/** The first lines that a terminal has room for. */
function fitted(text: string, rows: number): string {
  const lines = text.split('\n')
  const room = Math.max(rows - 2, 1)
  if (lines.length <= room) return text
  return [...lines.slice(0, room - 1), `and ${lines.length - room + 1} more lines`].join('\n')
}

/** Prints each run once, and then when its state changes, or when products of it were published again. */
function changePrinter({ output, clock, json }: CommandContext): (runs: readonly RunView[]) => void {
  let known = new Map<string, RunView>()
  return (runs) => {
    const at = new Date(clock.now()).toISOString()
    // The oldest first, as they happened.
    for (const run of runs.toReversed()) {
      const before = known.get(run.id)
      if (before?.state === run.state && before.republished_at === run.republished_at) continue
      const from = before?.state ?? null
      output.result(json ? JSON.stringify({ at, from, run }) : `${at} ${lineOf(run, before)}`)
    }
    known = new Map(runs.map((run) => [run.id, run]))
  }
}

function lineOf(run: RunView, before: RunView | undefined): string {
  const isAgain = before?.state === run.state && run.republished_at !== null
  const parts = [
    countText(run),
    percentText(run),
    isComplete(run) ? '' : missingText(run),
    isAgain ? `published again, last ${timeText(run.republished_at ?? '', run)} UTC` : '',
  ]
  const from = before === undefined || isAgain ? '' : `${before.state} to `
  return `${runName(run)}: ${from}${stateText(run)}, ${parts.filter((text) => text !== '').join(', ')}`
}
