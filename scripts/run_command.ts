/**
 * Runs a program to its end and hands over what it printed.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import process from 'node:process'

/** A package registry that cannot be reached must not hold a test run for long. */
const COMMAND_LIMIT_MS = 120_000

/** How a command is run. */
export interface CommandOptions {
  /** Working folder; it must exist. Default: this process's. */
  readonly folder?: string
  /** What the command reads from its standard input. Default: nothing. */
  readonly input?: string
  /** Laid over this process's environment. */
  readonly environment?: Readonly<Record<string, string>>
}

/** What a command did. */
export interface CommandResult {
  /** Exit code, or `null` where a signal ended it. */
  readonly code: number | null
  /** Both streams, as they came. */
  readonly output: string
}

/** What a command printed. @throws {Error} Where its exit code is not 0. */
export async function outputOf(
  command: string,
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { code, output } = await runCommand(command, argv, options)
  if (code === 0) return output
  throw new Error(`${command} ${argv.join(' ')} ended with ${code}:\n${output}`)
}

/** Runs a command to its end. @throws {Error} Where it cannot be started. */
export function runCommand(
  command: string,
  argv: readonly string[],
  { folder, input = '', environment = {} }: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((done, failed) => {
    const child = spawn(command, argv, {
      cwd: folder,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
      // Not `timeout`, whose timer goes on when the program cannot be started.
      signal: AbortSignal.timeout(COMMAND_LIMIT_MS),
      killSignal: 'SIGKILL',
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.once('error', failed)
    child.once('close', (code) => done({ code, output }))
    // A command may end before it has read everything.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
  })
}
