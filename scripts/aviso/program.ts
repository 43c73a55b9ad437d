/**
 * The command line of the client, with the names and flags of pyaviso.
 *
 * @module
 */

import { Command, Option } from 'commander'
import type { AdminTask } from './admin.ts'
import { addAdminCommands } from './admin_program.ts'
import type { ConfigFlags } from './config.ts'
import { addConfigCommands } from './config_program.ts'
import type { ListenFlags } from './listen.ts'
import type { ConfigTask } from './service_config.ts'

/** The parsed command line. */
export type Invocation =
  | {
      readonly command: 'listen'
      readonly files: readonly string[]
      readonly flags: ConfigFlags & ListenFlags
    }
  | { readonly command: 'notify' | 'key' | 'value'; readonly params: string; readonly flags: ConfigFlags }
  | { readonly command: 'admin'; readonly task: AdminTask; readonly flags: ConfigFlags }
  | { readonly command: 'config'; readonly task: ConfigTask; readonly flags: ConfigFlags }

const PARAMS_HELP = 'key=value pairs, e.g. event=flight,country=Italy,airport=FCO,date=20260810,number=AZ203'

/** Makes the program. Parsing an argument list calls `run` once, or throws a `CommanderError`. */
export function createProgram(version: string, run: (invocation: Invocation) => void): Command {
  const program = new Command('aviso')
    .description('Listens to notifications and runs triggers; publishes notifications.')
    .version(`aviso ${version}`, '--version')
    .helpOption('-h, --help')
    .exitOverride()
    // These are 1.x's words, which scripts may look for.
    .configureOutput({
      outputError: (text, write) =>
        write(text.replace(/^error: missing required argument/, 'error: Missing argument')),
    })
  withCommonOptions(program.command('listen'))
    .description('run the triggers of listener files for every notification that matches')
    .argument('[files...]', 'listener files (YAML); without files: the listeners of the configuration')
    .option(
      '--from <date>',
      'replay from this time on: 2026-08-10T12:00:00Z, 2026-08-10, 20260810, -3h, yesterday (UTC)',
    )
    .option('--to <date>', 'replay up to this time, then end')
    .option('--now', 'forget the last position and start with the next notification')
    .option('--catchup', 'start after the last notification of the previous run (default)')
    .addOption(
      new Option(
        '--on-gap <action>',
        'when notifications are no longer kept: stop, or continue with the oldest that are kept',
      )
        .choices(['stop', 'continue'])
        .default('stop'),
    )
    .option('--state <folder>', 'folder of the positions (default: ~/.aviso/state)')
    .action((files: string[], flags: ConfigFlags & ListenFlags) => run({ command: 'listen', files, flags }))
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
  addConfigCommands(program, withCommonOptions, (task, flags) => run({ command: 'config', task, flags }))
  addAdminCommands(program, withCommonOptions, (task, flags) => run({ command: 'admin', task, flags }))
  return program
}

function withCommonOptions(command: Command): Command {
  return command
    .option('-c, --config <file>', 'configuration file')
    .option('-l, --log <file>', 'also write messages to this file')
    .option('-d, --debug', 'print more messages')
    .option('-q, --quiet', 'print only errors')
    .option('--no-fail', 'exit with 0 whatever happens')
    .option('-u, --username <name>', 'user name')
    .option('-k, --key <file>', 'file that holds the key')
    .option('-H, --host <host>', 'host of the service')
    .option('-P, --port <port>', 'port of the service')
    .addOption(new Option('--test', 'not supported').hideHelp())
    .on('option:test', () =>
      command.error(
        'error: --test is not supported: run your own service instead with npm start -- --store embedded:memory',
      ),
    )
}
