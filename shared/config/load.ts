/**
 * Loads settings from the text of a configuration file: parses it, merges an environment into it, checks it against a schema and fills in
 * defaults. Each room owns the schema of its settings.
 *
 * @module
 */

import * as v from 'valibot'
import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { parseStrictJson } from '#shared/json/strict_json.ts'
import { isJsonRecord, type JsonRecord } from '#shared/json/record.ts'
import { explain, flawLine, type Flaw } from './explain.ts'
import { withoutComments } from './jsonc.ts'

/** Deepest nesting: deeper than any configuration needs. */
const MAX_DEPTH = 32
/** Most unknown names that one section is asked for. More are no slips of a person. */
const MOST_UNKNOWN = 50
/** Names that would change an object's prototype. */
const FORBIDDEN_NAMES = new Set(['__proto__', 'constructor', 'prototype'])

/** The text of a configuration file, and the environment to use. */
export interface ConfigText {
  readonly text: string
  /** Name of the file, for messages. */
  readonly source: string
  /** Name of an environment under `env`; absent: none. */
  readonly environment?: string | undefined
  /** Applies the environment, and gives an older form of the file the present one. Default: objects of `env.NAME` are merged. */
  readonly form?: FileForm | undefined
}

/** A file in its present form, with an environment applied. */
export interface FormedFile {
  readonly given: JsonRecord
  /** What the operator should write instead, in words. */
  readonly notices: readonly string[]
  /** The environments that the file has. */
  readonly environments: readonly string[]
  /** What is wrong with the form itself, at its place in the file. */
  readonly flaws?: readonly Flaw[]
  /** Where a value came from: the path in the file of a path in `given`. */
  readonly placeOf: (path: readonly string[]) => readonly string[]
}

/** @throws {AvisoError} `ERR_CONFIG` where the file has no such environment. */
export type FileForm = (file: JsonRecord, environment: string | undefined, source: string) => FormedFile

/** What a configuration file says, as far as it can be used. */
export interface ReadSettings<Settings> {
  /** The settings without what is wrong, so that its other parts can be judged too; `undefined` where too little is left. */
  readonly settings: Settings | undefined
  /** What is wrong; none: the settings are whole. */
  readonly flaws: readonly Flaw[]
  /** The values of the file with the environment applied, without defaults: a file for a process that reads no other. */
  readonly given: JsonRecord
  /** What the operator should write instead of something that is still read. */
  readonly notices: readonly string[]
}

/**
 * Parses a configuration file, applies the overlay `env.<environment>` (objects are merged, all other values replaced), and checks it.
 *
 * @param schema Schema of the whole file without `env`.
 * @throws {AvisoError} `ERR_CONFIG` naming the file and, for each problem, the path inside it and the reason.
 */
export function loadSettings<const Schema extends v.GenericSchema>(
  schema: Schema,
  text: ConfigText,
): v.InferOutput<Schema> {
  const { settings, flaws } = readSettings(schema, text)
  refuseProblems(text.source, flaws.map(flawLine))
  return settings
}

/**
 * Reads a configuration file as {@link loadSettings} does, and does not stop at values that cannot be used.
 *
 * @throws {AvisoError} `ERR_CONFIG` where the text itself cannot be read.
 */
export function readSettings<const Schema extends v.GenericSchema>(
  schema: Schema,
  { text, source, environment, form = mergedForm }: ConfigText,
): ReadSettings<v.InferOutput<Schema>> {
  const plain = withoutComments(text)
  const file = parse(plain, source)
  if (!isJsonRecord(file)) throw new AvisoError('ERR_CONFIG', `${source}: expected a JSON object`)
  refuseForbidden(file, source)
  refuseTwice(plain, source)
  const { given, notices, environments, placeOf, flaws: ofForm = [] } = form(file, environment, source)
  const result = v.safeParse(schema, given)
  const flaws = result.success ? [] : allFlaws(schema, given, explain(result.issues))
  const elsewhere = environments
    .filter((name) => name !== environment)
    .flatMap((name) => flawsIn(schema, form(file, name, source)))
  const known = new Set(flaws.map(flawLine))
  const all = [
    ...ofForm,
    ...flaws.map(({ path, reason }) => ({ path: placeOf(path), reason })),
    ...elsewhere.filter((flaw) => !known.has(flawLine(flaw))),
  ]
  if (result.success) return { settings: result.output, flaws: all, given, notices }
  return { settings: withoutFlaws(schema, given, flaws), flaws: all, given, notices }
}

/** What is wrong in an environment that was not asked for, at its place in the file. */
function flawsIn(schema: v.GenericSchema, { given, placeOf }: FormedFile): readonly Flaw[] {
  const result = v.safeParse(schema, given)
  if (result.success) return []
  const flaws = allFlaws(schema, given, explain(result.issues))
  return flaws.map(({ path, reason }) => ({ path: placeOf(path), reason }))
}

/** The flaws, with the unknown names that stand after the first of each section: the library stops there. */
function allFlaws(schema: v.GenericSchema, given: unknown, first: readonly Flaw[]): readonly Flaw[] {
  const unknown = ({ isUnknown = false }: Flaw): boolean => isUnknown
  const all = [...first]
  let [left, found] = [given, first.filter(unknown)]
  for (let round = 0; round < MOST_UNKNOWN && found.length > 0; round++) {
    left = found.reduce((value, { path }) => withoutName(value, path), left)
    const rest = v.safeParse(schema, left)
    found = rest.success ? [] : explain(rest.issues).filter(unknown)
    all.push(...found)
  }
  return all
}

/** A copy without the name at a path, in whatever list it stands. */
function withoutName(value: unknown, [step = '', ...below]: readonly string[]): unknown {
  if (Array.isArray(value))
    return value.map((part: unknown, index) => (String(index) === step ? withoutName(part, below) : part))
  if (!isJsonRecord(value)) return value
  const { [step]: inner, ...rest } = value
  return below.length === 0 ? rest : { ...value, [step]: withoutName(inner, below) }
}

/** The plain form: objects of `env.NAME` are merged into the file, and everything else is replaced. */
export const mergedForm: FileForm = ({ env, ...base }, environment, source) => {
  const overlay = environment === undefined ? {} : overlayOf(env, environment, source)
  const given = merge(base, overlay)
  const placeOf = (path: readonly string[]): readonly string[] =>
    environment !== undefined && isAt(overlay, path) ? ['env', environment, ...path] : path
  return { given: isJsonRecord(given) ? given : {}, notices: [], environments: namesIn(env), placeOf }
}

/** Whether a value has something at a path. What is missing is where its section is. */
export function isAt(value: unknown, [step, ...below]: readonly string[]): boolean {
  if (step === undefined) return true
  return isJsonRecord(value) && Object.hasOwn(value, step) && isAt(value[step], below)
}

/** The names of environments. */
export function namesIn(env: unknown): readonly string[] {
  return isJsonRecord(env) ? Object.keys(env) : []
}

/** Leaves out what is wrong, and what is incomplete without it; `undefined` where the file lacks what it must have. */
function withoutFlaws<const Schema extends v.GenericSchema>(
  schema: Schema,
  given: unknown,
  flaws: readonly Flaw[],
): v.InferOutput<Schema> | undefined {
  let left = given
  let wrong: readonly (readonly string[])[] = flaws.map(({ path }) => path)
  for (let up = 0; up < MAX_DEPTH; up++) {
    left = wrong.reduce((value, path) => without(value, path.slice(0, Math.max(1, path.length - up))), left)
    const rest = v.safeParse(schema, left)
    if (rest.success) return rest.output
    wrong = explain(rest.issues).map(({ path }) => path)
  }
  return undefined
}

/** @throws {AvisoError} `ERR_CONFIG` that lists the problems; none: nothing happens. */
export function refuseProblems(source: string, problems: readonly string[]): void {
  if (problems.length === 0) return
  const list = problems.length === 1 ? ` ${problems[0]}` : problems.map((line) => `\n  ${line}`).join('')
  throw new AvisoError('ERR_CONFIG', `${source}:${list}`)
}

/** A copy without the value at a path. An entry of a list takes the list with it, because the places of the others would change. */
function without(value: unknown, [step, ...below]: readonly string[]): unknown {
  if (step === undefined || !isJsonRecord(value)) return value
  const { [step]: inner, ...rest } = value
  if (inner === undefined || below.length === 0 || !isJsonRecord(inner)) return rest
  return { ...rest, [step]: without(inner, below) }
}

function parse(text: string, source: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new AvisoError(
      'ERR_CONFIG',
      `${source}: not JSON (${cause instanceof Error ? cause.message : 'unreadable'})`,
      { cause },
    )
  }
}

/** Refuses a name that occurs twice. Otherwise the last of two policies would win silently, and an operator might read only the first. */
function refuseTwice(text: string, source: string): void {
  try {
    parseStrictJson(new TextEncoder().encode(text), { maxDepth: MAX_DEPTH })
  } catch (cause) {
    const { offset = 0 } = isAvisoError(cause) ? cause.details : {}
    const line = text.slice(0, Number(offset)).split('\n').length
    throw new AvisoError('ERR_CONFIG', `${source}: a name occurs twice or is not allowed, in line ${line}`, {
      cause,
    })
  }
}

/** The part of an environment. @throws {AvisoError} `ERR_CONFIG` where there is none of this name. */
export function overlayOf(env: unknown, environment: string, source: string): JsonRecord {
  const known = namesIn(env)
  const overlay = isJsonRecord(env) && known.includes(environment) ? env[environment] : undefined
  if (isJsonRecord(overlay)) return overlay
  throw noEnvironment(environment, known, source)
}

/** @param known The environments that there are. */
export function noEnvironment(environment: string, known: readonly string[], source: string): AvisoError {
  const list = known.length === 0 ? 'it has none' : `known are ${known.join(', ')}`
  return new AvisoError('ERR_CONFIG', `${source}: no environment "${environment}" under env: ${list}`)
}

function refuseForbidden(value: unknown, source: string): void {
  if (Array.isArray(value)) for (const part of value) refuseForbidden(part, source)
  if (!isJsonRecord(value)) return
  for (const [name, part] of Object.entries(value)) {
    if (FORBIDDEN_NAMES.has(name))
      throw new AvisoError('ERR_CONFIG', `${source}: the name "${name}" is not allowed`)
    refuseForbidden(part, source)
  }
}

function merge(base: unknown, overlay: unknown): unknown {
  if (!isJsonRecord(base) || !isJsonRecord(overlay)) return overlay
  const merged: Record<string, unknown> = { ...base }
  for (const [name, value] of Object.entries(overlay)) {
    const below = merged[name]
    merged[name] = below === undefined ? value : merge(below, value)
  }
  return merged
}
