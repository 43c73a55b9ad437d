/**
 * The launcher's command line and configuration, the same for every runtime.
 *
 * @module
 */

import { Command, InvalidArgumentError, Option } from 'commander'
import {
  DEV_DEFAULTS,
  loadConfig,
  readConfig,
  SERVICE_NAMES,
  type Config,
  type ServiceName,
} from '#services/system/settings.ts'
import type { ReadSettings } from '#shared/config/load.ts'
import { isLoopback } from '#shared/config/shapes.ts'
import { AvisoError } from '#shared/errors.ts'
import defaultConfig from '../../wrangler-like.config.json' with { type: 'json' }
import { parseCommand } from '../parse_command.ts'
import { SERVE_CALL } from '../released.ts'
import { parseWorkers } from './workers/count.ts'

/** The parsed command line. */
export interface ServeOptions {
  readonly services: readonly ServiceName[]
  readonly config: string
  /** Whether the command line names the configuration file. */
  readonly isConfigNamed?: boolean
  readonly env?: string
  readonly store?: string
  readonly host?: string
  readonly port?: number
  readonly data?: string
  readonly acceptLoss?: boolean
  /** How many processes share the work. Default: 1. */
  readonly workers?: number
  readonly check?: boolean
  readonly checkOffline?: boolean
}

/** The services' configuration, in the working folder. */
export const DEFAULT_CONFIG_FILE = 'wrangler-like.config.json'

/** What messages call the configuration of a program that has no such file beside it. */
const BUILT_IN_CONFIG = `the built-in ${DEFAULT_CONFIG_FILE}`

/**
 * The launcher's command line.
 *
 * @param runtime Name in the usage text, such as `node`.
 * @param call How it is called.
 */
export function createServeProgram(runtime: string, call = SERVE_CALL): Command {
  return new Command(call)
    .description(`Runs Aviso's services on one port (${runtime}). Without names: all services.`)
    .argument('[services...]', SERVICE_NAMES.join(' | '))
    .option('--env <name>', 'overlay env.<name> of the configuration file')
    .option(
      '--config <file>',
      'configuration file; without it, and without a file of the usual name in the working folder, the built-in one',
      DEFAULT_CONFIG_FILE,
    )
    .option('--store <url>', 'embedded: | embedded:memory | http://host:2379[,…] | grpc://… | gateway://…')
    .option('--host <host>', `address to listen on (default: ${DEV_DEFAULTS.host})`)
    .addOption(
      new Option(
        '--port <port>',
        `port to listen on, 0 for any free one (default: ${DEV_DEFAULTS.port})`,
      ).argParser(parsePort),
    )
    .option('--data <folder>', `folder of the embedded store (default: ${DEV_DEFAULTS.data})`)
    .addOption(
      new Option(
        '--workers <number>',
        'processes that share the port and the work, auto: one per processor (default: 1)',
      ).argParser(parseWorkers),
    )
    .option(
      '--accept-loss',
      'start though the embedded store lost acknowledged writes, and give up what is damaged: it gets a new epoch, so every listener is told',
    )
    .option(
      '--check',
      'say what is wrong with configuration, secrets, schemas, folders, ports and the store, all at once, and start nothing; exits 2 when something is',
    )
    .option('--check-offline', 'the same without asking the store: for machines that cannot reach it')
    .exitOverride()
}

/**
 * Parses the command line.
 *
 * @param runtime Name in the usage text, such as `node`.
 * @param call How the launcher is called.
 * @returns the options, or the exit code when nothing is left to do (help, usage error)
 */
export function parseServeArguments(
  argv: readonly string[],
  runtime: string,
  call?: string,
): ServeOptions | number {
  const program = createServeProgram(runtime, call)
  const exitCode = parseCommand(program, argv)
  if (exitCode !== undefined) return exitCode
  const unknown = program.args.filter((name) => !isServiceName(name))
  if (unknown.length > 0) {
    console.error(
      unknown.includes('workerd')
        ? 'error: workerd is not a service but a runtime: it needs a clone of the repository and "npm run start:workerd" there'
        : `error: no service is called ${unknown.join(', ')}; known are ${SERVICE_NAMES.join(', ')}`,
    )
    return 2
  }
  const services = program.args.filter(isServiceName)
  const twice = services.find((name, index) => services.indexOf(name) !== index)
  if (twice !== undefined) {
    console.error(`error: the service ${twice} is named twice: name each once`)
    return 2
  }
  return {
    ...program.opts<Omit<ServeOptions, 'services'>>(),
    isConfigNamed: program.getOptionValueSource('config') !== 'default',
    services: services.length === 0 ? SERVICE_NAMES : services,
  }
}

/** The options, with the built-in configuration where none is named and the working folder has no file of the usual name. */
export async function withConfigFile(
  options: ServeOptions,
  readText: (path: string) => Promise<string>,
): Promise<ServeOptions> {
  if (options.isConfigNamed === true) return options
  const isMissing = await readText(options.config).then(() => false, isNoFile)
  return isMissing ? { ...options, config: BUILT_IN_CONFIG } : options
}

function isNoFile(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

/**
 * Reads the configuration file. Values of the command line replace its values.
 *
 * @throws {AvisoError} `ERR_CONFIG` that lists everything that is wrong with it.
 */
export async function resolveConfig(
  options: ServeOptions,
  readText: (path: string) => Promise<string>,
): Promise<Config> {
  const text = await readConfigText(options.config, readText)
  return withFlags(loadConfig(text, options.config, options.env), options)
}

/** As {@link resolveConfig}, but what is wrong with values is returned, so that more can be told with it. */
export async function readOptionsConfig(
  options: ServeOptions,
  readText: (path: string) => Promise<string>,
): Promise<ReadSettings<Config>> {
  const text = await readConfigText(options.config, readText)
  const { settings, flaws, given, notices } = readConfig(text, options.config, options.env)
  return {
    settings: settings && withFlags(settings, options),
    flaws,
    notices,
    given: { ...given, ...flagValues(options, given) },
  }
}

/** The members of the file that flags change. */
function flagValues(
  { store, host, port, data }: ServeOptions,
  { vars, dev }: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const devFlags = Object.entries({ host, port, data }).filter(([, value]) => value !== undefined)
  return {
    ...(store !== undefined && { vars: { ...Object(vars), store } }),
    ...(devFlags.length > 0 && { dev: { ...Object(dev), ...Object.fromEntries(devFlags) } }),
  }
}

function withFlags(config: Config, options: ServeOptions): Config {
  return {
    ...config,
    vars: { ...config.vars, ...(options.store === undefined ? {} : { store: options.store }) },
    dev: {
      ...config.dev,
      host: options.host ?? config.dev.host,
      port: options.port ?? config.dev.port,
      data: options.data ?? config.dev.data,
    },
  }
}

/**
 * Refuses an address that other machines can reach when there are no identities, because every client could then do everything.
 *
 * @throws {AvisoError} `ERR_CONFIG` for such an address.
 */
export function refuseOpenAddress({ dev, vars }: Config): void {
  if (vars.identity !== 'none' || isLoopback(dev.host)) return
  throw new AvisoError(
    'ERR_CONFIG',
    `Refusing to listen on ${dev.host} with "identity": "none": every client could do everything. Configure vars.identity and vars.policy, or listen on 127.0.0.1`,
  )
}

/** Whether the command line asks for a check alone. */
export function isCheck({ check, checkOffline }: ServeOptions): boolean {
  return check === true || checkOffline === true
}

/** Whether a check asks the store. */
export function asksStore({ check, checkOffline }: ServeOptions): boolean {
  return check === true && checkOffline !== true
}

/** What a check without problems says. @param on Runtime and version, such as `node 24.1.0`. */
export function fineText(options: ServeOptions, config: Config, on: string): string {
  const fine = `${options.config}: nothing is wrong for ${options.services.join(', ')} on ${on}`
  if (options.checkOffline === true) return `${fine}; the store was not asked`
  const { store } = config.vars
  return store.startsWith('embedded:') ? fine : `${fine}, and the store ${store} answers`
}

/** The text of a configuration file, or of the built-in one. @throws {AvisoError} `ERR_CONFIG` where it cannot be read. */
export async function readConfigText(
  path: string,
  readText: (path: string) => Promise<string>,
): Promise<string> {
  if (path === BUILT_IN_CONFIG) return JSON.stringify(defaultConfig)
  return readText(path).catch((cause: unknown) => {
    throw new AvisoError(
      'ERR_CONFIG',
      `Cannot read the configuration file "${path}": name another file with --config`,
      { cause },
    )
  })
}

function parsePort(text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port
  throw new InvalidArgumentError('Use a number from 0 to 65535.')
}

function isServiceName(name: string): name is ServiceName {
  return (SERVICE_NAMES as readonly string[]).includes(name)
}
