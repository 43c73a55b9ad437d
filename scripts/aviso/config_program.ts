/**
 * The command line of `aviso config`, with the names and flags of pyaviso's `aviso-config`.
 *
 * @module
 */

import type { Command } from 'commander'
import type { ConfigFlags } from './config.ts'
import type { CheckTask } from './config_check.ts'
import type { ExplainFlags, ExplainTask } from './explain_access.ts'
import type { ImportTask } from './import_config.ts'
import type { ConfigTask } from './service_config.ts'

/** The services' configuration, in the working folder. */
const DEFAULT_OUTPUT = 'wrangler-like.config.json'

/** What the commands do. */
export interface ConfigRuns {
  readonly manage: (task: ConfigTask, flags: ConfigFlags) => void
  readonly explain: (task: ExplainTask, flags: ConfigFlags) => void
  readonly takeOver: (task: ImportTask, flags: ConfigFlags) => void
  readonly check: (task: CheckTask, flags: ConfigFlags) => void
}

/** Adds `config` and its commands. Parsing calls one of the functions once. */
export function addConfigCommands(
  program: Command,
  withCommonOptions: (command: Command) => Command,
  { manage: run, explain, takeOver, check }: ConfigRuns,
): void {
  const config = program
    .command('config')
    .description(
      "show the client's settings; say what users may do; manage the configuration files of services in the store",
    )
  withCommonOptions(config.command('show'))
    .description("print the client's settings, and where each comes from")
    .option('--state <folder>', 'folder of the positions, as for listen')
    .action((flags: ConfigFlags) => run({ kind: 'show' }, flags))
  withCommonOptions(config.command('check'))
    .description(
      "print what counts of the services' configuration, where each value comes from, and all that is wrong (exit code 2)",
    )
    .argument(
      '[file]',
      "the services' configuration, also as --config FILE (default: wrangler-like.config.json)",
    )
    .option('--env <name>', 'overlay env.<name> of it')
    .action((file: string | undefined, { env, ...given }: CheckFlags, self: Command) => {
      // Launchers spell it --config. As the client's own configuration it would be of no use here.
      const { config: named, ...flags } = given
      if (file !== undefined && named !== undefined)
        self.error(`error: two configurations are named, ${file} and ${named}: name one`)
      check({ file: file ?? named, env }, flags)
    })
  addExplainCommand(withCommonOptions(config.command('explain-access')), explain)
  withCommonOptions(config.command('import'))
    .description(
      "write the services' configuration from that of aviso-server 2.x, and say what has no counterpart",
    )
    .argument(
      '[files...]',
      'its files (YAML or JSON), each over the one before; without files: where aviso-server 2.x looks for them. AVISOSERVER_* variables stand over all',
    )
    .option(
      '-o, --output <file>',
      'file to write; notification_schema.json is written beside it',
      DEFAULT_OUTPUT,
    )
    .action((files: string[], { output, ...flags }: ConfigFlags & { readonly output: string }) =>
      takeOver({ files, output }, flags),
    )
  const command = (name: string, description: string): Command =>
    withCommonOptions(config.command(name))
      .description(description)
      .argument('<SERVICE>', 'name of a service, e.g. aviso/v1')

  command('push', 'write all files of a folder to the store')
    .requiredOption('-D, --dir <folder>', 'folder of the files')
    .requiredOption('-m, --message <text>', 'message about this push')
    .option('--delete', 'also delete files in the store that are not in the folder')
    .action((service: string, { dir, message, ...flags }: ConfigFlags & PushFlags) =>
      run({ kind: 'push', service, folder: dir, message, deleteOthers: flags.delete === true }, flags),
    )
  command('pull', 'write all files of a service to a folder')
    .option('-D, --dir <folder>', 'folder of the files (default: the current folder)')
    .option('--delete', 'also delete files in the folder that are not in the store')
    .action((service: string, { dir, ...flags }: ConfigFlags & Partial<PushFlags>, self: Command) => {
      const deleteOthers = flags.delete === true
      // 1.x empties the current folder, whichever that is.
      if (deleteOthers && dir === undefined)
        self.error('error: --delete needs --dir with the folder of the files')
      run({ kind: 'pull', service, folder: dir ?? '.', deleteOthers }, flags)
    })
  command('remove', 'remove a service and its files from the store')
    .option('-f, --doit', 'remove the files; without this flag they are only listed')
    .action((service: string, { doit, ...flags }: ConfigFlags & { readonly doit?: boolean }) =>
      run({ kind: 'remove', service, doIt: doit === true }, flags),
    )
  command('revert', 'restore the files from before the last change').action(
    (service: string, flags: ConfigFlags) => run({ kind: 'revert', service }, flags),
  )
  command('status', 'print who changed the files last, and when').action(
    (service: string, flags: ConfigFlags) => run({ kind: 'status', service }, flags),
  )
}

function addExplainCommand(command: Command, explain: ConfigRuns['explain']): void {
  const several = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]
  command
    .description(
      "say what a user may do, and by which part of the services' configuration; with a question: yes (exit code 0) or no (1)",
    )
    .argument(
      '[words...]',
      'USER, then perhaps a question: listen EVENT [FIELD=VALUE…], publish EVENT [FIELD=VALUE…], administer, relay',
    )
    .option('--anonymous', 'no user: a request without an identity')
    .option('--realm <name>', 'realm of the user (default: the only one that there is)')
    .option('--role <name>', 'a role of the user; may be repeated (default: those of its token)', several)
    .option('--claim <name=value>', 'a claim of the user; may be repeated', several)
    .option('--destinations <names>', 'destinations that ECPDS lists for the user, such as FOO,BAR')
    .option(
      '--services-config <file>',
      "the services' configuration, also as --config FILE (default: wrangler-like.config.json)",
    )
    .option('--env <name>', "overlay env.<name> of the services' configuration")
    .action((words: string[], options: ConfigFlags & ExplainFlags) => {
      if (options.servicesConfig !== undefined || options.config === undefined)
        return explain({ words, options }, options)
      const { config: servicesConfig, ...flags } = options
      explain({ words, options: { ...flags, servicesConfig } }, flags)
    })
}

type CheckFlags = ConfigFlags & { readonly env?: string }

interface PushFlags {
  readonly dir: string
  readonly message: string
  readonly delete?: boolean
}
