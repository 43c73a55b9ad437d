/**
 * Runs a step's command to its end.
 *
 * @module
 */

import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import process from 'node:process'
import { allEnded, allPassed, failedTests, hasSummary, lastTest } from './failed_tests.ts'
import { endLeftBehind, STEP_MARK } from './left_behind.ts'
import { ROOT, type Step } from './steps.ts'

/** Wait for a late step's end, and for the rest of any output, because a process that a test left behind may hold the pipe open. */
const END_MS = 5_000
/** Silence after the summary of all tests, from which on something holds the runner. A runner that is free ends at once. */
const HELD_MS = 10_000
/** What the table says where no process could be found that held a runner. */
const NOT_ENDED = 'something else: the runner was ended by a signal, and its sums decided'

/** How a step ended. */
export interface StepResult {
  readonly title: string
  readonly passed: boolean
  readonly seconds: number
  /** Names of failed tests; empty when the step has no tests, or its output was not read. */
  readonly failedTests: readonly string[]
  /** Processes that held the runner after its last test, and were killed: number and command line. */
  readonly leftBehind: readonly string[]
  /** Why it was ended at its limit, in a sentence; absent where it was not. */
  readonly late?: string
}

/** Takes a part of a step's output. */
export type Print = (text: string) => void

/** Milliseconds. */
export interface StepLimits {
  /** After them the step is ended, and has failed. Default: the step's own. */
  readonly limitMs?: number
  /** After such a silence behind the summary, what holds the runner is ended. */
  readonly heldMs?: number
  /** From the signal that asks a late step to end until the one that it cannot refuse, and from its end until its output is left. */
  readonly endMs?: number
}

/**
 * Runs a step. When its command is not available, the step fails, and the reason is part of the output.
 *
 * @param print Takes the output. Without it the step writes to this process's terminal.
 */
export async function runStep(step: Step, print?: Print, limits: StepLimits = {}): Promise<StepResult> {
  const startedAt = performance.now()
  let output = ''
  const collect: Print = (text) => {
    output += text
    print?.(text)
  }
  let ended: Ended = { passed: false, leftBehind: [] }
  try {
    const command = await step.command()
    ended = await run({
      command,
      print: print === undefined ? undefined : collect,
      read: () => output,
      limits: { limitMs: step.limitMs, heldMs: HELD_MS, endMs: END_MS, ...limits },
    })
  } catch (error) {
    const say = print === undefined ? console.error : collect
    say(`${reasonOf(error)}\n`)
  }
  return {
    title: step.title,
    seconds: (performance.now() - startedAt) / 1000,
    failedTests: ended.passed ? [] : failedTests(output),
    ...ended,
  }
}

/** What is run, and for how long. */
interface Run {
  readonly command: readonly string[]
  readonly print: Print | undefined
  /** All output so far. */
  readonly read: () => string
  readonly limits: Required<StepLimits>
}

type Ended = Pick<StepResult, 'passed' | 'leftBehind' | 'late'>

async function run({ command: [program = '', ...argv], print, read, limits }: Run): Promise<Ended> {
  const output = print === undefined ? 'inherit' : 'pipe'
  const mark = randomUUID()
  const child = spawn(program, argv, {
    cwd: ROOT,
    stdio: ['ignore', output, output],
    env: { ...process.env, [STEP_MARK]: mark },
  })
  const watched: Watched = { child, mark, say: print ?? console.error, read, limits }
  const releaser = releaseHeld(watched)
  const limiter = endLate(watched)
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      print?.(text)
      releaser.noteOutput()
      limiter.noteOutput()
    })
  }
  try {
    const code = await closed(child, limits.endMs)
    const { leftBehind, isStuck } = await releaser.released()
    const late = await limiter.ended()
    if (late !== undefined)
      return { passed: false, leftBehind: [...leftBehind, ...late.leftBehind], late: late.sentence }
    // Its tests have all ended, and their sums say how: what the runner itself waits for is no result.
    if (isStuck && allPassed(read())) return { passed: true, leftBehind: [...leftBehind, NOT_ENDED] }
    return { passed: code === 0, leftBehind: isStuck ? [...leftBehind, NOT_ENDED] : leftBehind }
  } finally {
    releaser.stop()
    limiter.stop()
  }
}

/** A command that runs. */
interface Watched {
  readonly child: ChildProcess
  /** Of its processes. */
  readonly mark: string
  readonly say: Print
  readonly read: Run['read']
  readonly limits: Run['limits']
}

/** @returns the exit code; `null` when a signal ended the command. @throws {Error} When it cannot be started. */
function closed(child: ChildProcess, endMs: number): Promise<number | null> {
  let rest: ReturnType<typeof setTimeout> | undefined
  return new Promise<number | null>((done, failed) => {
    child.once('error', failed)
    child.once('exit', () => {
      rest = setTimeout(() => {
        child.stdout?.destroy()
        child.stderr?.destroy()
      }, endMs)
    })
    child.once('close', done)
  }).finally(() => clearTimeout(rest))
}

/** Ends what holds a runner after the sums of its tests: first what they left behind, then the runner. */
function releaseHeld({ child, mark, say, read, limits: { heldMs } }: Watched) {
  let held: ReturnType<typeof setTimeout> | undefined
  let stuck: ReturnType<typeof setTimeout> | undefined
  let isStuck = false
  let releasing: Promise<readonly string[]> = Promise.resolve([])
  const release = async (): Promise<readonly string[]> => {
    if (!hasSummary(read())) return []
    const leftBehind = await endLeftBehind(mark, child.pid)
    say(
      `The runner had not ended ${heldMs / 1000} s after its last test. Left behind by tests, and killed:\n`,
    )
    for (const what of leftBehind) say(`  ${what}\n`)
    stuck = setTimeout(() => {
      isStuck = true
      child.kill('SIGTERM')
    }, heldMs)
    return leftBehind
  }
  return {
    noteOutput: () => {
      clearTimeout(held)
      held = setTimeout(() => (releasing = release()), heldMs)
    },
    released: async () => ({ leftBehind: await releasing, isStuck }),
    stop: () => {
      for (const timer of [held, stuck]) clearTimeout(timer)
    },
  }
}

/** Ends a command at its limit, with all that it started, and says what it had come to. */
function endLate({ child, mark, say, read, limits: { limitMs, heldMs, endMs } }: Watched) {
  let lastOutputAt = performance.now()
  let found: { readonly test: string | undefined; readonly silentMs: number } | undefined
  let kill: ReturnType<typeof setTimeout> | undefined
  const limit = setTimeout(() => {
    say(`The step had not ended after ${limitMs / 1000} s\n`)
    found = { test: lastTest(read()), silentMs: performance.now() - lastOutputAt }
    // Node then says which tests had not ended, and ends the processes of their files.
    child.kill('SIGTERM')
    kill = setTimeout(() => child.kill('SIGKILL'), endMs)
  }, limitMs)
  return {
    noteOutput: () => {
      lastOutputAt = performance.now()
    },
    ended: async () => {
      if (found === undefined) return undefined
      const leftBehind = await endLeftBehind(mark, child.pid)
      const where = { ...found, isHung: found.silentMs >= heldMs, isDone: allEnded(read()) }
      const sentence = `It was ended after ${limitMs / 1000} s, its limit. ${whereIt(where)}`
      say(`${sentence}\n`)
      return { leftBehind, sentence }
    },
    stop: () => {
      for (const timer of [limit, kill]) clearTimeout(timer)
    },
  }
}

interface Where {
  /** The last one that ended, as far as it is known. */
  readonly test: string | undefined
  /** Since the last output. */
  readonly silentMs: number
  readonly isHung: boolean
  /** Whether no test was left to end. */
  readonly isDone: boolean
}

/** Where a step was when it was ended, in a sentence. */
function whereIt({ test, silentMs, isHung, isDone }: Where): string {
  const name = test === undefined ? '' : `, "${test}"`
  const silence = `${(silentMs / 1000).toFixed(0)} s of silence`
  if (isDone)
    return `It hung after its last test${name}, with ${silence}: a test left something open, such as a timer`
  if (test === undefined) return `No test of it had ended as far as its output tells, with ${silence}`
  return isHung
    ? `It hung after its last test${name}, or in one behind it, with ${silence}`
    : `It was at work: the last test that ended was "${test}"`
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}: ${reasonOf(error.cause)}`
}
