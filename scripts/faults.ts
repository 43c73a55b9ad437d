/**
 * The command `npm run faults -- [--seconds N] [--rounds N] [--seed S] [--grpc] [--losses]`: the fault tests, for a longer time. With
 * `-- --break NAME` it proves that the checker can fail.
 *
 * It starts three etcd members, two ingests and two listening services on loopback, injects faults, and checks the history. Then come rounds
 * in which a store loses what it had acknowledged: etcd, and the embedded store. It prints every fault, summaries, and every violation with
 * the seed. Exits with 1 when there is a violation.
 *
 * @module
 */

import process from 'node:process'
import { BROKEN_VARIANTS } from '../tests/faults/broken/variants.ts'
import { runChaos } from '../tests/faults/chaos.ts'
import { runEmbeddedLives, runEtcdLives } from '../tests/faults/lives/run_lives.ts'
import { runRows } from '../tests/faults/lives/rows.ts'
import { measureMemberLoss } from '../tests/faults/member_loss.ts'
import type { StruckFault } from '../tests/faults/nemesis.ts'
import {
  showViolations,
  summarise,
  summariseLives,
  summariseLosses,
  summariseRows,
} from '../tests/faults/summary.ts'
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

/** A phase of a run. */
interface Phase {
  readonly run: (onFault: (fault: StruckFault) => void) => Promise<PhaseReport>
}

/** Its result. */
interface PhaseReport {
  readonly violations: readonly unknown[]
  readonly lines: readonly string[]
}

/** @returns the number of violations */
async function runSound({ seconds, rounds, grpc, losses }: FaultsOptions, seed: number): Promise<number> {
  const adapter = grpc ? 'grpc' : 'gateway'
  const phases: Phase[] = []
  for (let done = 0; done < seconds; done += SECONDS_PER_RUN) {
    const ms = Math.min(SECONDS_PER_RUN, seconds - done) * 1_000
    const options = { seed: (seed + done) % SEEDS, adapter, ms } as const
    phases.push(phaseOf((onFault) => runChaos({ ...options, onFault }), summarise))
  }
  for (let round = 0; round < rounds; round++) {
    const options = { seed: (seed + round) % SEEDS, adapter } as const
    phases.push(
      phaseOf((onFault) => runEtcdLives({ ...options, onFault }), summariseLives),
      phaseOf((onFault) => runEmbeddedLives({ ...options, onFault }), summariseLives),
      phaseOf((onFault) => runRows({ ...options, onFault }), summariseRows),
    )
  }
  const kinds: string[] = []
  let violations = 0
  for (const { run } of phases) {
    const startedAt = performance.now()
    console.log()
    const { lines, violations: found } = await run((fault) => {
      kinds.push(fault.kind)
      console.log(showFault(fault, startedAt))
    })
    console.log()
    print(lines)
    violations += found.length
  }
  console.log(
    `\nin all         ${kinds.length} faults of ${new Set(kinds).size} kinds, violations ${violations}`,
  )
  if (losses) {
    const report = await measureMemberLoss(seed)
    console.log()
    print(summariseLosses(report))
    violations += report.violations.length
  }
  return violations
}

function phaseOf<Report extends Pick<PhaseReport, 'violations'>>(
  run: (onFault: (fault: StruckFault) => void) => Promise<Report>,
  show: (report: Report) => readonly string[],
): Phase {
  return {
    run: async (onFault) => {
      const report = await run(onFault)
      return { violations: report.violations, lines: show(report) }
    },
  }
}

function showFault({ kind, target, from, until }: StruckFault, startedAt: number): string {
  const seconds = (ms: number, width: number): string => (ms / 1_000).toFixed(1).padStart(width)
  return `${seconds(from - startedAt, 7)} s  ${seconds(until - from, 5)} s  ${kind}: ${target}`
}

/** @returns the number of violations found in the broken system */
async function runBroken(name: string, seed: number): Promise<number> {
  const variant = BROKEN_VARIANTS[name]
  if (variant === undefined) throw new TypeError(`No variant ${name}`)
  console.log(`seed ${seed}, broken on purpose (${name}): ${variant.mistake}\n`)
  const { broken, sound } = await variant.run(seed)
  const { violations, lines } = broken
  print(lines)
  if (sound !== undefined)
    console.log(`beside it      a sound service: violations ${sound.violations.length}`)
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
