/**
 * Runs a step's command to its end.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { failedTests } from './failed_tests.ts'
import { ROOT, type Step } from './steps.ts'

/** A test file that does not end when its tests have must not hold the gate for ever. */
const STEP_TIMEOUT_MS = 900_000
/** A process that a test left behind may hold the pipe; what the step itself printed is read by then. */
const REST_OF_OUTPUT_MS = 5_000

/** How a step ended. */
export interface StepResult {
  readonly title: string
  readonly passed: boolean
  readonly seconds: number
  /** Names of failed tests; none where the step has no tests, or its output was not read. */
  readonly failedTests: readonly string[]
}

/** Takes a part of what a step prints. */
export type Print = (text: string) => void

/**
 * Runs a step. A command that cannot be had is a failure, too, and its reason is part of the output.
 *
 * @param print Takes the output; without it the step has this process's terminal to itself.
 */
export async function runStep(step: Step, print?: Print): Promise<StepResult> {
  const startedAt = performance.now()
  let output = ''
  const collect: Print = (text) => {
    output += text
    print?.(text)
  }
  let passed = false
  try {
    const code = await run(await step.command(), print === undefined ? undefined : collect)
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

/** @returns The exit code, or `null` where a signal ended the command. */
function run([command = '', ...argv]: readonly string[], print: Print | undefined): Promise<number | null> {
  return new Promise((done, failed) => {
    const output = print === undefined ? 'inherit' : 'pipe'
    const child = spawn(command, argv, {
      cwd: ROOT,
      stdio: ['ignore', output, output],
      // Not `timeout`, whose timer goes on when the program cannot be started.
      signal: AbortSignal.timeout(STEP_TIMEOUT_MS),
      killSignal: 'SIGKILL',
    })
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => print?.(text))
    }
    let rest: ReturnType<typeof setTimeout> | undefined
    child.once('error', failed)
    child.once('exit', () => {
      rest = setTimeout(() => {
        child.stdout?.destroy()
        child.stderr?.destroy()
      }, REST_OF_OUTPUT_MS)
    })
    child.once('close', (code) => {
      clearTimeout(rest)
      done(code)
    })
  })
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}: ${reasonOf(error.cause)}`
}
