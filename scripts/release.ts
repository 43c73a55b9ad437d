/**
 * The command `npm run release`: makes an npm package, executables, a list of what is in them and checksums, in `dist/`.
 *
 * @module
 */

import { accessSync, constants, existsSync } from 'node:fs'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { Argument, Command } from 'commander'
import { isMain } from './is_main.ts'
import { parseCommand } from './parse_command.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PARTS = ['package', 'linux-x64', 'linux-arm64'] as const
/** Development dependencies that make the parts. */
const TOOLS = ['esbuild', 'bun', 'tsc']
const CHECKSUMS = 'SHA256SUMS'

type Part = (typeof PARTS)[number]

/** What the user can put right. */
class Refusal extends Error {}

async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('npm run release --')
    .description('Makes an npm package, executables, a list of what is in them (SBOM) and checksums.')
    .addArgument(new Argument('[parts...]', 'what to make (default: everything)').choices(PARTS))
    .option('--out <folder>', 'where to; an earlier release there is replaced (default: dist of the clone)')
    .addHelpText(
      'after',
      '\nExit codes:\n  0  done\n  1  a part could not be made\n  2  what the message says is wrong',
    )
    .exitOverride()
  const exitCode = parseCommand(program, argv)
  if (exitCode !== undefined) return exitCode
  const { out } = program.opts<{ readonly out?: string }>()
  try {
    refuseMissingTools()
    const folder = await openFolder(out === undefined ? join(ROOT, 'dist') : resolve(callersFolder(), out))
    return await release(
      program.args.length === 0 ? PARTS : PARTS.filter((part) => program.args.includes(part)),
      folder,
    )
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    console.error(`error: ${error.message}`)
    return 2
  }
}

async function release(parts: readonly Part[], out: string): Promise<number> {
  // Loaded here, because a production install has no esbuild.
  const { makePackage } = await import('./release/package.ts')
  const { makeExecutable, NoRuntime } = await import('./release/executables.ts')
  const { writeSbom } = await import('./release/sbom.ts')
  const { writeChecksums } = await import('./release/checksums.ts')
  const files: string[] = []
  const packages: string[] = []
  let code = 0
  for (const part of parts) {
    try {
      const made = await (part === 'package' ? makePackage(out) : makeExecutable(part, out))
      files.push(made.file)
      packages.push(...made.packages)
      console.log(made.file)
    } catch (error) {
      if (!(error instanceof NoRuntime)) throw error
      console.error(`error: ${error.message}`)
      code = 1
    }
  }
  files.push(await writeSbom([...new Set(packages)], out))
  await writeChecksums(files, join(out, CHECKSUMS))
  return code
}

/**
 * Makes the folder, or empties that of an earlier release.
 *
 * @throws {Refusal} where it cannot be written, or holds what no release made.
 */
async function openFolder(folder: string): Promise<string> {
  const none: string[] = []
  const names = await readdir(folder).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return none
    throw cannotWrite(folder, error)
  })
  // The checksums are there from the first moment of a release on, so also in what an ended one left.
  if (names.length > 0 && !names.includes(CHECKSUMS))
    throw new Refusal(
      `${folder} holds other files: name an empty folder, or one of an earlier release, with --out`,
    )
  try {
    if (names.length > 0) accessSync(folder, constants.W_OK)
    for (const name of names) await rm(join(folder, name), { recursive: true })
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, CHECKSUMS), '')
  } catch (error) {
    throw cannotWrite(folder, error)
  }
  return folder
}

function cannotWrite(folder: string, error: unknown): Refusal {
  const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : ''
  return new Refusal(`${folder} cannot be written${code}: name another folder with --out`)
}

/** npm runs scripts in the project's folder, and passes the folder of its caller. */
function callersFolder(): string {
  const { npm_lifecycle_event: script, INIT_CWD: folder } = process.env
  return script === 'release' && folder !== undefined ? folder : process.cwd()
}

/** @throws {Refusal} after `npm ci --omit=dev`. */
function refuseMissingTools(): void {
  const missing = TOOLS.filter((name) => !existsSync(join(ROOT, 'node_modules', '.bin', name)))
  if (missing.length === 0) return
  throw new Refusal(
    `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not installed: run npm ci without --omit=dev`,
  )
}

if (isMain(import.meta)) process.exitCode = await main(process.argv.slice(2))
