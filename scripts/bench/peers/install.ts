/**
 * Finds other message systems: in the `PATH`, or in Debian's packages, which it unpacks into `.cache/peers` without root. NATS is built by Go
 * where Go is, because Debian's is too old to sync each write.
 *
 * @module
 */

import { constants, existsSync } from 'node:fs'
import { access, mkdir, readFile, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { unpackPackages } from '../../debian_packages.ts'
import { outputOf } from '../../run_command.ts'

const CACHE = fileURLToPath(new URL('../../../.cache/peers/', import.meta.url))
/** The version that is built. */
const NATS_MODULE = 'github.com/nats-io/nats-server/v2@v2.15.2'

/** Path of the module in its package. */
export const NCHAN_MODULE = 'usr/lib/nginx/modules/ngx_nchan_module.so'

/** An installed program. */
export interface Installed {
  readonly path: string
  /** What the program needs in its environment. */
  readonly environment: Readonly<Record<string, string>>
  /** Folder in which packages are unpacked; absent for a program of the system. */
  readonly folder?: string
}

/** Packages by program: those of the program, and the libraries that a small system lacks. */
const PACKAGES = {
  'redis-server': ['redis-server', 'redis-tools', 'libatomic1', 'libjemalloc2', 'liblzf1', 'liblua5.1-0'],
  mosquitto: ['mosquitto', 'libmosquitto1', 'libcjson1', 'libdlt2', 'libwrap0', 'libwebsockets17', 'libev4'],
  nginx: ['nginx', 'libnginx-mod-nchan', 'libpcre2-8-0'],
} as const

/** Finds or installs a program of Debian. @throws {Error} When it cannot be had. */
export async function findPackaged(program: keyof typeof PACKAGES): Promise<Installed> {
  // A system's nginx rarely has the module, so the packages are taken in any case.
  const found = program === 'nginx' ? undefined : await findInPath(program)
  if (found !== undefined) return { path: found, environment: {} }
  const [name, ...welcome] = PACKAGES[program]
  const needed = program === 'nginx' ? [name, 'libnginx-mod-nchan'] : [name]
  const folder = join(CACHE, program)
  if (!existsSync(folder)) await unpackPackages({ needed, welcome }, folder)
  if (program === 'nginx') await moveTemporaryFiles(folder)
  for (const bin of ['usr/bin', 'usr/sbin']) {
    const path = join(folder, bin, program)
    if (await isExecutable(path)) return { path, environment: libraries(folder), folder }
  }
  throw new Error(`The package ${name} holds no program ${program}`)
}

/** Finds a program that is too much work to install only for this. @throws {Error} When it is not in the `PATH`. */
export async function findInstalled(name: string): Promise<Installed> {
  const path = await findInPath(name)
  if (path === undefined) throw new Error(`${name} is not in the PATH`)
  return { path, environment: {} }
}

/** Finds NATS, or builds it. @throws {Error} When it cannot be had. */
export async function findNats(): Promise<Installed> {
  const folder = join(CACHE, 'nats')
  const built = join(folder, 'nats-server')
  if (await isExecutable(built)) return { path: built, environment: {} }
  const found = await findInPath('nats-server')
  if (found !== undefined) return { path: found, environment: {} }
  if ((await findInPath('go')) === undefined) throw new Error('there is no Go to build it')
  await mkdir(folder, { recursive: true })
  await outputOf('env', [`GOBIN=${folder}`, 'go', 'install', NATS_MODULE], { folder })
  return { path: built, environment: {} }
}

/**
 * Makes nginx keep its temporary files in the folder that it is started in. No option does: the module makes the built-in folder, which is
 * there only if nginx was installed by root.
 */
async function moveTemporaryFiles(folder: string): Promise<void> {
  const builtIn = '/var/lib/nginx/'
  for (const name of ['usr/sbin/nginx', NCHAN_MODULE]) {
    const file = join(folder, name)
    const bytes = await readFile(file, 'latin1')
    if (!bytes.includes(builtIn)) continue
    await writeFile(file, bytes.replaceAll(builtIn, '.'.padEnd(builtIn.length, '/')), 'latin1')
  }
}

/** Where the loader finds unpacked libraries, whatever the architecture. */
function libraries(folder: string): Readonly<Record<string, string>> {
  const triple = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }[process.arch as string] ?? ''
  const folders = ['usr/lib', 'lib'].map((name) => join(folder, name, triple))
  return { LD_LIBRARY_PATH: folders.join(delimiter) }
}

async function findInPath(name: string): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name)
    if (folder !== '' && (await isExecutable(path))) return path
  }
  return undefined
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
