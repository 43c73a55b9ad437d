/**
 * `aviso runs --watch`: redraws a terminal, and prints what changes as lines elsewhere. It goes on after restarts of the service.
 *
 * @module
 */

import type { CommandContext } from '../context.ts'
import { followChanges, type Source } from './run_changes.ts'
import type { Asking } from './run_service.ts'
import { countText, missingText, percentText, runName, stateText } from './run_text.ts'
import type { RunView } from './run_view.ts'

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
 * @param source Notifications that are a reason to look.
 * @throws {ClientError} what a look throws: a refusal.
 */
export async function watchRuns(
  look: (asking: Asking) => Promise<Seen>,
  source: Source,
  context: CommandContext,
): Promise<void> {
  const { output, stop, clock, config } = context
  const { screen } = output
  const changes = followChanges([source], { isWatched: screen !== undefined }, context)
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

/** Prints each run once, and then when its state or its re-publication changes. */
function changePrinter({ output, clock, json }: CommandContext): (runs: readonly RunView[]) => void {
  const known = new Map<string, string>()
  return (runs) => {
    const at = new Date(clock.now()).toISOString()
    // The oldest first, as they happened.
    for (const run of runs.toReversed()) {
      const before = known.get(run.id)
      const now = run.state
      if (before === now) continue
      known.set(run.id, now)
      output.result(json ? JSON.stringify({ at, from: before ?? null, run }) : `${at} ${lineOf(run, before)}`)
    }
  }
}

function lineOf(run: RunView, before: string | undefined): string {
  const parts = [countText(run), percentText(run), run.state === 'complete' ? '' : missingText(run)]
  const from = before === undefined ? '' : `${before} to `
  return `${runName(run)}: ${from}${stateText(run)}, ${parts.filter((text) => text !== '').join(', ')}`
}
