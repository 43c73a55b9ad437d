/**
 * A release as its users have it: made once, installed by npm into a folder of its own, run without anything of this repository.
 *
 * @module
 */

import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import packageFile from '../../package.json' with { type: 'json' }
import { outputOf } from '../../scripts/run_command.ts'
import { strangersPath } from '../support/fresh_clone.ts'
import type { OldNode } from '../support/old_node.ts'
import type { Site } from '../docs/run_document.ts'

/** The repository's top folder. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** What scripts use beside `aviso`. */
const PROGRAMS = ['sh', 'cat', 'echo', 'test', 'kill']

/** A folder with all that these tests make. */
export interface Workplace {
  readonly folder: string
  close(): Promise<void>
}

/** A program that is ready to be run by a stranger. */
export interface Installed {
  /** What its user's terminal has: `aviso` on the `PATH`, a home, a working folder. */
  readonly site: Site
}

/** An npm package that is installed. */
export interface InstalledPackage extends Installed {
  readonly packageFolder: string
}

/** Makes the folder, which is removed at the end. */
export async function openWorkplace(): Promise<Workplace> {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-release-'))
  return { folder, close: () => rm(folder, { recursive: true, force: true }) }
}

/** Runs the command `npm run release` without npm. @returns the folder of the release */
export async function makeRelease({ folder }: Workplace, parts: readonly string[]): Promise<string> {
  const out = join(folder, 'dist')
  await outputOf(process.execPath, [join(ROOT, 'scripts/release.ts'), ...parts, '--out', out])
  return out
}

/**
 * Installs the tarball with the README's own command.
 *
 * @param release Folder of the release.
 * @param node The Node that the user has, which also runs npm.
 */
export async function install(
  { folder }: Workplace,
  release: string,
  node: OldNode,
): Promise<InstalledPackage> {
  const own = join(folder, `node-${node.version}`)
  const prefix = join(own, 'prefix')
  const others = await strangersPath(false, join(own, 'bin'))
  const site = await strangersSite(own, [join(prefix, 'bin'), join(own, 'node'), others].join(delimiter))
  await mkdir(join(own, 'node'))
  await symlink(node.binary, join(own, 'node', 'node'))
  const command = await installCommand()
  const cache = await outputOf('npm', ['config', 'get', 'cache'])
  await outputOf('sh', ['-c', command], {
    folder: release,
    environment: {
      PATH: site.environment['PATH'] ?? '',
      npm_config_prefix: prefix,
      npm_config_cache: cache.trim(),
      // Nothing is fetched that this machine has had before.
      npm_config_prefer_offline: 'true',
      npm_config_userconfig: process.env['npm_config_userconfig'] ?? join(homedir(), '.npmrc'),
    },
  })
  return { site, packageFolder: join(prefix, 'lib', 'node_modules', packageFile.name) }
}

/** A user with the executable, and with no Node at all. */
export async function placeExecutable(
  { folder }: Workplace,
  file: string,
  name = 'executable',
): Promise<Installed> {
  const own = join(folder, name)
  const programs = join(own, 'programs')
  const site = await strangersSite(own, programs)
  await mkdir(programs)
  await symlink(file, join(programs, 'aviso'))
  for (const name of PROGRAMS) await symlink(join('/usr/bin', name), join(programs, name))
  return { site }
}

/** A user with a clone, who has given `npm run aviso` a short name. npm runs it in the clone, and its banner is left out. */
export async function nameClone({ folder }: Workplace): Promise<Installed> {
  const own = join(folder, 'clone')
  const programs = join(own, 'programs')
  const others = await strangersPath(false, join(own, 'bin'))
  const site = await strangersSite(own, [programs, others].join(delimiter))
  const script = `#!/bin/sh\nexec npm --prefix '${ROOT}' run --silent aviso -- "$@"\n`
  await writeFiles(programs, { aviso: script })
  await chmod(join(programs, 'aviso'), 0o755)
  return { site }
}

/** A terminal in an empty folder. */
async function strangersSite(own: string, path: string): Promise<Site> {
  const home = join(own, 'home')
  const folder = join(own, 'work')
  for (const each of [home, folder]) await mkdir(each, { recursive: true })
  return { folder, environment: { PATH: path, HOME: home, NO_COLOR: '1' }, adapt: (text) => text }
}

/** What stands in the README. */
async function installCommand(): Promise<string> {
  const text = await readFile(join(ROOT, 'README.md'), 'utf8')
  const command = /^(npm install -g \S+) && aviso serve$/m.exec(text)?.[1]
  if (command === undefined) throw new Error('README.md has no line "npm install -g … && aviso serve"')
  return command
}

/** Writes files, and the folders that they are in. */
export async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), text)
  }
}
