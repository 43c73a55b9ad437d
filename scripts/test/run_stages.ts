/**
 * Runs stages one after another, and the steps of a stage at the same time. Shows the results in a table.
 *
 * @module
 */

import { runStep, type Print, type StepResult } from './run_step.ts'
import type { Stage, Step } from './steps.ts'

/** Longest silence, because a developer who watches may take a longer one for a hang. */
const PROGRESS_MS = 30_000

/**
 * Runs every step, also after a failed one, so that one run shows all failures.
 *
 * @param print Takes the output. When only one step runs, it writes to the terminal itself instead.
 */
export async function runStages(stages: readonly Stage[], print: Print): Promise<readonly StepResult[]> {
  const results: StepResult[] = []
  for (const stage of stages) {
    const [step] = stage
    if (step === undefined) continue
    if (stage.length > 1) results.push(...(await runTogether(stage, print)))
    else results.push(stages.length === 1 ? await runStep(step) : await runAlone(step, print))
  }
  return results
}

/**
 * The results as a table: step, verdict, seconds, and the failed tests of a step below it.
 *
 * @param seconds Duration of all steps.
 */
export function toTable(results: readonly StepResult[], seconds: number): string {
  const width = Math.max(...results.map(({ title }) => title.length))
  const line = (title: string, verdict: string, time: string): string =>
    `${title.padEnd(width)}  ${verdict.padEnd(6)}  ${time.padStart(7)}`
  const rows = results.flatMap((result) => [
    line(result.title, verdictOf(result), result.seconds.toFixed(1)),
    ...(result.late === undefined ? [] : [`    ${result.late}`]),
    ...result.failedTests.map((name) => `    ✖ ${name}`),
    ...result.leftBehind.map((what) => `    left behind by a test: ${what}`),
  ])
  const failed = results.filter(({ passed }) => !passed).length
  const summary =
    failed === 0
      ? `All ${results.length} steps passed in ${seconds.toFixed(0)} s`
      : `${failed} of ${results.length} steps FAILED`
  return [line('step', 'result', 'seconds'), ...rows, '', summary].join('\n')
}

/** Runs a step and prints its output as it comes. */
async function runAlone(step: Step, print: Print): Promise<StepResult> {
  print(`\n── ${step.title}\n`)
  const result = await runStep(step, print)
  print(`${closing(result)}\n`)
  return result
}

/** Runs steps at the same time, and prints the output of each step when it has ended. */
async function runTogether(stage: Stage, print: Print): Promise<readonly StepResult[]> {
  const running = new Set(stage.map(({ title }) => title))
  print(`\n── at the same time: ${[...running].join(', ')}\n`)
  const startedAt = performance.now()
  const progress = setInterval(() => {
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(0)
    print(`   … ${seconds} s, still running: ${[...running].join(', ')}\n`)
  }, PROGRESS_MS)
  const run = stage.map(async (step) => {
    const printed: string[] = []
    const result = await runStep(step, (text) => printed.push(text))
    running.delete(step.title)
    print(`\n── ${step.title}\n${printed.join('')}${closing(result)}\n`)
    return result
  })
  return Promise.all(run).finally(() => clearInterval(progress))
}

function closing(result: StepResult): string {
  return `── ${result.title}: ${verdictOf(result)} in ${result.seconds.toFixed(1)} s`
}

function verdictOf({ passed }: StepResult): string {
  return passed ? 'passed' : 'FAILED'
}
