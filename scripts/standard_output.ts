/**
 * Prints the results of programs. Where a result cannot be written, the program has failed: `console.log` would not tell.
 *
 * @module
 */

import { writeSync } from 'node:fs'

/** The descriptor of standard output. */
const STDOUT = 1
/** A reader that is slow has taken something by then. */
const RETRY_MS = 5

/** Prints lines. @throws {Error} Where they cannot be written, such as to a full disk. */
export function print(...lines: readonly string[]): void {
  const failure = tryWrite(toText(lines))
  if (failure !== undefined) throw failure
}

/** Prints the lines that a program is called for, and says on stderr where it could not. @returns the exit code */
export function printResult(...lines: readonly string[]): 0 | 1 {
  return writeResult(toText(lines))
}

/** {@link printResult}, for a text with its own ends of lines. */
export function writeResult(text: string): 0 | 1 {
  const failure = tryWrite(text)
  if (failure === undefined) return 0
  console.error(`error: ${failure.message}`)
  return 1
}

/** Writes at once: the end of the program does not wait for a stream. @returns why it could not; a reader that has left is no reason */
export function tryWrite(text: string): Error | undefined {
  try {
    writeAll(Buffer.from(text))
    return undefined
  } catch (cause) {
    const code = codeOf(cause)
    if (code === 'EPIPE') return undefined
    const reason = cause instanceof Error ? cause.message : 'unknown'
    // Deno leaves the code out.
    const shown = reason.includes(code) ? reason : `${code}: ${reason}`
    return new Error(`Cannot write the output: ${shown}`, { cause })
  }
}

/** Where a pipe is full because its reader is slow, waits for it: Node lets a pipe refuse then, once `process.stdout` was looked at. */
function writeAll(bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(STDOUT, bytes, written)
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS)
    }
  }
}

/** Such as `ENOSPC`; empty: there is none. */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

function toText(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}
