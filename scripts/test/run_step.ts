/**
 * Runs a step's command to its end.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { failedTests } from './failed_tests.ts'
import { ROOT, type Step } from './steps.ts'

/** Longest time of a step, because a test file that does not end after its tests must not block the gate for ever. */
const STEP_TIMEOUT_MS = 900_000
/** Wait for the rest of the output, because a process that a test left behind may hold the pipe open. */
const REST_OF_OUTPUT_MS = 5_000

/** How a step ended. */
export interface StepResult {
  readonly title: string
  readonly passed: boolean
  readonly seconds: number
  /** Names of failed tests; empty when the step has no tests, or its output was not read. */
  readonly failedTests: readonly string[]
}

/** Takes a part of a step's output. */
export type Print = (text: string) => void

/**
 * Runs a step. When its command is not available, the step fails, and the reason is part of the output.
 *
 * @param print Takes the output. Without it the step writes to this process's terminal.
 * @param limitMs Milliseconds after which the step is ended, and has failed.
 */
export async function runStep(step: Step, print?: Print, limitMs = STEP_TIMEOUT_MS): Promise<StepResult> {
  const startedAt = performance.now()
  let output = ''
  const collect: Print = (text) => {
    output += text
    print?.(text)
  }
  let passed = false
  try {
    const command = await step.command()
    const code = await run({ command, print: print === undefined ? undefined : collect, limitMs })
    passed = code === 0
  } catch (error) {
    const say = print === undefined ? console.error : collect
    say(`${reasonOf(error)}\n`)
  }
  return {
    title: step.title,
    passed,
    seconds: (performance.now() - startedAt) / 1000,
    failedTests: passed ? [] : failedTests(output),
  }
}

/** What is run, and for how long. */
interface Run {
  readonly command: readonly string[]
  readonly print: Print | undefined
  readonly limitMs: number
}

/** @returns the exit code; `null` when a signal ended the command */
function run({ command: [program = '', ...argv], print, limitMs }: Run): Promise<number | null> {
  return new Promise((done, failed) => {
    const output = print === undefined ? 'inherit' : 'pipe'
    const child = spawn(program, argv, { cwd: ROOT, stdio: ['ignore', output, output] })
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => print?.(text))
    }
    let kill: ReturnType<typeof setTimeout> | undefined
    const limit = setTimeout(() => {
      const say = print ?? console.error
      say(`The step had not ended after ${limitMs / 1000} s\n`)
      // Node then names the files that had not ended, and ends their processes.
      child.kill('SIGTERM')
      kill = setTimeout(() => child.kill('SIGKILL'), REST_OF_OUTPUT_MS)
    }, limitMs)
    let rest: ReturnType<typeof setTimeout> | undefined
    const end = (settle: () => void): void => {
      for (const timer of [limit, kill, rest]) clearTimeout(timer)
      settle()
    }
    child.once('error', (error) => end(() => failed(error)))
    child.once('exit', () => {
      rest = setTimeout(() => {
        child.stdout?.destroy()
        child.stderr?.destroy()
      }, REST_OF_OUTPUT_MS)
    })
    child.once('close', (code) => end(() => done(code)))
  })
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}: ${reasonOf(error.cause)}`
}
