/**
 * `npm run faults -- [--minutes N] [--seed S] [--grpc] [--losses]`: the chaos run of the tests, for longer.
 *
 * Starts three etcd members, two ingests and two listening services on loopback, lets faults strike, and has the history checked. Prints every fault, a summary
 * and every violation with the seed; exit 1 when there is one.
 *
 * @module
 */

import process from 'node:process'
import { Command, InvalidArgumentError } from 'commander'
import { runChaos } from '../tests/faults/chaos.ts'
import { measureMemberLoss } from '../tests/faults/member_loss.ts'
import { summarise, summariseLosses } from '../tests/faults/summary.ts'

/** Memory holds the record of one run; a longer time is made of several. */
const MINUTES_PER_RUN = 5
const SEEDS = 2 ** 31

interface Options {
  readonly minutes: number
  readonly seed?: number
  readonly grpc: boolean
  readonly losses: boolean
}

/** @returns Exit code. */
async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('npm run faults --')
    .description('Lets faults strike at a whole installation on loopback, and checks what it promised.')
    .option('--minutes <n>', 'how long faults strike', parseNumber, 3)
    .option('--seed <s>', 'choices of this seed; default: another one every time', parseNumber)
    .option('--grpc', 'services reach etcd over gRPC instead of its JSON gateway', false)
    .option('--losses', 'measure what the loss of one member of three costs, too', false)
  program.parse([...argv], { from: 'user' })
  const { minutes, seed = Math.floor(Math.random() * SEEDS), grpc, losses } = program.opts<Options>()
  let violations = 0
  for (let done = 0; done < minutes; done += MINUTES_PER_RUN) {
    const runSeed = (seed + done) % SEEDS
    console.log(`\nseed ${runSeed}`)
    const startedAt = performance.now()
    const seconds = (at: number): string => ((at - startedAt) / 1_000).toFixed(1).padStart(7)
    const report = await runChaos({
      seed: runSeed,
      adapter: grpc ? 'grpc' : 'http',
      ms: Math.min(MINUTES_PER_RUN, minutes - done) * 60_000,
      onFault: ({ kind, target, from, until }) =>
        console.log(
          `${seconds(from)} s  ${((until - from) / 1_000).toFixed(1).padStart(5)} s  ${kind}: ${target}`,
        ),
    })
    console.log()
    for (const line of summarise(report)) console.log(line)
    violations += report.violations.length
  }
  if (losses) {
    const report = await measureMemberLoss(seed)
    console.log()
    for (const line of summariseLosses(report)) console.log(line)
    violations += report.violations.length
  }
  return violations === 0 ? 0 : 1
}

function parseNumber(text: string): number {
  const number = Number(text)
  if (text.trim() !== '' && Number.isFinite(number) && number >= 0) return number
  throw new InvalidArgumentError('Give a number.')
}

if (import.meta.main) {
  // What was started ends with this process.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      console.error(`\n${signal}: stopped`)
      process.exit(1)
    })
  }
  process.exitCode = await main(process.argv.slice(2))
}
