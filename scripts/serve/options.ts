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
import { BUILTIN_SCHEMAS } from '#shared/notification/builtin_schemas.ts'
import { parseCommand } from '../parse_command.ts'

/** The parsed command line. */
export interface ServeOptions {
  readonly services: readonly ServiceName[]
  readonly config: string
  readonly env?: string
  readonly store?: string
  readonly host?: string
  readonly port?: number
  readonly data?: string
  readonly acceptLoss?: boolean
  readonly check?: boolean
  readonly checkOffline?: boolean
}

/** The services' configuration, in the working folder. */
export const DEFAULT_CONFIG_FILE = 'wrangler-like.config.json'

/** The launcher's command line. @param runtime Name in the usage text, such as `node`. */
export function createServeProgram(runtime: string): Command {
  return new Command('npm start --')
    .description(`Runs Aviso's services on one port (${runtime}). Without names: all services.`)
    .argument('[services...]', SERVICE_NAMES.join(' | '))
    .option('--env <name>', 'overlay env.<name> of the configuration file')
    .option('--config <file>', 'configuration file', DEFAULT_CONFIG_FILE)
    .option('--store <url>', 'embedded: | embedded:memory | http://host:2379[,…] | grpc://… | gateway://…')
    .option('--host <host>', `address to listen on (default: ${DEV_DEFAULTS.host})`)
    .addOption(
      new Option(
        '--port <port>',
        `port to listen on, 0 for any free one (default: ${DEV_DEFAULTS.port})`,
      ).argParser(parsePort),
    )
    .option('--data <folder>', `folder of the embedded store (default: ${DEV_DEFAULTS.data})`)
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
 * @returns the options, or the exit code when nothing is left to do (help, usage error)
 */
export function parseServeArguments(argv: readonly string[], runtime: string): ServeOptions | number {
  const program = createServeProgram(runtime)
  const exitCode = parseCommand(program, argv)
  if (exitCode !== undefined) return exitCode
  const unknown = program.args.filter((name) => !isServiceName(name))
  if (unknown.length > 0) {
    console.error(`error: no service is called ${unknown.join(', ')}; known are ${SERVICE_NAMES.join(', ')}`)
    return 2
  }
  const services = program.args.filter(isServiceName)
  return {
    ...program.opts<Omit<ServeOptions, 'services'>>(),
    services: services.length === 0 ? SERVICE_NAMES : services,
  }
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
  const { settings, flaws } = readConfig(text, options.config, options.env)
  return { settings: settings && withFlags(settings, options), flaws }
}

function withFlags(config: Config, options: ServeOptions): Config {
  return {
    ...config,
    vars: { ...config.vars, ...(options.store === undefined ? {} : { store: options.store }) },
    dev: {
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

/** The contents of the configured schemas. Each is the name of a shipped schema or the path of a file. */
export async function readSchemaFiles(
  names: readonly string[],
  readText: (path: string) => Promise<string>,
): Promise<{ readonly source: string; readonly content: unknown }[]> {
  return Promise.all(
    names.map(async (name) => {
      const builtin = name === 'flight' || name === 'ecmwf' ? BUILTIN_SCHEMAS.get(name) : undefined
      return { source: name, content: builtin ?? parseSchema(name, await readSchemaText(name, readText)) }
    }),
  )
}

async function readConfigText(path: string, readText: (path: string) => Promise<string>): Promise<string> {
  return readText(path).catch((cause: unknown) => {
    throw new AvisoError(
      'ERR_CONFIG',
      `Cannot read the configuration file "${path}": name another file with --config`,
      { cause },
    )
  })
}

async function readSchemaText(path: string, readText: (path: string) => Promise<string>): Promise<string> {
  return readText(path).catch((cause: unknown) => {
    throw new AvisoError(
      'ERR_CONFIG',
      `Cannot read the schema file "${path}" (shipped schemas are ${[...BUILTIN_SCHEMAS.keys()].join(', ')})`,
      { cause },
    )
  })
}

function parseSchema(source: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new AvisoError('ERR_CONFIG', `Schema file "${source}" is not JSON`, { cause })
  }
}

function parsePort(text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port
  throw new InvalidArgumentError('Use a number from 0 to 65535.')
}

function isServiceName(name: string): name is ServiceName {
  return (SERVICE_NAMES as readonly string[]).includes(name)
}
