/**
 * Command line of `npm run faults`.
 *
 * @module
 */

import { Command, Option } from 'commander'
import { BROKEN_VARIANTS } from '../../tests/faults/broken/variants.ts'
import { parseCommand, wholeNumber } from '../parse_command.ts'

const DEFAULT_SECONDS = 180
/** A day: more is a mistake in the unit. None at all would show nothing. */
const MAX_SECONDS = 86_400
/** Choices come from 31 bits. */
const MAX_SEED = 2 ** 31 - 1

/** What to run. */
export interface FaultsOptions {
  readonly seconds: number
  /** Absent: another one every time. */
  readonly seed?: number
  readonly grpc: boolean
  readonly losses: boolean
  /** Name of the broken variant to run instead. */
  readonly breaks?: string
}

/** @returns A number when the command is done already (help, usage error): the exit code. */
export function parseFaultsArguments(argv: readonly string[]): FaultsOptions | number {
  const program = new Command('npm run faults --')
    .description(
      'Lets faults strike at a whole installation on loopback (three etcd members, two ingests, two listening services), and checks ' +
        'what it promised. Exit code: 0 when every promise held, 1 when one did not, 2 for wrong usage.',
    )
    .option('--seconds <n>', 'how long faults strike', wholeNumber(1, MAX_SECONDS), DEFAULT_SECONDS)
    .option('--seed <s>', 'choices of this seed; default: another one every time', wholeNumber(0, MAX_SEED))
    .option('--grpc', 'services reach etcd over gRPC instead of its JSON gateway', false)
    .option('--losses', 'measure what the loss of one member of three costs, too', false)
    .addOption(
      new Option(
        '--break [name]',
        'try a system with this one mistake instead, which the checker must find (exit code 1); without a name: list them',
      ).conflicts(['seconds', 'grpc', 'losses']),
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
