/**
 * Loads settings from the text of a configuration file: parses it, merges an environment into it, checks it against a schema and fills in
 * defaults. Each room owns the schema of its settings.
 *
 * @module
 */

import * as v from 'valibot'
import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { parseStrictJson } from '#shared/json/strict_json.ts'
import { explain, flawLine, type Flaw } from './explain.ts'

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json }

/** Deepest nesting: deeper than any configuration needs. */
const MAX_DEPTH = 32
/** Names that would change an object's prototype. */
const FORBIDDEN_NAMES = new Set(['__proto__', 'constructor', 'prototype'])

/** The text of a configuration file, and the environment to use. */
export interface ConfigText {
  readonly text: string
  /** Name of the file, for messages. */
  readonly source: string
  /** Name of an overlay under `env`; absent: no overlay. */
  readonly environment?: string | undefined
}

/** What a configuration file says, as far as it can be used. */
export interface ReadSettings<Settings> {
  /** The settings without what is wrong, so that its other parts can be judged too; `undefined` where too little is left. */
  readonly settings: Settings | undefined
  /** What is wrong; none: the settings are whole. */
  readonly flaws: readonly Flaw[]
  /** The values of the file with the environment applied, without defaults: a file for a process that reads no other. */
  readonly given: Readonly<Record<string, unknown>>
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
  { text, source, environment }: ConfigText,
): ReadSettings<v.InferOutput<Schema>> {
  const file = parse(text, source)
  if (!isObject(file)) throw new AvisoError('ERR_CONFIG', `${source}: expected a JSON object`)
  const { env, ...base } = file
  const overlay = environment === undefined ? {} : overlayOf(env, environment, source)
  const merged = merge(base, overlay, source)
  refuseTwice(text, source)
  const given = isObject(merged) ? merged : {}
  const result = v.safeParse(schema, merged)
  if (result.success) return { settings: result.output, flaws: [], given }
  const flaws = explain(result.issues)
  return { settings: withoutFlaws(schema, merged, flaws), flaws, given }
}

/** Leaves out what is wrong, and what is incomplete without it; `undefined` where the file lacks what it must have. */
function withoutFlaws<const Schema extends v.GenericSchema>(
  schema: Schema,
  given: Json,
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
function without(value: Json, [step, ...below]: readonly string[]): Json {
  if (step === undefined || !isObject(value)) return value
  const { [step]: inner, ...rest } = value
  if (inner === undefined || below.length === 0 || !isObject(inner)) return rest
  return { ...rest, [step]: without(inner, below) }
}

function parse(text: string, source: string): Json {
  try {
    return JSON.parse(text) as Json
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

function overlayOf(
  env: Json | undefined,
  environment: string,
  source: string,
): { readonly [name: string]: Json } {
  const known = isObject(env) ? Object.keys(env) : []
  const overlay = isObject(env) && known.includes(environment) ? env[environment] : undefined
  if (isObject(overlay)) return overlay
  const list = known.length === 0 ? 'it has none' : `known are ${known.join(', ')}`
  throw new AvisoError('ERR_CONFIG', `${source}: no environment "${environment}" under env: ${list}`)
}

function merge(base: Json, overlay: Json, source: string): Json {
  if (!isObject(base) || !isObject(overlay)) return overlay
  const merged: Record<string, Json> = { ...base }
  for (const [name, value] of Object.entries(overlay)) {
    if (FORBIDDEN_NAMES.has(name))
      throw new AvisoError('ERR_CONFIG', `${source}: the name "${name}" is not allowed`)
    const below = merged[name]
    merged[name] = below === undefined ? value : merge(below, value, source)
  }
  return merged
}

function isObject(value: Json | undefined): value is { readonly [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
