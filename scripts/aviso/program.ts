/**
 * The command line of the client, with the names and flags of pyaviso.
 *
 * @module
 */

import { Argument, Command, Option } from 'commander'
import type { AdminTask } from './admin.ts'
import { addAdminCommands } from './admin_program.ts'
import type { ConfigFlags } from './config.ts'
import type { CheckTask } from './config_check.ts'
import { addConfigCommands } from './config_program.ts'
import type { ExplainFlags } from './explain.ts'
import type { ExplainTask } from './explain_access.ts'
import type { ListenFlags } from './listen.ts'
import type { ReplayFlags } from './replay.ts'
import { SHELLS, type Shell } from './completion.ts'
import { addRunCommands, type RunTask } from './runs/runs_program.ts'
import type { ImportTask } from './import_config.ts'
import type { ConfigTask } from './service_config.ts'
import { SERVE_CALL } from '../released.ts'
import { EXIT_CLIENT_ERROR, EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_USAGE } from '#shared/client/client_error.ts'

/** The parsed command line. */
export type Invocation =
  | {
      readonly command: 'listen'
      readonly words: readonly string[]
      readonly flags: ConfigFlags & ListenFlags
    }
  | {
      readonly command: 'replay'
      readonly words: readonly string[]
      readonly flags: ConfigFlags & ReplayFlags
    }
  | {
      readonly command: 'explain'
      readonly words: readonly string[]
      readonly flags: ConfigFlags & ExplainFlags
    }
  | { readonly command: 'schema'; readonly event: string | undefined; readonly flags: ConfigFlags }
  | { readonly command: 'completion'; readonly shell: Shell; readonly flags: ConfigFlags }
  | { readonly command: 'notify' | 'key' | 'value'; readonly params: string; readonly flags: ConfigFlags }
  | { readonly command: 'admin'; readonly task: AdminTask; readonly flags: ConfigFlags }
  | { readonly command: 'config'; readonly task: ConfigTask; readonly flags: ConfigFlags }
  | { readonly command: 'import-config'; readonly task: ImportTask; readonly flags: ConfigFlags }
  | { readonly command: 'explain-access'; readonly task: ExplainTask; readonly flags: ConfigFlags }
  | { readonly command: 'check-config'; readonly task: CheckTask; readonly flags: ConfigFlags }
  | { readonly command: 'runs'; readonly task: RunTask; readonly flags: ConfigFlags }

const PARAMS_HELP = 'key=value pairs, e.g. event=flight,country=Italy,airport=FCO,date=20260810,number=AZ203'

/** Makes the program. Parsing an argument list calls `run` once, or throws a `CommanderError`. */
export function createProgram(version: string, run: (invocation: Invocation) => void): Command {
  const program = new Command('aviso')
    .description('Listens to notifications and runs triggers; publishes notifications.')
    .version(`aviso ${version}`, '--version')
    .helpOption('-h, --help')
    .exitOverride()
    .addHelpText('afterAll', exitCodesHelp())
    // These are 1.x's words, which scripts may look for.
    .configureOutput({
      outputError: (text, write) =>
        write(text.replace(/^error: missing required argument/, 'error: Missing argument')),
    })
  addListenCommands(program, run)
  addRunCommands(program, withCommonOptions, (task, flags) => run({ command: 'runs', task, flags }))
  for (const [command, description] of [
    ['notify', 'publish a notification'],
    ['key', 'print the store key of a notification'],
    ['value', 'print what is stored for a notification'],
  ] as const) {
    withCommonOptions(program.command(command))
      .description(description)
      .argument('<PARAMS>', PARAMS_HELP)
      .action((params: string, flags: ConfigFlags) => run({ command, params, flags }))
  }
  withCommonOptions(program.command('schema'))
    .description('print the event types of the service, or the fields of one')
    .argument('[event]', 'event type; without it: all of them')
    .action((event: string | undefined, flags: ConfigFlags) => run({ command: 'schema', event, flags }))
  withCommonOptions(program.command('completion'))
    .description('print the lines that make a shell complete commands and flags')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .action((shell: Shell, flags: ConfigFlags) => run({ command: 'completion', shell, flags }))
  addConfigCommands(program, withCommonOptions, {
    manage: (task, flags) => run({ command: 'config', task, flags }),
    explain: (task, flags) => run({ command: 'explain-access', task, flags }),
    check: (task, flags) => run({ command: 'check-config', task, flags }),
    takeOver: (task, flags) => run({ command: 'import-config', task, flags }),
  })
  addAdminCommands(program, withCommonOptions, (task, flags) => run({ command: 'admin', task, flags }))
  return program
}

function addListenCommands(program: Command, run: (invocation: Invocation) => void): void {
  const eventOption = ['--event <type>', 'print notifications of this event type; no file is needed'] as const
  const fieldsHelp = 'with --event: fields and their values, such as country=Italy airport=FCO,MXP'
  withCommonOptions(program.command('listen'))
    .description('run the triggers of listener files for every notification that matches')
    .argument(
      '[words...]',
      `listener files (YAML); without files: the listeners of the configuration; ${fieldsHelp}`,
    )
    .option(...eventOption)
    .option(
      '--from <date>',
      'replay from this time on: 2026-08-10T12:00:00Z, 2026-08-10, 20260810, -3h, yesterday (UTC)',
    )
    .option('--to <date>', 'replay up to this time, then end')
    .option('--now', 'forget the last position and start with the next notification')
    .option(
      '--catchup',
      'start after the last notification of the previous run (default, but not with --event)',
    )
    .addOption(onGapOption().default('stop'))
    .option('--state <folder>', 'folder of the positions (default: ~/.aviso/state)')
    .option('--dry-run', 'print what triggers would do, run none of them, and leave the position alone')
    .action((words: string[], flags: ConfigFlags & ListenFlags) => run({ command: 'listen', words, flags }))
  withCommonOptions(program.command('replay'))
    .description('do the same for notifications of the past, then end; no position is used')
    .argument('[words...]', `listener files (YAML); ${fieldsHelp}`)
    .option(...eventOption)
    .option('--from <date>', 'start at this time (default: with the oldest that is kept)')
    .option('--to <date>', 'end at this time (default: now)')
    .addOption(onGapOption().default('stop'))
    .option('--dry-run', 'print what triggers would do, and run none of them')
    .action((words: string[], flags: ConfigFlags & ReplayFlags) => run({ command: 'replay', words, flags }))
  withCommonOptions(program.command('explain'))
    .description(
      'say what the listeners of files would have got, what excluded the rest, and what their triggers would do',
    )
    .argument('[files...]', 'listener files (YAML); without files: the listeners of the configuration')
    .option('--from <date>', 'start at this time (default: 24 hours ago)')
    .option('--to <date>', 'end at this time (default: now)')
    .action((words: string[], flags: ConfigFlags & ExplainFlags) => run({ command: 'explain', words, flags }))
}

function onGapOption(): Option {
  return new Option(
    '--on-gap <action>',
    'when notifications are no longer kept: stop, or continue with the oldest that are kept',
  ).choices(['stop', 'continue'])
}

/** What the exit codes of every command mean. */
export const CLIENT_EXIT_CODES: readonly (readonly [code: string, meaning: string])[] = [
  ['0', 'done, stopped by a signal, or --no-fail was given'],
  [
    String(EXIT_FAILURE),
    'a failure, such as that of a trigger; value: nothing is stored; explain-access: no; wait: late, incomplete, or the time is over',
  ],
  [String(EXIT_USAGE), "the command line is wrong; config check: the services' configuration is"],
  [String(EXIT_INTERRUPTED), 'ended by a second signal, without waiting; wait: by a signal'],
  [String(EXIT_CLIENT_ERROR), 'an error that the client explains: a refusal, a wrong file, as in 1.x'],
]

function exitCodesHelp(): string {
  const lines = CLIENT_EXIT_CODES.map(([exitCode, meaning]) => `  ${exitCode.padEnd(4)} ${meaning}`)
  return `\nExit codes:\n${lines.join('\n')}`
}

function withCommonOptions(command: Command): Command {
  return command
    .option('-c, --config <file>', 'configuration file')
    .option('-l, --log <file>', 'also write messages to this file')
    .option('-d, --debug', 'print more messages')
    .option('-q, --quiet', 'print only results and errors')
    .option('--json', 'print results as JSON')
    .option('--no-fail', 'exit with 0 whatever happens')
    .option('-u, --username <name>', 'user name')
    .option('-k, --key <file>', 'file that holds the key')
    .option('--token-file <file>', 'file that holds a token, which is sent as it is')
    .option('--ca-file <file>', 'certificate authorities that are trusted, too (PEM)')
    .option('-H, --host <host>', 'host of the service')
    .option('-P, --port <port>', 'port of the service')
    .addOption(new Option('--test', 'not supported').hideHelp())
    .on('option:test', () =>
      command.error(
        `error: --test is not supported: run your own service instead with ${SERVE_CALL} --store embedded:memory`,
      ),
    )
}
