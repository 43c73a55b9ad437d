/**
 * The command line of `aviso config`, with the names and flags of pyaviso's `aviso-config`.
 *
 * @module
 */

import type { Command } from 'commander'
import type { ConfigFlags } from './config.ts'
import type { ConfigTask } from './service_config.ts'

/** Adds `config` and its commands. Parsing calls `run` once. */
export function addConfigCommands(
  program: Command,
  withCommonOptions: (command: Command) => Command,
  run: (task: ConfigTask, flags: ConfigFlags) => void,
): void {
  const config = program
    .command('config')
    .description("show the client's settings; manage the configuration files of services in the store")
  withCommonOptions(config.command('show'))
    .description("print the client's settings, and where each comes from")
    .option('--state <folder>', 'folder of the positions, as for listen')
    .action((flags: ConfigFlags) => run({ kind: 'show' }, flags))
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

interface PushFlags {
  readonly dir: string
  readonly message: string
  readonly delete?: boolean
}
