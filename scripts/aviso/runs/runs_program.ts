/**
 * The command lines of `aviso runs` and `aviso wait`.
 *
 * @module
 */

import { InvalidArgumentError, Option, type Command } from 'commander'
import { wholeNumber } from '../../parse_command.ts'
import type { ConfigFlags } from '../config.ts'
import { RUN_STATES, type RunState } from './run_states.ts'
import type { RunsFlags } from './runs.ts'
import type { WaitFlags } from './wait.ts'

/** What the command line asks for. */
export type RunTask =
  | { readonly kind: 'show'; readonly words: readonly string[]; readonly options: RunsFlags }
  | { readonly kind: 'wait'; readonly words: readonly string[]; readonly options: WaitFlags }

/** More runs than a person reads; programs page through the service. */
const MAX_RUNS = 1000

const EVENT_HELP = 'event type, such as mars; or the id of a run'
const FIELDS_HELP = 'fields and their values, such as class=od stream=oper date=today time=12'

/** Adds both commands. Parsing calls `run` once. */
export function addRunCommands(
  program: Command,
  withCommonOptions: (command: Command) => Command,
  run: (task: RunTask, flags: ConfigFlags) => void,
): void {
  withCommonOptions(program.command('runs'))
    .description('show forecast runs: how complete they are, when they are due, what is missing')
    .argument('[EVENT]', `${EVENT_HELP}; without it: all runs`)
    .argument('[FIELD=VALUE...]', FIELDS_HELP)
    .addOption(stateOption())
    .option(
      '--limit <number>',
      'most runs (default: 20; 200 for --watch in a pipe)',
      wholeNumber(1, MAX_RUNS),
    )
    .option('--watch', 'go on: redraw a terminal, print changes as lines elsewhere')
    .action((event: string | undefined, fields: string[], { state, ...flags }: RunsOptions) => {
      const words = event === undefined ? [] : [event, ...fields]
      // Of listen, the option of this name is a setting of the client: the folder of the positions.
      run({ kind: 'show', words, options: { ...flags, ...(state !== undefined && { state }) } }, flags)
    })
  withCommonOptions(program.command('wait'))
    .description(
      'wait for a run; exit code 0: it is that far, 1: it is late, incomplete, or the time is over',
    )
    .argument('<EVENT>', EVENT_HELP)
    .argument('[FIELD=VALUE...]', FIELDS_HELP)
    .option('--until <goal>', 'complete, a share such as 80%, or a product such as step=240', 'complete')
    .option('--timeout <time>', 'longest wait, such as 90s, 45m, 3h (default: no limit)')
    .addOption(
      new Option('--late <action>', 'when the run is late: fail at once, or wait on')
        .choices(['fail', 'wait'])
        .default('fail'),
    )
    .action((event: string, fields: string[], flags: ConfigFlags & WaitFlags) =>
      run({ kind: 'wait', words: [event, ...fields], options: flags }, flags),
    )
}

type RunsOptions = Omit<ConfigFlags, 'state'> & RunsFlags

/** `--state late,incomplete`, also repeated. */
function stateOption(): Option {
  return new Option('--state <states>', 'only runs in these states, with commas between')
    .choices(RUN_STATES)
    .argParser((text: string, before: readonly RunState[] | undefined) => [
      ...(before ?? []),
      ...text.split(',').map(readState),
    ])
}

function readState(text: string): RunState {
  const state = RUN_STATES.find((known) => known === text)
  if (state !== undefined) return state
  throw new InvalidArgumentError(`Allowed are ${RUN_STATES.join(', ')}.`)
}
