/**
 * The command line of `aviso admin`.
 *
 * @module
 */

import { Option, type Command } from 'commander'
import type { AdminTask, JobFlags } from './admin.ts'
import type { BackupFlags } from './admin_backup.ts'
import type { MigrateFlags } from './admin_migrate.ts'
import type { RestoreFlags } from './admin_restore.ts'
import type { ConfigFlags } from './config.ts'
import type { ServicesFlags } from './services_store.ts'

/** Adds `admin` and its commands. Parsing calls `run` once. */
export function addAdminCommands(
  program: Command,
  withCommonOptions: (command: Command) => Command,
  run: (task: AdminTask, flags: ConfigFlags) => void,
): void {
  const admin = program.command('admin').description('run the jobs of the admin service by hand')
  const command = (name: string, description: string): Command =>
    withCommonOptions(admin.command(name)).description(description)
  const dryRun = (to: Command): Command =>
    to.option('--dry-run', 'print what would be done, and change nothing')
  const trustClock = (to: Command): Command =>
    to.option('--trust-clock', 'trust the clock, and that the time since the last run has really passed')
  const job = (name: 'compact' | 'clean' | 'defragment') => (flags: ConfigFlags & JobFlags) =>
    run({ kind: 'job', job: name, options: flags }, flags)

  command('status', 'print the state of the store, the history and the jobs').action((flags: ConfigFlags) =>
    run({ kind: 'status' }, flags),
  )
  trustClock(dryRun(command('compact', 'compact history that is older than its retention'))).action(
    job('compact'),
  )
  trustClock(dryRun(command('clean', 'delete notifications that are older than their retention')))
    .option('--by-date', 'only their date decides, as in aviso 1.x: recently written ones may be deleted')
    .option('--full', 'look at all keys, not only where old ones are expected')
    .option('--events <names...>', 'event types to clean (default: all)')
    .action(job('clean'))
  dryRun(command('defragment', "free the store's unused disk space, one member after the other")).action(
    job('defragment'),
  )
  confirmed(dryRun(command('wipe', 'delete all notifications of an event type')))
    .argument('[event]', 'event type; leave it out with --all')
    .option('--all', 'all event types')
    .action((event: string | undefined, flags: ConfigFlags & JobFlags & Confirmation, self: Command) => {
      if (event === undefined && flags.all !== true) self.error('error: name an event type, or give --all')
      if (event !== undefined && flags.all === true)
        self.error(
          `error: ${event} and --all contradict one another: leave --all out to wipe ${event} alone, or ${event} to wipe all event types`,
        )
      requireYes(self, flags)
      run({ kind: 'wipe', stream: event, options: { dryRun: flags.dryRun === true } }, flags)
    })
  confirmed(command('delete', 'delete one notification'))
    .argument('<id>', 'event type, @ and number, e.g. mars@42')
    .action((id: string, flags: ConfigFlags & Confirmation, self: Command) => {
      requireYes(self, flags)
      run({ kind: 'delete', id }, flags)
    })
  command('backup', 'copy the store into a file, while the services go on')
    .argument('<file>', 'the file to write; it appears when it is whole')
    .option('--force', 'replace the file where it exists')
    .action((file: string, flags: ConfigFlags & BackupFlags) =>
      run({ kind: 'backup', file, options: flags }, flags),
    )
  withServices(command('restore', 'put a backup in place of the embedded store, while no service runs'))
    .argument('<file>', 'a file of "aviso admin backup"; for a snapshot of etcd the lines to run are printed')
    .option('--data <folder>', 'folder of the embedded store (default: as the services have it)')
    .action((file: string, flags: ConfigFlags & RestoreFlags) =>
      run({ kind: 'restore', file, options: flags }, flags),
    )
  withServices(command('renew-epoch', 'refuse all positions of a store that was restored with its own tools'))
    .option('--store <url>', 'the store, as `serve` takes it (default: as the services have it)')
    .option('--data <folder>', 'folder of the embedded store (default: as the services have it)')
    .action((flags: ConfigFlags & ServicesFlags) => run({ kind: 'renew-epoch', options: flags }, flags))
  withServices(command('migrate', 'copy a store with its history into an empty one, while no service runs'))
    .requiredOption(
      '--from <url>',
      'the store to copy: embedded: | http://host:2379[,…] | grpc://… | gateway://…',
    )
    .requiredOption('--to <url>', 'the empty store')
    .option('--data <folder>', 'folder of the embedded one of both (default: as the services have it)')
    .action((flags: ConfigFlags & MigrateFlags) => run({ kind: 'migrate', options: flags }, flags))
}

/** Options of commands that read the services' configuration. */
function withServices(command: Command): Command {
  return command
    .option('--services-config <file>', "the services' configuration (default: wrangler-like.config.json)")
    .option('--env <name>', "overlay env.<name> of the services' configuration")
}

interface Confirmation {
  readonly yes?: boolean
  readonly all?: boolean
  readonly dryRun?: boolean
}

function confirmed(command: Command): Command {
  return command.addOption(new Option('--yes', 'do it: this cannot be undone'))
}

function requireYes(command: Command, { yes, dryRun }: Confirmation): void {
  if (yes !== true && dryRun !== true) command.error('error: this cannot be undone; add --yes to do it')
}
