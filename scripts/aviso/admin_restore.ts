/**
 * The command `aviso admin restore`: puts a backup in place of the embedded store, or says what to run for a snapshot of etcd.
 *
 * @module
 */

import { readdir, rmdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { restoreEmbedded } from '#shared/store/open/restore.ts'
import { CALL } from '../released.ts'
import { examineBackup } from './backup_file.ts'
import type { CommandContext } from './context.ts'
import { printAnswer } from './answer.ts'
import { percent } from './figures.ts'
import { dataFolderOf, explained, plainParts, type ServicesFlags } from './services_store.ts'

/** Flags of the command. */
export type RestoreFlags = Pick<ServicesFlags, 'data' | 'servicesConfig' | 'env'>

/** @throws {ClientError} where the file or the folder cannot be used; what was there is then as it was. */
export async function restore(file: string, flags: RestoreFlags, context: CommandContext): Promise<void> {
  const { output } = context
  if ((await examineBackup(file)) === 'etcd') {
    const text = etcdLines(resolve(file))
    return printAnswer({ text, json: { restored: false, lines: text.split('\n') } }, context)
  }
  const { copied, revision, aside, dataFolder } = await explained(async () => {
    const folder = await dataFolderOf(flags)
    const parts = await plainParts(folder, output)
    const onProgress = (share: number): void => output.status(`checking${percent(share, 1)}`)
    return { ...(await restoreEmbedded(file, { ...parts, onProgress })), dataFolder: folder }
  })
  output.clearStatus()
  const kept = resolve(dataFolder, aside)
  const wasThere = (await readdir(kept).catch(() => [])).length > 0
  // It was made before anything was found to go there.
  if (!wasThere) await rmdir(kept).catch(() => undefined)
  const text = [
    `Restored revision ${copied} into ${resolve(dataFolder)}, with a new epoch at revision ${revision}.`,
    ...(wasThere ? [`What was there is in ${kept}: remove it when it is no longer needed.`] : []),
    'Start the services. Listeners that saw more than the backup holds are told that their positions are gone.',
  ].join('\n')
  const json = {
    restored: true,
    copied_revision: String(copied),
    revision: String(revision),
    ...(wasThere && { aside: kept }),
  }
  printAnswer({ text, json }, context)
}

/** What an operator runs to restore a snapshot of etcd. */
function etcdLines(file: string): string {
  const own =
    '--name NAME --initial-advertise-peer-urls PEER_URL --initial-cluster NAME=PEER_URL,… --initial-cluster-token restored-1 --data-dir NEW_FOLDER'
  const bump = '--bump-revision 1000000000 --mark-compacted'
  return [
    `${file} is a snapshot of etcd, and whole. Nothing was done: etcd's own tools restore it.`,
    'Stop the services and all members. Then run one of these for each member, with its own NAME and PEER_URL:',
    '',
    'etcd 3.5 and later:',
    `  etcdutl snapshot restore ${quoted(file)} ${own} ${bump}`,
    'etcd 3.4 (before 3.4.27 without the two last flags, which it does not know):',
    `  ETCDCTL_API=3 etcdctl snapshot restore ${quoted(file)} ${own} ${bump}`,
    'With the two last flags nothing from before the restore is replayed. Without them, clients of 1.x that keep a revision miss what is published until revisions pass it.',
    '',
    'Start all members on their new folders. Before any service is started, run:',
    `  ${CALL} admin renew-epoch --store http://HOST:2379`,
  ].join('\n')
}

function quoted(path: string): string {
  return /^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`
}
