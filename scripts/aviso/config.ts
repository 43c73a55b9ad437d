/**
 * The client's configuration: what the layers of `config_layers.ts` add up to.
 *
 * @module
 */

import { ClientError, EXIT_USAGE, messageOf } from '#shared/client/client_error.ts'
import type { AuthType, CredentialSettings } from '#shared/client/credentials.ts'
import type { AuthorityFile } from './authorities.ts'
import { readLayers, type Layers, type Setting, type Settings } from './config_layers.ts'
import { SETTINGS, type SettingName } from './client_settings.ts'
import { expandHome } from './paths.ts'
import { proxyText, readProxies } from './proxy.ts'
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
  /** Folder of the positions of listeners. */
  readonly stateFolder: string
  /** File of authorities that are trusted, too. */
  readonly authorityFile?: AuthorityFile
  readonly debug: boolean
  readonly quiet: boolean
  readonly noFail: boolean
  readonly logFile?: string
  /** The `listeners:` of a configuration file, with the file it is in. */
  readonly listeners?: { readonly file: YamlFile; readonly value: unknown }
  /** Warnings for the user about a configuration that nevertheless works. */
  readonly warnings: readonly string[]
  readonly origin: ConfigOrigin
}

/** Where the configuration comes from. */
export interface ConfigOrigin {
  /** The effective settings, in the order of the table; `from` is `default` where no layer has it. */
  readonly settings: readonly (Setting & { readonly name: string })[]
  readonly files: Layers['files']
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
  readonly tokenFile?: string
  readonly caFile?: string
  readonly host?: string
  readonly port?: string
  /** Of `listen` alone. */
  readonly state?: string
}

/** Where the configuration comes from. */
export interface ConfigSources {
  readonly flags: ConfigFlags
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly home: string
  /** @returns the text; `undefined` when there is no such file. Throws any other failure. */
  readonly readText: (path: string) => Promise<string | undefined>
}

const DEFAULTS: Readonly<Partial<Record<SettingName, string>>> = Object.fromEntries(
  SETTINGS.flatMap(({ name, default: value }) => (value === undefined ? [] : [[name, value]])),
)
/** YAML 1.1's words for booleans, which are those of 1.x's files; `1` and `0` come from environments. */
const BOOLEANS: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  '1': true,
  false: false,
  no: false,
  off: false,
  '0': false,
}
/** Settings that are shown as one address. */
const ADDRESS: readonly SettingName[] = ['base_url', 'host', 'port', 'https']
/** Settings in which `~` is the home folder. */
const PATHS: readonly SettingName[] = ['token_file', 'username_file', 'key_file', 'ca_file', 'state', 'log']
/** Longest secret of which nothing is shown. */
const MAX_HIDDEN_CHARACTERS = 16
const SHOWN_CHARACTERS = 4

/**
 * Reads and merges all layers.
 *
 * @throws {ClientError} for a file that cannot be read or parsed, and for a value that cannot be used, with its place.
 */
export async function loadClientConfig(sources: ConfigSources): Promise<ClientConfig> {
  const { home } = sources
  const layers = await readLayers(sources)
  const settings = withOneCredential(layers.settings, sources)
  const username = await readUsername(settings, sources)
  const address = baseUrlOf(settings, sources)
  const logFile = settings.log?.value
  const authority = settings.ca_file
  return {
    baseUrl: address.value,
    ...credentialSettings(settings, home),
    ...(username !== undefined && { username }),
    ...optionalMs('timeoutMs', 'timeout', settings),
    ...optionalMs('retryDelayMs', 'automatic_retry_delay', settings),
    catchup: isTrue('catchup', settings),
    stateFolder: expandHome(valueOf('state', settings), home),
    ...(authority !== undefined && {
      authorityFile: { path: expandHome(authority.value, home), from: authority.from },
    }),
    debug: isTrue('debug', settings),
    quiet: isTrue('quiet', settings),
    noFail: isTrue('no_fail', settings),
    ...(logFile !== undefined && { logFile: expandHome(logFile, home) }),
    ...(layers.listeners !== undefined && { listeners: layers.listeners }),
    warnings: [...layers.warnings, ...engineWarnings(settings), ...keyWarnings(settings)],
    origin: { settings: originOf(settings, sources, address), files: layers.files },
  }
}

/** A credential that a later layer names wins over one of another kind in an earlier layer. */
function withOneCredential(settings: Settings, { flags }: ConfigSources): Settings {
  const { token, token_file: tokenFile, ...others } = settings
  if (flags.tokenFile !== undefined) return { ...others, ...(tokenFile && { token_file: tokenFile }) }
  if (flags.key !== undefined) return others
  if (token !== undefined) return { ...others, token }
  return { ...others, ...(tokenFile && { token_file: tokenFile }) }
}

function credentialSettings(settings: Settings, home: string): CredentialSettings {
  const authType = authTypeOf(settings)
  const { token, token_file: tokenFile } = settings
  const keyFile = expandHome(tokenFile?.value ?? valueOf('key_file', settings), home)
  const given = token ?? tokenFile
  if (given === undefined) return { authType, keyFile }
  if (authType === 'plain') {
    throw new ClientError(
      `${given.from}: auth_type plain takes a user name and a key, not a token: set auth_type to bearer, or leave the token out`,
    )
  }
  return {
    authType: authTypeOf({ auth_type: authTypeSetting(settings) }),
    keyFile,
    keySetting: 'token_file',
    ...(token !== undefined && { key: token.value.trim() }),
  }
}

/** The effective settings. The parts of an address that something else has replaced are left out. */
function originOf(
  settings: Settings,
  { home, environment }: ConfigSources,
  address: Setting,
): ConfigOrigin['settings'] {
  const effective: Settings = { ...settings, auth_type: authTypeSetting(settings) }
  const rows = SETTINGS.flatMap(({ name }) => {
    if (ADDRESS.includes(name)) return []
    const { value, from } = effective[name] ?? { value: DEFAULTS[name], from: 'default' }
    if (value === undefined) return []
    return [{ name, value: shownValue(name, value, home), from }]
  })
  return [{ name: 'base_url', ...address }, ...rows, { name: 'proxy', ...proxySetting(address, environment) }]
}

/** The proxy between the client and the service. Triggers may have others. */
function proxySetting(address: Setting, environment: ConfigSources['environment']): Setting {
  const proxy = readProxies(environment).proxyOf(address.value)
  return proxy === undefined
    ? { value: 'none', from: 'default' }
    : { value: proxyText(proxy), from: proxy.variable }
}

function shownValue(name: SettingName, value: string, home: string): string {
  if (name === 'token') return shortened(value)
  return PATHS.includes(name) ? expandHome(value, home) : value
}

function authTypeSetting(settings: Settings): Setting {
  const given = settings.token ?? settings.token_file
  const type = authTypeOf(settings)
  if (given !== undefined && type === 'none') return { value: 'bearer', from: given.from }
  return { value: type, from: settings.auth_type?.from ?? 'default' }
}

/** A secret as it may be shown: enough to recognise it. */
function shortened(secret: string): string {
  const shown = secret.length > MAX_HIDDEN_CHARACTERS ? secret.slice(0, SHOWN_CHARACTERS) : ''
  return `${shown}… (${secret.length} characters)`
}

/** Flags win over `AVISO_BASE_URL`, which wins over the single settings of 1.x. */
function baseUrlOf(settings: Settings, { flags }: ConfigSources): Setting {
  const given = settings.base_url
  const scheme = isTrue('https', settings) ? 'https' : 'http'
  const engineUrl = `${scheme}://${bracketed(valueOf('host', settings))}:${valueOf('port', settings)}`
  const places = (names: readonly SettingName[]): string[] =>
    names.flatMap((name) => settings[name]?.from ?? [])
  const url = parseUrl(
    given?.value ?? engineUrl,
    given === undefined ? places(['host', 'port', 'https']) : [given.from],
  )
  const { host, port } = flags
  if (host !== undefined) url.hostname = checkHost(host)
  if (port !== undefined) url.port = checkPort(port)
  const from = [
    ...(given === undefined ? places(['https']) : [given.from]),
    ...(host === undefined ? (given === undefined ? places(['host']) : []) : ['--host']),
    ...(port === undefined ? (given === undefined ? places(['port']) : []) : ['--port']),
  ]
  return {
    value: (url.origin + url.pathname).replace(/\/+$/, ''),
    from: from.length === 0 ? 'default' : from.join(', '),
  }
}

function parseUrl(text: string, from: readonly string[]): URL {
  const where = from.length === 0 ? '' : `${from.join(', ')}: `
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new ClientError(`${where}Not an address of a service: ${text}. Give an http or https address`)
  if (url.username !== '' || url.password !== '') {
    throw new ClientError(
      `${where}The address of the service must not hold a password: use auth_type, username and key_file`,
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
  throw new ClientError(`Not a host name: ${host}`, { exitCode: EXIT_USAGE })
}

function checkPort(port: string): string {
  if (/^\d{1,5}$/.test(port) && Number(port) > 0 && Number(port) <= 65_535) return port
  throw new ClientError(`Not a port: ${port}. Give a number from 1 to 65535`, { exitCode: EXIT_USAGE })
}

const AUTH_TYPES: readonly AuthType[] = ['none', 'bearer', 'ecmwf', 'openid', 'plain']

function authTypeOf(settings: Settings): AuthType {
  const given = valueOf('auth_type', settings)
  const type = AUTH_TYPES.find((each) => each === given.toLowerCase())
  if (type !== undefined) return type
  const use = `use ${AUTH_TYPES.slice(0, -1).join(', ')} or plain`
  throw new ClientError(
    given.toLowerCase() === 'etcd'
      ? `${placeOf('auth_type', settings)}auth_type etcd is only for direct connections to an etcd: ${use}`
      : `${placeOf('auth_type', settings)}auth_type ${given} is not known: ${use}`,
  )
}

async function readUsername(
  settings: Settings,
  { home, readText, flags }: ConfigSources,
): Promise<string | undefined> {
  const file = settings.username_file
  if (file === undefined || flags.username !== undefined) return settings.username?.value
  const path = expandHome(file.value, home)
  const name = await readText(path).catch((cause: unknown) => {
    throw new ClientError(`${file.from}: Cannot read the username_file ${path}: ${messageOf(cause)}`, {
      cause,
    })
  })
  if (name === undefined)
    throw new ClientError(`${file.from}: Cannot read the username_file ${path}: there is no such file`)
  return name.trim()
}

function optionalMs<const Name extends string>(
  name: Name,
  setting: 'timeout' | 'automatic_retry_delay',
  settings: Settings,
): { readonly [K in Name]?: number } {
  const text = settings[setting]?.value ?? (setting === 'timeout' ? valueOf(setting, settings) : 'null')
  if (/^(?:null|none)$/i.test(text)) return {}
  const seconds = text.trim() === '' ? Number.NaN : Number(text)
  if (!Number.isFinite(seconds) || seconds <= 0)
    throw new ClientError(
      `${placeOf(setting, settings)}${setting} must be a positive number of seconds or null, not ${text}`,
    )
  return { [name]: seconds * 1000 } as { readonly [K in Name]?: number }
}

function engineWarnings({ type }: Settings): string[] {
  return type === undefined || type.value === 'etcd_rest'
    ? []
    : [`${type.from}: notification_engine type ${type.value} is ignored: this client always uses HTTP`]
}

/** A key that is never sent would look like a refusal of the service. */
function keyWarnings(settings: Settings): string[] {
  const { key_file: keyFile, token, token_file: tokenFile } = settings
  if (keyFile === undefined || token !== undefined || tokenFile !== undefined) return []
  return authTypeOf(settings) === 'none'
    ? [
        `${keyFile.from}: the key is not sent, because auth_type is none: set it to ecmwf, openid, plain or bearer`,
      ]
    : []
}

function isTrue(name: 'https' | 'catchup' | 'debug' | 'quiet' | 'no_fail', settings: Settings): boolean {
  const text = valueOf(name, settings).trim()
  const value = BOOLEANS[text.toLowerCase()]
  if (value !== undefined) return value
  throw new ClientError(`${placeOf(name, settings)}${name} must be true or false, not ${text}`)
}

function valueOf(name: SettingName, settings: Settings): string {
  return settings[name]?.value ?? DEFAULTS[name] ?? ''
}

/** The place of a value, for the beginning of a message. */
function placeOf(name: SettingName, settings: Settings): string {
  const setting = settings[name]
  return setting === undefined ? '' : `${setting.from}: `
}
