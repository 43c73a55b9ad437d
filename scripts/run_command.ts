/**
 * Runs a program to its end and returns its output.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import process from 'node:process'

/** Longest run of a command, because a package registry that cannot be reached must not delay a test run for long. */
const COMMAND_LIMIT_MS = 120_000

/** Options of a command. */
export interface CommandOptions {
  /** Working folder, which must exist. Default: that of this process. */
  readonly folder?: string
  /** Text for the standard input. Default: none. */
  readonly input?: string
  /** Variables that are added to this process's environment. */
  readonly environment?: Readonly<Record<string, string>>
}

/** The result of a command. */
export interface CommandResult {
  /** Exit code; `null` when a signal ended the command. */
  readonly code: number | null
  /** The output of both streams, in the order in which it came. */
  readonly output: string
}

/** Runs a command. @returns its output. @throws {Error} When its exit code is not 0. */
export async function outputOf(
  command: string,
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { code, output } = await runCommand(command, argv, options)
  if (code === 0) return output
  throw new Error(`${command} ${argv.join(' ')} ended with ${code}:\n${output}`)
}

/** Runs a command to its end. @throws {Error} When it cannot be started. */
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
      // The option `timeout` is not used, because its timer keeps running when the program cannot be started.
      signal: AbortSignal.timeout(COMMAND_LIMIT_MS),
      killSignal: 'SIGKILL',
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.once('error', failed)
    child.once('close', (code) => done({ code, output }))
    // A command may end before it has read its whole input.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
  })
}
