/**
 * Runs a program to its end: bounded in time and output, with everything it started.
 *
 * @module
 */

import { spawn, type ChildProcess } from 'node:child_process'
import process from 'node:process'
import type { Readable } from 'node:stream'
import type { Clock } from '#shared/time/clock.ts'
import { within } from '#shared/time/deadline.ts'

/** What to run. */
export interface ProgramRequest {
  readonly argv: readonly [string, ...string[]]
  readonly cwd?: string | undefined
  readonly environment: Readonly<Record<string, string>>
  readonly timeoutMs: number
  /** Ends the program at once. */
  readonly kill: AbortSignal
  readonly clock: Clock
  readonly onLine: (stream: 'stdout' | 'stderr', line: string) => void
}

/** How it went. */
export interface ProgramResult {
  /** Absent when a signal ended it. */
  readonly status: number | undefined
  readonly signal: string | undefined
  readonly ended: 'itself' | 'time limit' | 'killed'
  /** End of stderr. */
  readonly errorTail: string
}

/** What is kept of stderr for the message of a failure. */
const ERROR_TAIL_CHARACTERS = 4096
/** Longer lines are cut, so that a program without line ends cannot fill the memory. */
const MAX_LINE_CHARACTERS = 4096
/** From the polite signal to the one that cannot be refused. */
const KILL_AFTER_MS = 5000
/** A program may leave others behind that hold its output open; they are not waited for. */
const OUTPUT_GRACE_MS = 1000

/**
 * Runs a program in a process group of its own, without a shell and without input.
 *
 * @throws the operating system's error when it cannot be started.
 */
export async function runProgram(request: ProgramRequest): Promise<ProgramResult> {
  const [command, ...args] = request.argv
  const child = spawn(command, args, {
    cwd: request.cwd,
    env: request.environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own: the time limit ends all of it, and the terminal's Ctrl-C does not end what is to be waited for.
    detached: true,
  })
  let errorTail = ''
  const closed = Promise.all([
    readLines(child.stdout, (line) => request.onLine('stdout', line)),
    readLines(child.stderr, (line) => {
      errorTail = `${errorTail}${line}\n`.slice(-ERROR_TAIL_CHARACTERS)
      request.onLine('stderr', line)
    }),
  ])
  const limits = limitTime(child, request)
  try {
    const { status, signal } = await exitOf(child)
    await within(closed, { clock: request.clock, ms: OUTPUT_GRACE_MS, late: () => undefined })
    return { status, signal, ended: limits.ended(), errorTail: errorTail.trim() }
  } finally {
    limits.release()
    child.stdout.destroy()
    child.stderr.destroy()
  }
}

function exitOf(
  child: ChildProcess,
): Promise<{ readonly status: number | undefined; readonly signal: string | undefined }> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (status, signal) =>
      resolve({ status: status ?? undefined, signal: signal ?? undefined }),
    )
  })
}

function limitTime(
  child: ChildProcess,
  { clock, timeoutMs, kill }: ProgramRequest,
): { ended(): ProgramResult['ended']; release(): void } {
  let ended: ProgramResult['ended'] = 'itself'
  let cancel = clock.after(timeoutMs, () => {
    ended = 'time limit'
    signalGroup(child, 'SIGTERM')
    cancel = clock.after(KILL_AFTER_MS, () => signalGroup(child, 'SIGKILL'))
  })
  const killNow = (): void => {
    ended = 'killed'
    signalGroup(child, 'SIGKILL')
  }
  if (kill.aborted) killNow()
  kill.addEventListener('abort', killNow)
  return {
    ended: () => ended,
    release() {
      cancel()
      kill.removeEventListener('abort', killNow)
      // Members of the group that ignored the polite signal.
      if (ended !== 'itself') signalGroup(child, 'SIGKILL')
    },
  }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // The group is gone already.
  }
}

/** Hands out lines as they end, and pieces of lines that do not. */
async function readLines(stream: Readable, onLine: (line: string) => void): Promise<void> {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line.slice(0, MAX_LINE_CHARACTERS))
    if (rest.length < MAX_LINE_CHARACTERS) return
    onLine(rest.slice(0, MAX_LINE_CHARACTERS))
    rest = ''
  })
  await new Promise<void>((done) => stream.once('close', done))
  if (rest !== '') onLine(rest)
}
