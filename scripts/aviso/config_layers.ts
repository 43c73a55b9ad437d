/**
 * Reads the layers of the client's configuration, each value with the place that it comes from.
 *
 * Order of the layers: defaults, `/etc/aviso/config.yaml`, `~/.aviso/config.yaml`, `$AVISO_CONFIG`, `-c`, environment, flags.
 *
 * @module
 */

import * as v from 'valibot'
import { closest } from '#shared/closest.ts'
import { ClientError, messageOf } from '#shared/client/client_error.ts'
import { isJsonRecord } from '#shared/json/record.ts'
import { IGNORED_VARIABLES, OTHER_VARIABLES, SETTINGS, type SettingName } from './client_settings.ts'
import type { ConfigFlags, ConfigSources } from './config.ts'
import { issuePath, type PathStep } from './issue_path.ts'
import { expandHome } from './paths.ts'
import { NOTIFICATION_VARIABLE } from './triggers/notification_variables.ts'
import type { YamlFile } from './yaml_file.ts'

/** A value, and where it stands: a variable, a flag, or a place in a file. */
export interface Setting {
  readonly value: string
  readonly from: string
}

const PREFIX = 'AVISO_'
/** What the variables of 1.x for the section of the service have behind that. */
const ENGINE_VARIABLES = 'NOTIFICATION_'

/** `null` in `timeout` is the text `null`. */
export type Settings = Partial<Record<SettingName, Setting>>

/** All layers, laid over one another. */
export interface Layers {
  readonly settings: Settings
  readonly listeners: { readonly file: YamlFile; readonly value: unknown } | undefined
  /** The files that were looked for. */
  readonly files: readonly { readonly path: string; readonly isThere: boolean }[]
  readonly warnings: readonly string[]
}

const text = v.union([
  v.string(),
  v.pipe(
    v.boolean(),
    v.transform((flag) => String(flag)),
  ),
])
const optionalText = v.nullish(text)
const keysBelow = (prefix: string): string[] =>
  SETTINGS.flatMap(({ key }) => {
    if (key === undefined) return []
    const name = prefix === '' ? key : key.startsWith(prefix) ? key.slice(prefix.length) : ''
    return name === '' || name.includes('.') ? [] : [name]
  })
const ENGINE = 'notification_engine'
const ENGINE_KEYS = keysBelow(`${ENGINE}.`)
const TOP_KEYS = keysBelow('')

const entriesOf = (keys: readonly string[]): Record<string, typeof optionalText> =>
  Object.fromEntries(keys.map((key) => [key, optionalText]))

const configFile = v.looseObject({
  [ENGINE]: v.nullish(v.looseObject(entriesOf(ENGINE_KEYS))),
  listeners: v.optional(v.unknown()),
  ...entriesOf(TOP_KEYS),
})

/** Keys of 1.x that have no effect here, because the service validates, pushes and has its own configuration. */
const IGNORED_KEYS = ['configuration_engine', 'remote_schema', 'schema_parser', 'key_ttl', 'logging']
const IGNORED_ENGINE_KEYS = ['polling_interval', 'service']

/** Variables of our services, of 1.x's, and of the commands of a clone. */
const OTHER_PROGRAMS =
  /^AVISO_(?:REST|ADMIN|MONITORING|BENCH|ETCD|AUTH_(?:DEBUG|CONFIG|LOG|FRONTEND|BACKEND|AUTHORISATION|AUTHENTICATION|CACHE|MONITORING))(?:_|$)/
const SETTING_VARIABLES = SETTINGS.flatMap(({ variable }) => variable ?? [])
const KNOWN_VARIABLES = [
  ...SETTING_VARIABLES,
  ...OTHER_VARIABLES.map(([variable]) => variable),
  ...IGNORED_VARIABLES,
]

/**
 * Reads all layers.
 *
 * @throws {ClientError} for a file that cannot be read or parsed.
 */
export async function readLayers(sources: ConfigSources): Promise<Layers> {
  const settings: Settings = fromOtherPrograms(sources.environment)
  const warnings: string[] = []
  const files: { path: string; isThere: boolean }[] = []
  let listeners: Layers['listeners']
  for (const { path, required } of configFiles(sources)) {
    const content = await readConfigText(sources, path, required)
    files.push({ path, isThere: content !== undefined })
    if (content === undefined || content.trim() === '') continue
    // Loaded here, because the parser has 60 modules, and most commands of scripts have no such file.
    const { parseYamlFile } = await import('./yaml_file.ts')
    const layer = readLayer(parseYamlFile(content, path), warnings)
    Object.assign(settings, layer.settings)
    listeners = layer.listeners ?? listeners
  }
  Object.assign(settings, fromEnvironment(sources.environment), fromFlags(sources.flags))
  return { settings, listeners, files, warnings: [...warnings, ...unknownVariables(sources.environment)] }
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
    throw new ClientError(`Cannot read the configuration file ${path}: ${messageOf(cause)}`, { cause })
  })
  if (content === undefined && required) throw new ClientError(`There is no configuration file ${path}`)
  return content
}

function readLayer(
  file: YamlFile,
  warnings: string[],
): { readonly settings: Settings; readonly listeners: Layers['listeners'] } {
  const result = v.safeParse(configFile, file.value)
  if (!result.success) {
    throw new ClientError(
      result.issues.map((issue) => `${file.locate(issuePath(issue))}: ${issue.message}`).join('\n'),
    )
  }
  const { [ENGINE]: engine } = result.output
  refuseSecret(file, result.output)
  warnUnknown(file, { known: Object.keys(configFile.entries), ignored: IGNORED_KEYS, path: [] }, warnings)
  if (engine)
    warnUnknown(file, { known: ENGINE_KEYS, ignored: IGNORED_ENGINE_KEYS, path: [ENGINE] }, warnings)
  const settings: Settings = {}
  for (const { name, key } of SETTINGS) {
    if (key === undefined) continue
    const path = key.split('.')
    const value = valueAt(result.output, path)
    const from = file.locate(path)
    if (typeof value === 'string') settings[name] = { value, from }
    // In 1.x, `timeout: null` means no limit.
    else if (value === null && name === 'timeout') settings.timeout = { value: 'null', from }
  }
  const { listeners } = result.output
  return { settings, listeners: listeners === undefined ? undefined : { file, value: listeners } }
}

function refuseSecret(file: YamlFile, content: Readonly<Record<string, unknown>>): void {
  if (content['token'] === undefined) return
  throw new ClientError(
    `${file.locate(['token'])}: a configuration file must not hold a token: put it into a file for you alone, and name that with token_file`,
  )
}

function valueAt(content: unknown, path: readonly string[]): unknown {
  let value = content
  for (const step of path) value = isJsonRecord(value) ? value[step] : undefined
  return value
}

interface KnownKeys {
  readonly known: readonly string[]
  readonly ignored: readonly string[]
  readonly path: readonly string[]
}

function warnUnknown(file: YamlFile, { known, ignored, path }: KnownKeys, warnings: string[]): void {
  const value = valueAt(file.value, path)
  for (const name of Object.keys(isJsonRecord(value) ? value : {})) {
    if (known.includes(name) || ignored.includes(name)) continue
    const place: readonly PathStep[] = [...path, name]
    const meant = didYouMean(name, known) || didYouMeanElsewhere(name, path)
    warnings.push(`${file.locate(place)}: Unknown key, ignored${meant}`)
  }
}

/** Says which variables begin with `AVISO_` and mean nothing, because a misspelled one would be passed over silently. */
function unknownVariables(environment: ConfigSources['environment']): readonly string[] {
  return Object.keys(environment)
    .filter((name) => name.startsWith(PREFIX) && environment[name] !== undefined)
    .filter((name) => !KNOWN_VARIABLES.includes(name))
    .filter((name) => !NOTIFICATION_VARIABLE.test(name) && !OTHER_PROGRAMS.test(name))
    .toSorted()
    .map((name) =>
      name === 'AVISO_PASSWORD'
        ? 'AVISO_PASSWORD: ignored: put the key into a file for you alone, and name that with AVISO_KEY_FILE'
        : `${name}: Unknown variable, ignored${didYouMeanVariable(name)}`,
    )
}

/** The prefix does not count: with it, every short name would be close to another. */
function didYouMeanVariable(name: string): string {
  const [own = '', ...known] = [name, ...KNOWN_VARIABLES].map((each) => each.slice(PREFIX.length))
  // AVISO_PORT for AVISO_NOTIFICATION_PORT.
  const short = SETTING_VARIABLES.map((each) => each.slice(PREFIX.length))
    .filter((each) => each.startsWith(ENGINE_VARIABLES))
    .map((each) => each.slice(ENGINE_VARIABLES.length))
  const meantShort = closest(own, short)
  const meant = closest(own, known) ?? (meantShort && ENGINE_VARIABLES + meantShort)
  return meant === undefined ? '' : `. Did you mean ${PREFIX}${meant}?`
}

function didYouMean(name: string, known: readonly string[]): string {
  const meant = closest(name, known)
  return meant === undefined ? '' : `. Did you mean ${meant}?`
}

/** A key that belongs into the other section, such as `port` at the top. */
function didYouMeanElsewhere(name: string, path: readonly string[]): string {
  if (path.length > 0) {
    const above = closest(name, TOP_KEYS)
    return above === undefined ? '' : `. Did you mean ${above}, outside of ${path.join('.')}?`
  }
  const below = closest(name, ENGINE_KEYS)
  return below === undefined ? '' : `. Did you mean ${ENGINE}.${below}?`
}

/** What tools with OpenSSL read, below everything that is said to this client. */
function fromOtherPrograms({ SSL_CERT_FILE: file }: ConfigSources['environment']): Settings {
  return file === undefined || file === '' ? {} : { ca_file: { value: file, from: 'SSL_CERT_FILE' } }
}

function fromEnvironment(environment: ConfigSources['environment']): Settings {
  const settings: Settings = {}
  for (const { name, variable } of SETTINGS) {
    const value = variable === undefined ? undefined : environment[variable]
    if (variable !== undefined && value !== undefined && value !== '')
      settings[name] = { value, from: variable }
  }
  return settings
}

function fromFlags(flags: ConfigFlags): Settings {
  const { log, debug, quiet, fail, username, key, tokenFile, caFile, state } = flags
  return {
    ...(log !== undefined && { log: { value: log, from: '--log' } }),
    ...(debug === true && { debug: { value: 'true', from: '--debug' } }),
    ...(quiet === true && { quiet: { value: 'true', from: '--quiet' } }),
    ...(fail === false && { no_fail: { value: 'true', from: '--no-fail' } }),
    ...(username !== undefined && { username: { value: username, from: '--username' } }),
    ...(key !== undefined && { key_file: { value: key, from: '--key' } }),
    ...(tokenFile !== undefined && { token_file: { value: tokenFile, from: '--token-file' } }),
    ...(caFile !== undefined && { ca_file: { value: caFile, from: '--ca-file' } }),
    ...(state !== undefined && { state: { value: state, from: '--state' } }),
  }
}
