/**
 * The command line of `npm run faults`.
 *
 * @module
 */

import { Command, Option } from 'commander'
import { BROKEN_VARIANTS } from '../../tests/faults/broken/variants.ts'
import { parseCommand, wholeNumber } from '../parse_command.ts'

const DEFAULT_SECONDS = 180
const DEFAULT_ROUNDS = 1
/** Each takes about a minute: more is a mistake. */
const MAX_ROUNDS = 1_000
/** A day. A longer time is a mistake in the unit. */
const MAX_SECONDS = 86_400
/** Largest seed: the random choices come from 31 bits. */
const MAX_SEED = 2 ** 31 - 1

/** The parsed command line. */
export interface FaultsOptions {
  readonly seconds: number
  /** How often each kind of loss strikes at etcd and at the embedded store. */
  readonly rounds: number
  /** Absent: a different seed for every run. */
  readonly seed?: number
  readonly grpc: boolean
  readonly losses: boolean
  /** Name of the broken variant to run instead. */
  readonly breaks?: string
}

/** @returns the options, or the exit code when nothing is left to do (help, usage error) */
export function parseFaultsArguments(argv: readonly string[]): FaultsOptions | number {
  const program = new Command('npm run faults --')
    .description(
      'Injects faults into a whole installation on loopback (three etcd members, two ingests, two listening services) and into a server with the ' +
        'embedded store, and checks their promises. Exit code: 0 when every promise held, 1 when one did not, 2 for wrong usage.',
    )
    .option('--seconds <n>', 'how long faults are injected', wholeNumber(0, MAX_SECONDS), DEFAULT_SECONDS)
    .option(
      '--rounds <n>',
      'how often a store loses what it had acknowledged, in each way',
      wholeNumber(0, MAX_ROUNDS),
      DEFAULT_ROUNDS,
    )
    .option(
      '--seed <s>',
      'repeat the choices of this seed; default: a different seed for every run',
      wholeNumber(0, MAX_SEED),
    )
    .option('--grpc', 'services reach etcd over gRPC instead of its JSON gateway', false)
    .option('--losses', 'also measure what the loss of one member of three costs', false)
    .addOption(
      new Option(
        '--break [name]',
        'instead run a system with this one mistake, which the checker must find (exit code 1); without a name: list the mistakes',
      ).conflicts(['seconds', 'rounds', 'grpc', 'losses']),
    )
    .allowExcessArguments(false)
    .exitOverride()
  const exitCode = parseCommand(program, argv)
  if (exitCode !== undefined) return exitCode
  const { break: breaks, ...options } = program.opts<FaultsOptions & { readonly break?: string | true }>()
  if (breaks === undefined) return options
  if (breaks !== true && Object.hasOwn(BROKEN_VARIANTS, breaks)) return { ...options, breaks }
  const complaint = breaks === true ? 'give the name of a mistake' : `no mistake is called ${breaks}`
  console.error(`error: ${complaint}; known are`)
  for (const [name, { mistake }] of Object.entries(BROKEN_VARIANTS))
    console.error(`  ${name.padEnd(24)}${mistake}`)
  return 2
}
