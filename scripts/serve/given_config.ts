/**
 * Lets the launcher read a configuration of aviso-server 2.x as if it were ours. It is told from ours by its content.
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import { withConfigFile, type ServeOptions } from './options.ts'

/** What the launcher goes on with. */
export interface GivenConfig {
  readonly options: ServeOptions
  /** Reads files. Where the configuration is of 2.x, its name gives ours, and the name of its schema gives that. */
  readonly readText: (path: string) => Promise<string>
  /** The environment, with the secrets of the configuration. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** What the operator should know, a line each; none where the configuration is ours. */
  readonly notes: readonly string[]
}

/** What it is found with. */
export interface GivenConfigParts {
  readonly readText: (path: string) => Promise<string>
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Folder of the user. */
  readonly home: string
  /** Makes a secret that nobody can guess. */
  readonly newToken: () => string
}

/**
 * Finds the configuration: the file that is named, the one that `AVISOSERVER_CONFIG_FILE` names, ours of the working folder, or those of the
 * places where 2.x looks.
 *
 * @throws {AvisoError} `ERR_CONFIG` for a configuration of 2.x that cannot be taken over.
 */
export async function findGivenConfig(options: ServeOptions, parts: GivenConfigParts): Promise<GivenConfig> {
  const { readText, environment, home } = parts
  const ours = { options, readText, environment, notes: [] }
  const text = await optional(readText(options.config))
  const isNamed = options.isConfigNamed === true
  const isElsewhere = !isNamed && (environment['AVISOSERVER_CONFIG_FILE'] ?? '') !== ''
  if (!isElsewhere && text !== undefined && isOurs(text)) return ours
  // Loaded here, because most operators have none: it brings a parser of YAML.
  const { createParser, findConfig2x, readFile2x, takeOver } = await import('../aviso/import_2x/given.ts')
  const sources = { readText: (path: string) => optional(readText(path)), environment, parse: createParser() }
  const isOneFile = !isElsewhere && (isNamed || text !== undefined)
  if (isOneFile && text === undefined) return ours
  const find = () => (isOneFile ? readFile2x(options.config, sources) : findConfig2x(sources, home))
  const given = await find()
  if (given === undefined) return ours
  const config = given.source
  const schemaFile = `notification_schema of ${config}`
  const { secrets, notes } = takeOver(given, schemaFile)
  const again = async () => {
    const now = (await find()) ?? given
    return takeOver(now, schemaFile)
  }
  return {
    options: { ...options, config, isConfigNamed: true },
    environment: { ...tokenOf(parts), ...environment, ...Object.fromEntries(secrets) },
    notes: notes.map((note) => `${config}: ${note}`),
    async readText(path) {
      if (path === config) return JSON.stringify((await again()).config)
      if (path === schemaFile) return JSON.stringify((await again()).schema)
      return readText(path)
    },
  }
}

/**
 * Finds the configuration as a start would, for a command that starts nothing: of 2.x, of the working folder, or the built-in one.
 *
 * @throws {AvisoError} `ERR_CONFIG` as {@link findGivenConfig}.
 */
export async function findConfigToRead(
  options: ServeOptions,
  parts: Omit<GivenConfigParts, 'newToken'>,
): Promise<GivenConfig> {
  const given = await findGivenConfig(options, {
    ...parts,
    newToken: () => 'of a command that starts nothing',
  })
  return { ...given, options: await withConfigFile(given.options, given.readText) }
}

/** A token for whoever administers, that nobody has where the operator gave none. */
function tokenOf({ environment, newToken }: GivenConfigParts): Readonly<Record<string, string>> {
  return environment['AVISO_ADMIN_TOKEN_FILE'] === undefined ? { AVISO_ADMIN_TOKEN: newToken() } : {}
}

/** Whether a text is a file of ours, or at least none of 2.x, without a parser of YAML. */
export function isOurs(text: string): boolean {
  try {
    const file: unknown = JSON.parse(text)
    return typeof file !== 'object' || file === null || 'services' in file || 'vars' in file
  } catch {
    return false
  }
}

async function optional(reading: Promise<string>): Promise<string | undefined> {
  try {
    return await reading
  } catch (error) {
    if (isAvisoError(error)) throw error
    return undefined
  }
}
