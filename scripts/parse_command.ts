/**
 * Parses the command lines of scripts.
 *
 * @module
 */

import { writeFileSync } from 'node:fs'
import { CommanderError, InvalidArgumentError, type Command } from 'commander'

/** The descriptor of standard output. */
const STDOUT = 1

/**
 * Parses the arguments of `program`, which must have called `exitOverride()`.
 *
 * @returns `undefined` when the script can go on; otherwise the exit code: 0 after help, 1 where help could not be written, 2 after a
 *   mistake, which commander has explained
 */
export function parseCommand(program: Command, argv: readonly string[]): 0 | 1 | 2 | undefined {
  let failure: unknown
  program.configureOutput({
    writeOut: (text) => {
      failure = tryWrite(text)
    },
  })
  try {
    program.parse([...argv], { from: 'user' })
    return undefined
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode !== 0) return 2
    if (failure === undefined) return 0
    console.error(`error: Cannot write the output: ${failure instanceof Error ? failure.message : 'unknown'}`)
    return 1
  }
}

/** Writes at once: the end of the program does not wait for a stream. @returns why it could not; a reader that has left is no reason */
function tryWrite(text: string): unknown {
  try {
    writeFileSync(STDOUT, text)
    return undefined
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPIPE' ? undefined : error
  }
}

/** @returns a function that reads the value of an option: a whole number between two bounds */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (/^\d+$/.test(text) && number >= least && number <= most) return number
    throw new InvalidArgumentError(`Use a whole number from ${least} to ${most}.`)
  }
}
