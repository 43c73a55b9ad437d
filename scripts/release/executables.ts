/**
 * Makes executables that need no Node, with Bun.
 *
 * @module
 */

import { createHash } from 'node:crypto'
import { access, chmod, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import packageFile from '../../package.json' with { type: 'json' }
import { cacheFolder } from '../released.ts'
import { outputOf } from '../run_command.ts'
import { bundledPackages, bundleProgram } from './bundle.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BUN = join(ROOT, 'node_modules', '.bin', 'bun')
const BUN_VERSION = packageFile.devDependencies.bun
const EXECUTABLE_MODE = 0o755

/** Our name of a system → what Bun calls it, and the npm package of its runtime. */
const TARGETS = {
  'linux-x64': { target: 'bun-linux-x64', runtime: '@oven/bun-linux-x64' },
  'linux-arm64': { target: 'bun-linux-arm64', runtime: '@oven/bun-linux-aarch64' },
} as const

/** A system that there is an executable for. */
export type System = keyof typeof TARGETS

/** All of them. */
export const SYSTEMS: readonly System[] = ['linux-x64', 'linux-arm64']

/** What was made. */
export interface Made {
  readonly file: string
  /** Names of the packages that are in it. */
  readonly packages: readonly string[]
}

/** The runtime of another system cannot be had. */
export class NoRuntime extends Error {}

/**
 * Makes the executable of a system in `out`.
 *
 * @throws {NoRuntime} where Bun for that system is not here and cannot be fetched.
 */
export async function makeExecutable(system: System, out: string): Promise<Made> {
  const { target, runtime } = TARGETS[system]
  // Bun's own binary is the runtime of this machine.
  const isOwn = system === `${process.platform}-${process.arch}`
  const binary = isOwn ? [] : [`--compile-executable-path=${await findRuntime(runtime, system)}`]
  const work = await mkdtemp(join(out, 'executable-'))
  try {
    const bundle = await bundleProgram(work)
    const built = join(work, 'aviso')
    const compile = ['build', '--compile', `--target=${target}`, ...binary]
    // A program must not read settings of the folder that it is started in.
    const closed = ['--no-compile-autoload-dotenv', '--no-compile-autoload-bunfig']
    await outputOf(BUN, [...compile, ...closed, join(work, 'main.mjs'), '--outfile', built], { folder: work })
    const file = join(out, `${packageFile.name}-${packageFile.version}-${system}`)
    await rename(built, file)
    await chmod(file, EXECUTABLE_MODE)
    return { file, packages: [...bundledPackages([bundle]), 'bun'] }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** Bun's binary for another system: one that was fetched before, or one that npm fetches now. */
async function findRuntime(name: string, system: System): Promise<string> {
  const file = join(cacheFolder(), 'bun', `${BUN_VERSION}-${system}`)
  const isThere = await access(file).then(
    () => true,
    () => false,
  )
  if (isThere) return file
  try {
    await fetchRuntime(name, file)
  } catch (cause) {
    throw new NoRuntime(`npm cannot fetch ${name}@${BUN_VERSION}, the runtime of ${system}`, { cause })
  }
  return file
}

/** Fetches the package and checks it as `npm ci` would. It is not installed, because npm refuses packages of another system. */
async function fetchRuntime(name: string, file: string): Promise<void> {
  const folder = join(cacheFolder(), 'bun')
  await mkdir(folder, { recursive: true })
  const work = await mkdtemp(join(folder, 'fetch-'))
  try {
    const spec = `${name}@${BUN_VERSION}`
    const packed = await outputOf('npm', ['pack', '--silent', '--pack-destination', work, spec], {
      folder: work,
    })
    const tarball = join(work, packed.trim())
    await checkIntegrity(name, tarball)
    await outputOf('tar', ['-xzf', tarball, 'package/bin/bun'], { folder: work })
    await rename(join(work, 'package', 'bin', 'bun'), file)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** @throws {Error} where the tarball is not the one of `package-lock.json`. */
async function checkIntegrity(name: string, tarball: string): Promise<void> {
  const lock: unknown = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8'))
  const expected = integrityIn(lock, `node_modules/${name}`)
  const digest = createHash('sha512')
    .update(await readFile(tarball))
    .digest('base64')
  if (expected !== `sha512-${digest}`) throw new Error(`${name} is not what package-lock.json names`)
}

function integrityIn(lock: unknown, path: string): unknown {
  const packages = memberOf(lock, 'packages')
  return memberOf(memberOf(packages, path), 'integrity')
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
