/**
 * A clone of the repository as a stranger has it, and a stranger's `PATH`, with an etcd on it or without.
 *
 * @module
 */

import { cp, mkdir, mkdtemp, readdir, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { findEtcd } from '../../scripts/etcd/binary.ts'
import { outputOf } from '../../scripts/run_command.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const ETCD_PROGRAMS = ['etcd', 'etcdctl', 'etcdutl']

/** A folder that is removed at the end. */
export interface FreshClone {
  readonly folder: string
  close(): Promise<void>
}

/** What a clone would have if everything here were committed: no `node_modules`, no `.cache`. */
export async function freshClone(): Promise<FreshClone> {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-clone-'))
  const list = await outputOf('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    folder: ROOT,
  })
  for (const path of list.split('\0').filter((name) => name !== '')) {
    // A file that was removed and not committed is still in the list.
    if (!(await exists(join(ROOT, path)))) continue
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await cp(join(ROOT, path), join(folder, path))
  }
  return { folder, close: () => rm(folder, { recursive: true, force: true }) }
}

/**
 * The `PATH` without what this repository has installed.
 *
 * @param etcd Whether programs find an etcd on it.
 * @param folder An empty folder for links.
 */
export async function strangersPath(etcd: boolean, folder: string): Promise<string> {
  const folders = (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((path) => path !== '' && !path.startsWith(join(ROOT, 'node_modules')))
  if (etcd) {
    const binary = await findEtcd()
    await mkdir(folder, { recursive: true })
    await symlink(binary, join(folder, 'etcd'))
    return [...folders, folder].join(delimiter)
  }
  const shown = await Promise.all(
    folders.map((path, index) => withoutEtcd(path, join(folder, String(index)))),
  )
  return shown.join(delimiter)
}

/** A folder with everything but etcd: itself where there is none. */
async function withoutEtcd(path: string, links: string): Promise<string> {
  const names = await readdir(path).catch(() => [])
  if (!names.some((name) => ETCD_PROGRAMS.includes(name))) return path
  await mkdir(links, { recursive: true })
  const others = names.filter((name) => !ETCD_PROGRAMS.includes(name))
  await Promise.all(others.map((name) => symlink(join(path, name), join(links, name))))
  return links
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
