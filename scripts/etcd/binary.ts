/**
 * Finds the etcd binary: in `AVISO_ETCD`, in the `PATH`, or in Debian's packages, which it unpacks into `.cache/etcd` without root.
 *
 * @module
 */

import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import process from 'node:process'
import { unpackPackages } from '../debian_packages.ts'
import { cacheFolder } from '../released.ts'
import { outputOf } from '../run_command.ts'

/** Folder of the unpacked packages. */
const UNPACKED = join(cacheFolder(), 'etcd')

/**
 * The path of an etcd binary. The first call on a machine may download it.
 *
 * @throws {Error} When there is no etcd and it cannot be downloaded; the message says what to do.
 */
export async function findEtcd(): Promise<string> {
  const named = process.env['AVISO_ETCD']
  if (named !== undefined && named !== '') {
    if (await isExecutable(named)) return named
    throw new Error(`AVISO_ETCD names ${named}, which is not an executable file`)
  }
  const found = (await findInPath('etcd')) ?? (await findUnpacked('etcd'))
  if (found !== undefined) return found
  await download()
  const unpacked = await findUnpacked('etcd')
  if (unpacked !== undefined) return unpacked
  throw new Error('The package etcd-server holds no etcd binary: install etcd, or name one in AVISO_ETCD')
}

/** The path of etcdctl in the `PATH` or beside the unpacked etcd; `undefined` when there is none. */
export async function findEtcdctl(): Promise<string | undefined> {
  return (await findInPath('etcdctl')) ?? (await findUnpacked('etcdctl'))
}

/** The path of etcdutl (etcd 3.5 and later) beside the etcd that `AVISO_ETCD` names, or in the `PATH`; `undefined` when there is none. */
export async function findEtcdutl(): Promise<string | undefined> {
  const named = process.env['AVISO_ETCD']
  if (named === undefined || named === '') return findInPath('etcdutl')
  const beside = join(dirname(named), 'etcdutl')
  return (await isExecutable(beside)) ? beside : undefined
}

/** The version of an etcd binary, such as `3.4.23`. */
export async function etcdVersion(binary: string): Promise<string> {
  const output = await outputOf(binary, ['--version'])
  const version = /etcd Version: (\S+)/.exec(output)?.[1]
  if (version === undefined) throw new Error(`${binary} is not etcd`)
  return version
}

async function findInPath(name: string): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name)
    if (folder !== '' && (await isExecutable(path))) return path
  }
  return undefined
}

async function findUnpacked(name: string): Promise<string | undefined> {
  const path = join(UNPACKED, 'usr', 'bin', name)
  return (await isExecutable(path)) ? path : undefined
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}

async function download(): Promise<void> {
  try {
    // The package etcd-client is only for the convenience of developers, so it may be missing.
    await unpackPackages({ needed: ['etcd-server'], welcome: ['etcd-client'] }, UNPACKED)
  } catch (cause) {
    throw new Error(
      'There is no etcd on this machine, and apt-get cannot download it: install etcd (3.4 or newer), or name its binary in AVISO_ETCD',
      { cause },
    )
  }
}
