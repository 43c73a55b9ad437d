/**
 * Runs a step's command to its end.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import process from 'node:process'
import { allPassed, failedTests, hasSummary } from './failed_tests.ts'
import { endLeftBehind, STEP_MARK } from './left_behind.ts'
import { ROOT, type Step } from './steps.ts'

/** Longest time of a step, because a test file that does not end after its tests must not block the gate for ever. */
const STEP_TIMEOUT_MS = 1_000_000
/** Wait for the rest of the output, because a process that a test left behind may hold the pipe open. */
const REST_OF_OUTPUT_MS = 5_000
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
}

/** Takes a part of a step's output. */
export type Print = (text: string) => void

/** Milliseconds. */
export interface StepLimits {
  /** After them the step is ended, and has failed. */
  readonly limitMs?: number
  /** After such a silence behind the summary, what holds the runner is ended. */
  readonly heldMs?: number
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
  let passed = false
  let leftBehind: readonly string[] = []
  try {
    const command = await step.command()
    const ended = await run({
      command,
      print: print === undefined ? undefined : collect,
      read: () => output,
      limits,
    })
    passed = ended.code === 0
    leftBehind = ended.leftBehind
  } catch (error) {
    const say = print === undefined ? console.error : collect
    say(`${reasonOf(error)}\n`)
  }
  return {
    title: step.title,
    passed,
    seconds: (performance.now() - startedAt) / 1000,
    failedTests: passed ? [] : failedTests(output),
    leftBehind,
  }
}

/** What is run, and for how long. */
interface Run {
  readonly command: readonly string[]
  readonly print: Print | undefined
  /** All output so far. */
  readonly read: () => string
  readonly limits: StepLimits
}

interface Ended {
  /** Exit code; `null` when a signal ended the command. */
  readonly code: number | null
  readonly leftBehind: readonly string[]
}

function run({ command: [program = '', ...argv], print, read, limits }: Run): Promise<Ended> {
  const { limitMs = STEP_TIMEOUT_MS, heldMs = HELD_MS } = limits
  return new Promise((done, failed) => {
    const output = print === undefined ? 'inherit' : 'pipe'
    const mark = randomUUID()
    const child = spawn(program, argv, {
      cwd: ROOT,
      stdio: ['ignore', output, output],
      env: { ...process.env, [STEP_MARK]: mark },
    })
    const say = print ?? console.error
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
    // Its tests have all ended, and their sums say how: what the runner itself waits for is no result.
    const verdict = (code: number | null): number | null => (isStuck && allPassed(read()) ? 0 : code)
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        print?.(text)
        clearTimeout(held)
        held = setTimeout(() => (releasing = release()), heldMs)
      })
    }
    let kill: ReturnType<typeof setTimeout> | undefined
    const limit = setTimeout(() => {
      say(`The step had not ended after ${limitMs / 1000} s\n`)
      // Node then names the files that had not ended, and ends their processes.
      child.kill('SIGTERM')
      kill = setTimeout(() => child.kill('SIGKILL'), REST_OF_OUTPUT_MS)
    }, limitMs)
    let rest: ReturnType<typeof setTimeout> | undefined
    const end = (settle: () => void): void => {
      for (const timer of [limit, kill, rest, held, stuck]) clearTimeout(timer)
      settle()
    }
    child.once('error', (error) => end(() => failed(error)))
    child.once('exit', () => {
      rest = setTimeout(() => {
        child.stdout?.destroy()
        child.stderr?.destroy()
      }, REST_OF_OUTPUT_MS)
    })
    child.once('close', (code) =>
      end(
        () =>
          void releasing.then((leftBehind) =>
            done({ code: verdict(code), leftBehind: isStuck ? [...leftBehind, NOT_ENDED] : leftBehind }),
          ),
      ),
    )
  })
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}: ${reasonOf(error.cause)}`
}
