/**
 * The launcher for workerd, `npm run start:workerd`: bundles the services, writes workerd's configuration, and runs workerd until a signal.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import type { Config, ServiceName } from '#services/system/settings.ts'
import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { databaseFile } from '#shared/runtime/process_host.ts'
import { createSecretReader } from '#shared/secret.ts'
import { parseStoreAddress } from '#shared/store/open/address.ts'
import { isMain } from './is_main.ts'
import {
  asksStore,
  fineText,
  isCheck,
  parseServeArguments,
  readOptionsConfig,
  type ServeOptions,
} from './serve/options.ts'
import { preflight, type Ready } from './serve/preflight.ts'
import type { SecretFiles } from './serve/secret_files.ts'
import { secretNames } from './serve/secret_names.ts'
import { checkStore } from './serve/store_check.ts'
import type { BundledModule } from './serve/workerd_bundle.ts'
import { printResult } from './standard_output.ts'
import { COMPATIBILITY_DATE, NEEDED_FLAGS } from './build/wrangler_files.ts'
import { toWorkerdConfig } from './serve/workerd_config.ts'
import { callsOf, findMain, varsOf } from './serve/worker_modules.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Wait after SIGTERM, before workerd is killed, because it keeps running while streams are open. */
const TERM_LIMIT_MS = 4000
const START_LIMIT_MS = 30_000
const PROBE_INTERVAL_MS = 50

async function main(argv: readonly string[]): Promise<number> {
  const options = parseServeArguments(argv, 'workerd')
  if (typeof options === 'number') return options
  const readText = (path: string): Promise<string> => readFile(path, 'utf8')
  const ready = await preflight({
    options,
    read: await readOptionsConfig(options, readText),
    environment: process.env,
    readText,
    hasUdp: false,
    isOneProcess: true,
    askStore: asksStore(options) ? askStore : undefined,
  })
  const { config, schemaFiles } = ready
  if (parseStoreAddress(config.vars.store).kind === 'grpc') {
    throw new AvisoError(
      'ERR_CONFIG',
      'workerd has no gRPC: give etcd as http://host:2379, and its JSON gateway is used',
    )
  }
  refuseMissingTools()
  for (const notice of ready.notices) console.error(`notice: ${options.config}: ${notice}`)
  if (isCheck(options)) {
    return printResult(fineText(options, config, 'workerd'))
  }
  const secrets = readSecrets(ready, options.services)
  const port = config.dev.port === 0 ? await freePort(config.dev.host) : config.dev.port
  const url = `http://${config.dev.host}:${port}`
  const folder = join(ROOT, '.cache', 'workerd', String(port))
  await mkdir(folder, { recursive: true })
  const dataFolder = await makeDataFolder(config, folder)
  const modulePath = join(folder, 'aviso.mjs')
  // Loaded here, because a production install has no esbuild.
  const { bundleForWorkerd } = await import('./serve/workerd_bundle.ts')
  await bundleForWorkerd(modulePath, bundledModules(ready, options))
  const text = toWorkerdConfig({
    address: `${config.dev.host}:${port}`,
    modulePath: 'aviso.mjs',
    dataFolder,
    compatibilityDate: config.compatibility_date ?? COMPATIBILITY_DATE,
    compatibilityFlags: flagsOf(config, options.services),
    bindings: {
      AVISO_CONFIG: ready.given,
      AVISO_SERVICES: options.services,
      AVISO_SCHEMAS: schemaFiles,
      AVISO_BASE_URL: url,
    },
    secrets: Object.keys(secrets),
  })
  const configPath = join(folder, 'workerd.capnp')
  await writeFile(configPath, text)
  return run(configPath, url, secrets)
}

/** One process runs all services, so it has the flags of all. */
function flagsOf(
  { compatibility_flags: own = [], workers }: Config,
  services: readonly ServiceName[],
): readonly string[] {
  const more = services.flatMap((service) => workers[service].compatibility_flags ?? [])
  return [...new Set([...NEEDED_FLAGS, ...own, ...more])]
}

/** The modules that `main` names, which the bundle has; @throws {AvisoError} never: they were looked for before. */
function bundledModules({ config, given }: Ready, options: ServeOptions): readonly BundledModule[] {
  return options.services.map((service) => {
    const { main, routes } = config.workers[service]
    const found = findMain(main, { service, config: options.config })
    return {
      main: 'shipped' in found ? found.shipped : found.file,
      routes,
      vars: varsOf(given, service),
      calls: callsOf(config, service, options.services),
    }
  })
}

/** Asks from here, in the way of workerd: it has no gRPC. Its embedded store is its own, and is not looked at. */
async function askStore(config: Config, secrets: SecretFiles): Promise<readonly string[]> {
  if (parseStoreAddress(config.vars.store).kind === 'embedded') return []
  const { connectHttp2: _grpc, ...platform } = await detectPlatform()
  const readSecret = createSecretReader(secrets.environment)
  return checkStore({ config, platform, readSecret, acceptLoss: false })
}

/** The folder of the Durable Object's database; `undefined` where the store is elsewhere. */
async function makeDataFolder({ vars, dev }: Config, cacheFolder: string): Promise<string | undefined> {
  const store = parseStoreAddress(vars.store)
  if (store.kind !== 'embedded') return undefined
  const isKept = store.place === 'disk'
  const folder = isKept ? resolve(dev.data, 'workerd') : join(cacheFolder, 'data')
  // workerd has no SQL in memory: what is not to be kept stands in a folder that is emptied at the next start.
  if (!isKept) await rm(folder, { recursive: true, force: true })
  return dirname(await databaseFile(folder))
}

/** @returns every secret that the services need, by the name of its variable */
function readSecrets(
  { config: { vars, workers }, secrets }: Ready,
  running: readonly ServiceName[],
): Readonly<Record<string, string>> {
  const names = secretNames([vars, ...running.map((service) => workers[service])])
  const readSecret = createSecretReader(secrets.environment)
  return Object.fromEntries(names.map((name) => [name, readSecret(name).reveal()]))
}

/** @throws {AvisoError} `ERR_CONFIG` where only what production on Node needs is installed. */
function refuseMissingTools(): void {
  const missing = ['workerd', 'esbuild'].filter((tool) => !existsSync(join(ROOT, 'node_modules', tool)))
  if (missing.length === 0) return
  throw new AvisoError(
    'ERR_CONFIG',
    `${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} not installed: run "npm ci" without --omit=dev, or start on Node with "npm start"`,
  )
}

async function run(
  configPath: string,
  url: string,
  secrets: Readonly<Record<string, string>>,
): Promise<number> {
  const child = spawn(
    join(ROOT, 'node_modules', '.bin', 'workerd'),
    ['serve', '--experimental', configPath],
    { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...secrets } },
  )
  const exited = new Promise<number>((done) => child.once('exit', (code) => done(code ?? 0)))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      child.kill('SIGTERM')
      setTimeout(() => child.kill('SIGKILL'), TERM_LIMIT_MS).unref()
    })
  }
  if (await answers(url, exited)) console.log(`Aviso on workerd\nListening on ${url}`)
  const code = await exited
  return child.signalCode === 'SIGTERM' || child.signalCode === 'SIGKILL' ? 0 : code
}

/** Whether the server answers before it exits. The first request also starts the Durable Object. */
async function answers(url: string, exited: Promise<number>): Promise<boolean> {
  let gone = false
  void exited.then(() => (gone = true))
  for (const limit = performance.now() + START_LIMIT_MS; !gone && performance.now() < limit;) {
    const response = await fetch(`${url}/ready`).catch(() => undefined)
    if (response?.status === 200) return true
    await new Promise((next) => setTimeout(next, PROBE_INTERVAL_MS))
  }
  return false
}

function freePort(host: string): Promise<number> {
  return new Promise((found, failed) => {
    const probe = createServer()
    probe.once('error', failed)
    probe.listen(0, host, () => {
      const address = probe.address()
      probe.close(() =>
        typeof address === 'object' && address !== null ? found(address.port) : failed(new Error('no port')),
      )
    })
  })
}

if (isMain(import.meta)) {
  process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
    if (!isAvisoError(error, 'ERR_CONFIG')) throw error
    console.error(`error: ${error.message}`)
    return 2
  })
}
