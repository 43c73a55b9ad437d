/**
 * The command `aviso build wrangler`: makes what wrangler deploys, a folder with `wrangler.jsonc` and a bundle for each worker.
 *
 * @module
 */

import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Argument, Command } from 'commander'
import { checkConfig } from '#services/system/check_config.ts'
import { createConfiguredSchemas } from '#services/system/runs.ts'
import { readSchemaFiles } from '#services/system/schema_files.ts'
import { SERVICE_NAMES, type ServiceName } from '#services/system/settings.ts'
import { flawLine } from '#shared/config/explain.ts'
import { refuseProblems } from '#shared/config/load.ts'
import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { createSecretReader } from '#shared/secret.ts'
import { systemClock } from '#shared/time/clock.ts'
import { oneWorker, separateWorkers, undeployable, type WranglerParts } from './build/wrangler_files.ts'
import { parseCommand } from './parse_command.ts'
import { CALL, IS_RELEASE } from './released.ts'
import { isOurs } from './serve/given_config.ts'
import { DEFAULT_CONFIG_FILE, readOptionsConfig, withConfigFile } from './serve/options.ts'
import { checkCrons } from './serve/preflight.ts'
import { callsOf, findMain, loadModules, varsOf } from './serve/worker_modules.ts'
import type * as Bundler from './serve/workerd_bundle.ts'
import { printResult } from './standard_output.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** By a name that a bundler does not follow: a release has no esbuild. */
const BUNDLER: string = './serve/workerd_bundle.ts'

interface BuildFlags {
  readonly out: string
  readonly config: string
  readonly env?: string
  readonly one?: boolean
}

/** The command line. @param call How it is called. */
export function createBuildProgram(call: string): Command {
  return new Command(call)
    .description('Makes what wrangler deploys: a folder with wrangler.jsonc and a bundle for each worker.')
    .addArgument(new Argument('<for>', 'what to build for').choices(['wrangler']))
    .addArgument(
      new Argument('[services...]', 'the services (default: all)').choices([...SERVICE_NAMES]).default([]),
    )
    .requiredOption('--out <folder>', 'where to; files of an earlier build there are replaced')
    .option('--env <name>', 'environment of the configuration; its name ends the names of the workers')
    .option('--config <file>', 'configuration file', DEFAULT_CONFIG_FILE)
    .option('--one', 'one worker for all services, instead of one for each')
    .exitOverride()
}

/** Runs the command. @returns the exit code */
export async function build(argv: readonly string[], call: string): Promise<number> {
  const program = createBuildProgram(call)
  const exitCode = parseCommand(program, argv)
  if (exitCode !== undefined) return exitCode
  const named = program.args.slice(1)
  const services = SERVICE_NAMES.filter((name) => named.length === 0 || named.includes(name))
  try {
    return printResult(...(await buildWorkers(program.opts<BuildFlags>(), services)))
  } catch (error) {
    if (!isAvisoError(error, 'ERR_CONFIG')) throw error
    console.error(`error: ${error.message}`)
    return 2
  }
}

/** Nothing is written where something is wrong. @returns lines that say what was made */
async function buildWorkers(flags: BuildFlags, services: readonly ServiceName[]): Promise<readonly string[]> {
  if (IS_RELEASE || !existsSync(join(ROOT, 'node_modules', 'esbuild')))
    throw new AvisoError(
      'ERR_CONFIG',
      'Building needs a clone of the repository, after npm ci without --omit=dev',
    )
  const parts = await readParts(flags, services)
  const workers = flags.one === true ? [oneWorker(parts)] : separateWorkers(parts)
  const { bundleForWorkerd, bundleWorker } = (await import(BUNDLER)) as typeof Bundler
  const made: string[] = []
  for (const { name, services: own, isHost, file, secrets } of workers) {
    const folder = join(resolve(flags.out), name)
    await makeFolder(folder)
    const modules = own.map((service) => bundledModule(parts, service))
    const outfile = join(folder, 'index.mjs')
    const [only] = modules
    if (flags.one !== true && only !== undefined) await bundleWorker(outfile, only, isHost)
    else await bundleForWorkerd(outfile, modules)
    const head = `// Made by "aviso build wrangler" from ${parts.file}. Change it there.\n`
    await writeFile(join(folder, 'wrangler.jsonc'), `${head}${JSON.stringify(file, null, 2)}\n`)
    made.push(join(folder, 'wrangler.jsonc'))
    if (secrets.length > 0)
      made.push(`  its secrets, each by "wrangler secret put NAME": ${secrets.join(', ')}`)
  }
  return made
}

async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw new AvisoError('ERR_CONFIG', `${folder} cannot be made: name another folder with --out`, { cause })
  })
}

function bundledModule(
  { config, given, file, services }: WranglerParts,
  service: ServiceName,
): Bundler.BundledModule {
  const { main, routes } = config.workers[service]
  const found = findMain(main, { service, config: file })
  return {
    main: 'shipped' in found ? found.shipped : found.file,
    routes,
    vars: varsOf(given, service),
    calls: callsOf(config, service, services),
  }
}

/** A deployment is made of files, and that of 2.x names no worker. @throws {AvisoError} `ERR_CONFIG` for a file of 2.x. */
async function refuse2x(path: string, readText: (path: string) => Promise<string>): Promise<void> {
  const text = await readText(path).catch(() => undefined)
  if (text === undefined || isOurs(text)) return
  // Loaded here, because most operators have none: it brings a parser of YAML.
  const { parseDocument2x } = await import('./aviso/import_2x/document.ts')
  if (parseDocument2x(text, path) === undefined) return
  throw new AvisoError(
    'ERR_CONFIG',
    `${path} is a configuration of aviso-server 2.x: write ours with "${CALL} config import ${path}", and name that`,
  )
}

/** @throws {AvisoError} `ERR_CONFIG` that lists everything that is wrong. */
async function readParts(flags: BuildFlags, services: readonly ServiceName[]): Promise<WranglerParts> {
  const readText = (path: string): Promise<string> => readFile(path, 'utf8')
  const { env, config: named } = flags
  const isConfigNamed = named !== DEFAULT_CONFIG_FILE
  const asked = { services, config: named, isConfigNamed, ...(env !== undefined && { env }) }
  if (isConfigNamed) await refuse2x(named, readText)
  const options = await withConfigFile(asked, readText)
  const { settings: config, flaws, given, notices } = await readOptionsConfig(options, readText)
  const problems = flaws.map(flawLine)
  if (config === undefined || problems.length > 0) refuseProblems(options.config, problems)
  if (config === undefined) throw new TypeError('No settings and no flaws')
  for (const notice of notices) console.error(`notice: ${options.config}: ${notice}`)
  const schemaFiles = await readSchemaFiles(config.vars.schemas, readText)
  const parts = { config, given, schemaFiles, services, file: options.config, environment: env }
  const readSecret = createSecretReader({})
  const schemas = createConfiguredSchemas(schemaFiles, config.vars)
  problems.push(
    ...checkConfig({ config, services, schemas, readSecret, clock: systemClock, hasUdp: false }),
    ...checkCrons(config, []),
    ...undeployable(parts),
  )
  await loadModules(config, services, { file: options.config, problems })
  refuseProblems(options.config, [...new Set(problems)])
  return parts
}
