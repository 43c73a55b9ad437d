/**
 * Command lines of scripts.
 *
 * @module
 */

import { CommanderError, InvalidArgumentError, type Command } from 'commander'

/**
 * Parses what was given to `program`, which must be told to `exitOverride()`.
 *
 * @returns The exit code where there is nothing more to do: 0 after help, 2 after a mistake, which has been explained.
 */
export function parseCommand(program: Command, argv: readonly string[]): 0 | 2 | undefined {
  try {
    program.parse([...argv], { from: 'user' })
    return undefined
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    throw error
  }
}

/** Reads the value of an option. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (/^\d+$/.test(text) && number >= least && number <= most) return number
    throw new InvalidArgumentError(`It takes a whole number from ${least} to ${most}.`)
  }
}
