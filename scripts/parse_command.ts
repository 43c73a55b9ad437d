/**
 * Parses the command lines of scripts.
 *
 * @module
 */

import { CommanderError, InvalidArgumentError, type Command } from 'commander'
import { writeResult } from './standard_output.ts'

/**
 * Parses the arguments of `program`, which must have called `exitOverride()`.
 *
 * @returns `undefined` when the script can go on; otherwise the exit code: 0 after help, 1 where help could not be written, 2 after a
 *   mistake, which commander has explained
 */
export function parseCommand(program: Command, argv: readonly string[]): 0 | 1 | 2 | undefined {
  let written: 0 | 1 = 0
  program.configureOutput({
    writeOut: (text) => {
      written = writeResult(text)
    },
  })
  try {
    program.parse([...argv], { from: 'user' })
    return undefined
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return error.exitCode === 0 ? written : 2
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
