/**
 * The command `npm run faults -- [--seconds N] [--seed S] [--grpc] [--losses]`: the chaos run of the tests, for a longer time. With
 * `-- --break NAME` it proves that the checker can fail.
 *
 * It starts three etcd members, two ingests and two listening services on loopback, injects faults, and checks the history. It prints every
 * fault, a summary, and every violation with the seed. Exits with 1 when there is a violation.
 *
 * @module
 */

import process from 'node:process'
import { BROKEN_VARIANTS } from '../tests/faults/broken/variants.ts'
import { runChaos } from '../tests/faults/chaos.ts'
import { checkRun } from '../tests/faults/checker.ts'
import { measureMemberLoss } from '../tests/faults/member_loss.ts'
import { showViolations, summarise, summariseLosses, summariseRun } from '../tests/faults/summary.ts'
import { parseFaultsArguments, type FaultsOptions } from './faults/options.ts'
import { isMain } from './is_main.ts'

/** Longest single run, because its record is kept in memory. A longer time is split into several runs. */
const SECONDS_PER_RUN = 300
const SEEDS = 2 ** 31

/** @returns the exit code */
async function main(argv: readonly string[]): Promise<number> {
  const options = parseFaultsArguments(argv)
  if (typeof options === 'number') return options
  const seed = options.seed ?? Math.floor(Math.random() * SEEDS)
  const violations =
    options.breaks === undefined ? await runSound(options, seed) : await runBroken(options.breaks, seed)
  return violations === 0 ? 0 : 1
}

/** @returns the number of violations */
async function runSound({ seconds, grpc, losses }: FaultsOptions, seed: number): Promise<number> {
  let violations = 0
  for (let done = 0; done < seconds; done += SECONDS_PER_RUN) {
    const runSeed = (seed + done) % SEEDS
    console.log(`\nseed ${runSeed}`)
    const startedAt = performance.now()
    const secondsIn = (at: number): string => ((at - startedAt) / 1_000).toFixed(1).padStart(7)
    const report = await runChaos({
      seed: runSeed,
      adapter: grpc ? 'grpc' : 'http',
      ms: Math.min(SECONDS_PER_RUN, seconds - done) * 1_000,
      onFault: ({ kind, target, from, until }) =>
        console.log(
          `${secondsIn(from)} s  ${((until - from) / 1_000).toFixed(1).padStart(5)} s  ${kind}: ${target}`,
        ),
    })
    console.log()
    print(summarise(report))
    violations += report.violations.length
  }
  if (losses) {
    const report = await measureMemberLoss(seed)
    console.log()
    print(summariseLosses(report))
    violations += report.violations.length
  }
  return violations
}

/** @returns the number of violations found in the broken system */
async function runBroken(name: string, seed: number): Promise<number> {
  const variant = BROKEN_VARIANTS[name]
  if (variant === undefined) throw new TypeError(`No variant ${name}`)
  console.log(`seed ${seed}, broken on purpose (${name}): ${variant.mistake}\n`)
  const { broken, sound } = await variant.run(seed)
  const violations = checkRun(broken)
  print(summariseRun(broken))
  if (sound !== undefined) console.log(`beside it      a sound service: violations ${checkRun(sound).length}`)
  console.log(`violations     ${violations.length}`)
  print(showViolations(violations))
  const isCaught = variant.shownBy.some((expected) => violations.some(({ kind }) => kind === expected))
  console.log(
    isCaught ? '\nThe checker caught it.' : `\nThe checker did not find: ${variant.shownBy.join(', ')}`,
  )
  return violations.length
}

function print(lines: readonly string[]): void {
  for (const line of lines) console.log(line)
}

if (isMain(import.meta)) {
  // All started processes end together with this one.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      console.error(`\n${signal}: stopped`)
      process.exit(1)
    })
  }
  process.exitCode = await main(process.argv.slice(2))
}
