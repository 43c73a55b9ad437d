/**
 * Runs a program, with a bound on time and output. At the time limit, the program and all programs that it started are ended.
 *
 * @module
 */

import { spawn, type ChildProcess } from 'node:child_process'
import process from 'node:process'
import type { Readable } from 'node:stream'
import type { Clock } from '#shared/time/clock.ts'
import { within } from '#shared/time/deadline.ts'

/** The program to run, and its limits. */
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

/** How the program ended. */
export interface ProgramResult {
  /** Exit status; absent when a signal ended the program. */
  readonly status: number | undefined
  readonly signal: string | undefined
  readonly ended: 'itself' | 'time limit' | 'killed'
  /** The end of stderr. */
  readonly errorTail: string
}

/** How much of stderr is kept for the message of a failure. */
const ERROR_TAIL_CHARACTERS = 4096
/** Longest line. Longer lines are split, so that a program without line ends cannot fill the memory. */
const MAX_LINE_CHARACTERS = 4096
/** Time from SIGTERM, which a program can handle, to SIGKILL, which it cannot. */
const KILL_AFTER_MS = 5000
/** Longest wait for the end of the output, because a program may leave others behind that hold it open. */
const OUTPUT_GRACE_MS = 1000

/**
 * Runs a program in a separate process group, without a shell and without input.
 *
 * @throws the operating system's error when the program cannot be started.
 */
export async function runProgram(request: ProgramRequest): Promise<ProgramResult> {
  const [command, ...args] = request.argv
  const child = spawn(command, args, {
    cwd: request.cwd,
    env: request.environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A separate group: the time limit ends all its processes, and Ctrl-C in the terminal does not end a program that must finish.
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
      // Some processes of the group may have ignored SIGTERM.
      if (ended !== 'itself') signalGroup(child, 'SIGKILL')
    },
  }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // The group has already ended.
  }
}

/** Calls `onLine` with each line when it ends, and with pieces of lines that are too long. */
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
