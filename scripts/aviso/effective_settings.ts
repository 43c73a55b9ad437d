/**
 * Says of each setting of the services what counts, and where it comes from: the file, an environment in it, or the default.
 *
 * @module
 */

import { presentForm } from '#services/system/file_form.ts'
import { configSchema } from '#services/system/settings.ts'
import { withoutComments } from '#shared/config/jsonc.ts'
import { isAt } from '#shared/config/load.ts'
import { isJsonRecord, parseJsonRecord, type JsonRecord } from '#shared/json/record.ts'

/** A setting that has a value. */
export interface EffectiveSetting {
  /** Such as `vars.store`. */
  readonly path: string
  /** As a file has it. What may be a secret is not in it. */
  readonly value: unknown
  /** `file`, `env NAME` or `default`. */
  readonly from: string
  /** Where it stands in the file. */
  readonly place?: string
}

/** The text of a configuration file. */
export interface ConfigFile {
  readonly text: string
  readonly source: string
  readonly environment: string | undefined
}

/** What stands under such a name is not shown, unless it is the name of a variable or of a file. */
const SECRET = /token|secret|password|credential/i
const NO_SECRET = /(?:Envs?|Files?)$/
const HIDDEN = '(hidden)'

/** A schema of the validation library, as far as it is walked. */
interface Node {
  readonly wrapped?: unknown
  readonly entries?: unknown
  readonly default?: unknown
}

/** A value of the file, and the default where the file has none. */
interface Found {
  readonly given: unknown
  readonly standard: unknown
}

/**
 * The settings of a file, in the order of their reference. Settings without a value and without a default are left out.
 *
 * @throws {AvisoError} `ERR_CONFIG` where the file has no such environment.
 */
export function effectiveSettings({ text, source, environment }: ConfigFile): readonly EffectiveSetting[] {
  const file = parseJsonRecord(withoutComments(text)) ?? {}
  const { given, placeOf } = presentForm(file, environment, source)
  return leavesOf(configSchema, { given, standard: undefined }, []).map(({ path, value, isGiven }) => {
    const shown = withoutSecrets(value, path.at(-1) ?? '')
    if (!isGiven) return { path: path.join('.'), value: shown, from: 'default' }
    const place = [placeOf(path), path].find((one) => isAt(file, one)) ?? path
    const from = isInEnv(place, path) ? `env ${environment}` : 'file'
    return { path: path.join('.'), value: shown, from, place: place.join('.') }
  })
}

/** Whether a place is inside of an environment: it has two steps more than the path. */
function isInEnv(place: readonly string[], path: readonly string[]): boolean {
  return place.length === path.length + 2 && place.includes('env')
}

interface Leaf {
  readonly path: readonly string[]
  readonly value: unknown
  readonly isGiven: boolean
}

function leavesOf(schema: unknown, { given, standard }: Found, path: readonly string[]): readonly Leaf[] {
  const { wrapped, entries, default: own } = nodeOf(schema)
  if (wrapped !== undefined) return leavesOf(wrapped, { given, standard: standard ?? own }, path)
  const isSection = isJsonRecord(entries) && (given === undefined || isJsonRecord(given))
  if (given === undefined && standard === undefined) return []
  if (!isSection) return [{ path, value: given ?? standard, isGiven: given !== undefined }]
  return Object.entries(entries).flatMap(([name, part]) =>
    leavesOf(part, { given: memberOf(given, name), standard: memberOf(standard, name) }, [...path, name]),
  )
}

/** An optional section without a value still has the defaults of its parts, if it has a default itself. */
function nodeOf(schema: unknown): Node {
  return typeof schema === 'object' && schema !== null ? schema : {}
}

function memberOf(value: unknown, name: string): unknown {
  return isJsonRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

/** A copy in which secrets are hidden: texts under such a name, and passwords in addresses. */
export function withoutSecrets(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return value.map((entry) => withoutSecrets(entry, name))
  if (isJsonRecord(value))
    return Object.fromEntries(
      Object.entries(value satisfies JsonRecord).map(([key, member]) => [key, withoutSecrets(member, key)]),
    )
  if (typeof value !== 'string') return value
  if (SECRET.test(name) && !NO_SECRET.test(name)) return HIDDEN
  return value.replaceAll(/\/\/[^/@\s]*@/g, '//…@')
}
