/**
 * Loads the client's configuration from 1.x's files, environment variables and flags. Each value comes from the last source that has it.
 *
 * Order of the sources: defaults, `/etc/aviso/config.yaml`, `~/.aviso/config.yaml`, `$AVISO_CONFIG`, `-c`, environment, flags.
 *
 * @module
 */

import * as v from 'valibot'
import { ClientError } from '#shared/client/client_error.ts'
import type { AuthType, CredentialSettings } from '#shared/client/credentials.ts'
import { issuePath, type PathStep } from './issue_path.ts'
import type { YamlFile } from './yaml_file.ts'

/** The configuration of the commands. */
export interface ClientConfig extends CredentialSettings {
  /** Address of the service without trailing slash, e.g. `http://127.0.0.1:8080`. */
  readonly baseUrl: string
  /** Longest wait for an answer; absent: no limit. */
  readonly timeoutMs?: number
  /** Longest wait between two attempts to connect. */
  readonly retryDelayMs?: number
  /** Whether listeners go on after the last notification of the previous run. */
  readonly catchup: boolean
  readonly debug: boolean
  readonly quiet: boolean
  readonly noFail: boolean
  readonly logFile?: string
  /** The `listeners:` of a configuration file, with the file it is in. */
  readonly listeners?: { readonly file: YamlFile; readonly value: unknown }
  /** Warnings for the user about a configuration that nevertheless works. */
  readonly warnings: readonly string[]
}

/** Flags that are common to the commands, as commander gives them. */
export interface ConfigFlags {
  readonly config?: string
  readonly log?: string
  readonly debug?: boolean
  readonly quiet?: boolean
  readonly json?: boolean
  /** commander's form of `--no-fail`: `false` when the flag is given. */
  readonly fail?: boolean
  readonly username?: string
  readonly key?: string
  readonly host?: string
  readonly port?: string
}

/** Where the configuration comes from. */
export interface ConfigSources {
  readonly flags: ConfigFlags
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly home: string
  /** @returns the text; `undefined` when there is no such file. Throws any other failure. */
  readonly readText: (path: string) => Promise<string | undefined>
}

/** The address of our own services. 1.x's default was the address of an etcd. */
const DEFAULT_HOST = '127.0.0.1'
const DEFAULT_PORT = '8080'
/** 1.x's default. */
const DEFAULT_TIMEOUT_SECONDS = '60'
const DEFAULT_KEY_FILE = '/etc/aviso/key'

const text = v.union([
  v.string(),
  v.pipe(
    v.boolean(),
    v.transform((flag) => String(flag)),
  ),
])
const optionalText = v.nullish(text)

const engine = v.looseObject({
  host: optionalText,
  port: optionalText,
  https: optionalText,
  type: optionalText,
  timeout: optionalText,
  catchup: optionalText,
  automatic_retry_delay: optionalText,
})

const configFile = v.looseObject({
  notification_engine: v.nullish(engine),
  username: optionalText,
  username_file: optionalText,
  key_file: optionalText,
  auth_type: optionalText,
  debug: optionalText,
  quiet: optionalText,
  no_fail: optionalText,
  listeners: v.optional(v.unknown()),
})

/** Keys of 1.x that have no effect here, because the service validates, pushes and has its own configuration. */
const IGNORED_KEYS = ['configuration_engine', 'remote_schema', 'schema_parser', 'key_ttl', 'logging']
const IGNORED_ENGINE_KEYS = ['polling_interval', 'service']

/** One text per setting. Later layers replace earlier ones. `null` in `timeout` becomes the text `null`. */
type Settings = Partial<Record<SettingName, string>>
const SETTING_ENVIRONMENT = {
  host: 'AVISO_NOTIFICATION_HOST',
  port: 'AVISO_NOTIFICATION_PORT',
  https: 'AVISO_NOTIFICATION_HTTPS',
  type: 'AVISO_NOTIFICATION_ENGINE',
  timeout: 'AVISO_TIMEOUT',
  catchup: 'AVISO_NOTIFICATION_CATCHUP',
  automatic_retry_delay: 'AVISO_AUTOMATIC_RETRY_DELAY',
  username: 'AVISO_USERNAME',
  username_file: 'AVISO_USERNAME_FILE',
  key_file: 'AVISO_KEY_FILE',
  auth_type: 'AVISO_AUTH_TYPE',
  debug: 'AVISO_DEBUG',
  quiet: 'AVISO_QUIET',
  no_fail: 'AVISO_NO_FAIL',
  log: 'AVISO_LOG',
} as const
type SettingName = keyof typeof SETTING_ENVIRONMENT
const ENGINE_SETTINGS = [
  'host',
  'port',
  'https',
  'type',
  'timeout',
  'catchup',
  'automatic_retry_delay',
] as const
const TOP_SETTINGS = [
  'username',
  'username_file',
  'key_file',
  'auth_type',
  'debug',
  'quiet',
  'no_fail',
] as const

/**
 * Reads and merges all layers.
 *
 * @throws {ClientError} for a file that cannot be read or parsed, and for a value that cannot be used.
 */
export async function loadClientConfig(sources: ConfigSources): Promise<ClientConfig> {
  const { flags, environment, home } = sources
  const warnings: string[] = []
  const settings: Settings = {}
  let listeners: ClientConfig['listeners']
  for (const { path, required } of configFiles(sources)) {
    const content = await readConfigText(sources, path, required)
    if (content === undefined || content.trim() === '') continue
    // Loaded here, because the parser has 60 modules, and most commands of scripts have no such file.
    const { parseYamlFile } = await import('./yaml_file.ts')
    const layer = readLayer(parseYamlFile(content, path), warnings)
    Object.assign(settings, layer.settings)
    listeners = layer.listeners ?? listeners
  }
  Object.assign(settings, fromEnvironment(environment), fromFlags(flags))
  const username = await readUsername(settings, sources)
  return {
    baseUrl: baseUrlOf(settings, sources),
    authType: authTypeOf(settings.auth_type ?? 'none'),
    ...(username !== undefined && { username }),
    keyFile: expandHome(settings.key_file ?? DEFAULT_KEY_FILE, home),
    ...optionalMs('timeoutMs', 'timeout', settings.timeout ?? DEFAULT_TIMEOUT_SECONDS),
    ...optionalMs('retryDelayMs', 'automatic_retry_delay', settings.automatic_retry_delay ?? 'null'),
    catchup: isTrue(settings.catchup ?? 'true'),
    debug: isTrue(settings.debug),
    quiet: isTrue(settings.quiet),
    noFail: isTrue(settings.no_fail),
    ...(settings.log !== undefined && { logFile: expandHome(settings.log, home) }),
    ...(listeners !== undefined && { listeners }),
    warnings: [...warnings, ...engineWarnings(settings)],
  }
}

function configFiles({
  flags,
  environment,
  home,
}: ConfigSources): { readonly path: string; readonly required: boolean }[] {
  const chosen = [environment['AVISO_CONFIG'], flags.config].filter(
    (path) => path !== undefined && path !== '',
  )
  return [
    { path: '/etc/aviso/config.yaml', required: false },
    { path: `${home}/.aviso/config.yaml`, required: false },
    ...chosen.map((path) => ({ path: expandHome(path ?? '', home), required: true })),
  ]
}

async function readConfigText(
  sources: ConfigSources,
  path: string,
  required: boolean,
): Promise<string | undefined> {
  const content = await sources.readText(path).catch((cause: unknown) => {
    throw new ClientError(`Cannot read the configuration file ${path}`, { cause })
  })
  if (content === undefined && required) throw new ClientError(`There is no configuration file ${path}`)
  return content
}

function readLayer(
  file: YamlFile,
  warnings: string[],
): { readonly settings: Settings; readonly listeners: ClientConfig['listeners'] } {
  const result = v.safeParse(configFile, file.value)
  if (!result.success) {
    const [issue] = result.issues
    throw new ClientError(`${file.locate(issuePath(issue))}: ${issue.message}`)
  }
  const { notification_engine: engineLayer, ...top } = result.output
  warnUnknown(file, { known: Object.keys(configFile.entries), ignored: IGNORED_KEYS, path: [] }, warnings)
  if (engineLayer) {
    const known = Object.keys(engine.entries)
    warnUnknown(file, { known, ignored: IGNORED_ENGINE_KEYS, path: ['notification_engine'] }, warnings)
  }
  const settings: Settings = {}
  for (const name of ENGINE_SETTINGS) {
    const value = engineLayer?.[name]
    if (value !== undefined && value !== null) settings[name] = value
    // In 1.x, `timeout: null` means no limit.
    else if (value === null && name === 'timeout') settings.timeout = 'null'
  }
  for (const name of TOP_SETTINGS) {
    const value = top[name]
    if (value !== undefined && value !== null) settings[name] = value
  }
  return {
    settings,
    listeners: result.output.listeners === undefined ? undefined : { file, value: result.output.listeners },
  }
}

interface KnownKeys {
  readonly known: readonly string[]
  readonly ignored: readonly string[]
  readonly path: readonly PathStep[]
}

function warnUnknown(file: YamlFile, { known, ignored, path }: KnownKeys, warnings: string[]): void {
  let value = file.value
  for (const step of path) value = (value as Readonly<Record<PathStep, unknown>>)[step]
  for (const name of Object.keys(value ?? {})) {
    if (!known.includes(name) && !ignored.includes(name))
      warnings.push(`${file.locate([...path, name])}: Unknown key, ignored`)
  }
}

function fromEnvironment(environment: ConfigSources['environment']): Settings {
  const settings: Settings = {}
  for (const name of Object.keys(SETTING_ENVIRONMENT) as SettingName[]) {
    const value = environment[SETTING_ENVIRONMENT[name]]
    if (value !== undefined && value !== '') settings[name] = value
  }
  return settings
}

function fromFlags(flags: ConfigFlags): Settings {
  const { log, debug, quiet, fail, username, key } = flags
  return {
    ...(log !== undefined && { log }),
    ...(debug === true && { debug: 'true' }),
    ...(quiet === true && { quiet: 'true' }),
    ...(fail === false && { no_fail: 'true' }),
    ...(username !== undefined && { username }),
    ...(key !== undefined && { key_file: key }),
  }
}

/** Flags win over `AVISO_BASE_URL`, which wins over the single settings of 1.x. */
function baseUrlOf(settings: Settings, { flags, environment }: ConfigSources): string {
  const given = environment['AVISO_BASE_URL']
  const scheme = isTrue(settings.https) ? 'https' : 'http'
  const engineUrl = `${scheme}://${bracketed(settings.host ?? DEFAULT_HOST)}:${settings.port ?? DEFAULT_PORT}`
  const url = parseUrl(given === undefined || given === '' ? engineUrl : given)
  const { host, port } = flags
  if (host !== undefined) url.hostname = checkHost(host)
  if (port !== undefined) url.port = checkPort(port)
  return (url.origin + url.pathname).replace(/\/+$/, '')
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new ClientError(`Not an address of a service: ${text}. Give an http or https address`)
  if (url.username !== '' || url.password !== '') {
    throw new ClientError(
      'The address of the service must not hold a password: use auth_type, username and key_file',
    )
  }
  return url
}

function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}

function checkHost(host: string): string {
  const name = bracketed(host)
  // Assigning a wrong host name to a URL silently does nothing, so the name is checked.
  if (/^[^/?#@\\\s]+$/.test(name) && !/:\d*$/.test(name) && URL.canParse(`http://${name}`)) return name
  throw new ClientError(`Not a host name: ${host}`)
}

function checkPort(port: string): string {
  if (/^\d{1,5}$/.test(port) && Number(port) > 0 && Number(port) <= 65_535) return port
  throw new ClientError(`Not a port: ${port}. Give a number from 1 to 65535`)
}

function authTypeOf(given: string): AuthType {
  const type = given.toLowerCase()
  if (type === 'none' || type === 'ecmwf' || type === 'openid' || type === 'plain') return type
  if (type === 'etcd')
    throw new ClientError(
      'auth_type etcd is only for direct connections to an etcd: use none, ecmwf, openid or plain',
    )
  throw new ClientError(`auth_type ${given} is not known: use none, ecmwf, openid or plain`)
}

async function readUsername(
  settings: Settings,
  { home, readText, flags }: ConfigSources,
): Promise<string | undefined> {
  if (settings.username_file === undefined || flags.username !== undefined) return settings.username
  const path = expandHome(settings.username_file, home)
  const name = await readText(path).catch(() => undefined)
  if (name === undefined) throw new ClientError(`Cannot read the username_file ${path}`)
  return name.trim()
}

function optionalMs<const Name extends string>(
  name: Name,
  setting: string,
  text: string,
): { readonly [K in Name]?: number } {
  if (/^(?:null|none)$/i.test(text)) return {}
  const seconds = text.trim() === '' ? Number.NaN : Number(text)
  if (!Number.isFinite(seconds) || seconds <= 0)
    throw new ClientError(`${setting} must be a positive number of seconds or null, not ${text}`)
  return { [name]: seconds * 1000 } as { readonly [K in Name]?: number }
}

function engineWarnings({ type = 'etcd_rest' }: Settings): string[] {
  return type === 'etcd_rest'
    ? []
    : [`notification_engine type ${type} is ignored: this client always uses HTTP`]
}

function isTrue(text: string | undefined): boolean {
  return text?.trim().toLowerCase() === 'true'
}

/** Replaces `~` and `~/…` by the home folder, as a shell does. */
export function expandHome(path: string, home: string): string {
  return path === '~' || path.startsWith('~/') ? home + path.slice(1) : path
}
