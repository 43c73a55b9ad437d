/**
 * Prints the result of a command: text for people, or JSON for programs (`--json`).
 *
 * @module
 */

import type { CommandContext } from './context.ts'

/** A result in both forms. */
export interface Answer {
  readonly text: string
  /** What `--json` prints, on one line. */
  readonly json: unknown
}

/** Prints the form that was asked for. */
export function printAnswer({ text, json }: Answer, context: Pick<CommandContext, 'output' | 'json'>): void {
  context.output.result(context.json ? JSON.stringify(json) : text)
}
