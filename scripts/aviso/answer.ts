/**
 * Prints the result of a command: text for people, or JSON for programs (`--json`).
 *
 * @module
 */

import type { Output } from './output.ts'

/** A result in both forms. */
export interface Answer {
  readonly text: string
  /** What `--json` prints, on one line. */
  readonly json: unknown
}

/** Where a result goes, and in which form. */
export interface AnswerTarget {
  readonly output: Pick<Output, 'result'>
  readonly json: boolean
}

/** Prints the form that was asked for. */
export function printAnswer({ text, json }: Answer, context: AnswerTarget): void {
  context.output.result(context.json ? JSON.stringify(json) : text)
}
