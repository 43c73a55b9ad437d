/**
 * Reads the configuration of aviso-server 2.x: one document of several files, over which the environment stands.
 *
 * @module
 */

import { isMap, LineCounter, parseDocument } from 'yaml'
import { AvisoError } from '#shared/errors.ts'

/** A configuration of 2.x, as far as it is an object. */
export type Document2x = Readonly<Record<string, unknown>>

/** Far larger than any configuration, so a larger file is the wrong file. */
const MAX_CHARACTERS = 4_000_000
/** Most aliases, because aliases can expand a small text into large data. */
const MAX_ALIASES = 100
/** Deepest place of a variable. The deepest setting of 2.x has three steps. */
const MAX_STEPS = 8
/** How variables of 2.x begin. */
const PREFIX = 'AVISOSERVER_'
const SEPARATOR = '__'
/** Names one file, and is no setting. */
export const FILE_VARIABLE = 'AVISOSERVER_CONFIG_FILE'
/** Names that would change an object's prototype. */
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype'])

/** What only a configuration of 2.x has at its top. */
const MEMBERS_2X = [
  'application',
  'watch_endpoint',
  'notification_backend',
  'notification_schema',
  'notification_schema_strict',
]
/** What only ours has there. */
const OUR_MEMBERS = ['workers', 'services', 'vars', 'dev']

/** Where 2.x looks for its configuration, the last the strongest. */
export function places2x(home: string): readonly string[] {
  return [
    'configuration/config.yaml',
    '/etc/aviso_server/config.yaml',
    `${home.replace(/\/+$/, '')}/.aviso_server/config.yaml`,
  ]
}

/**
 * Reads a text that may be a configuration of 2.x, which is YAML or JSON.
 *
 * @param source Name of the file, for messages.
 * @returns the document; `undefined` where it is another one, or none at all
 * @throws {AvisoError} `ERR_CONFIG` with line and column for a configuration of 2.x whose text is damaged.
 */
export function parseDocument2x(text: string, source: string): Document2x | undefined {
  if (text.length > MAX_CHARACTERS) return undefined
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false, schema: 'core', merge: true })
  if (!isMap(document.contents)) return undefined
  const is2x =
    MEMBERS_2X.some((name) => document.has(name)) && !OUR_MEMBERS.some((name) => document.has(name))
  if (!is2x) return undefined
  const [error] = document.errors
  if (error !== undefined) {
    const { line, col } = lineCounter.linePos(error.pos[0])
    throw new AvisoError('ERR_CONFIG', `${source}: ${line}:${col}: ${error.message}`)
  }
  try {
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES })
    return asObject(value)
  } catch (cause) {
    throw new AvisoError('ERR_CONFIG', `${source}: it uses too many aliases`, { cause })
  }
}

/** One document of several, as 2.x merges them: objects member by member, and of all else the last. */
export function mergeDocuments(documents: readonly Document2x[]): Document2x {
  return documents.reduce((below, above) => asObject(merge(below, above)) ?? {}, {})
}

/**
 * The settings in the environment, such as `AVISOSERVER_APPLICATION__PORT` for `application.port`.
 *
 * @returns a document that stands over those of the files; its values are texts
 */
export function documentOf(environment: Readonly<Record<string, string | undefined>>): Document2x {
  const found = Object.entries(environment).flatMap(([name, value]) => {
    if (!name.startsWith(PREFIX) || name === FILE_VARIABLE || value === undefined) return []
    const steps = name.slice(PREFIX.length).toLowerCase().split(SEPARATOR)
    const isPlace = steps.length <= MAX_STEPS && steps.every((step) => step !== '' && !FORBIDDEN.has(step))
    return isPlace ? [steps.reduceRight<unknown>((inner, step) => ({ [step]: inner }), value)] : []
  })
  return mergeDocuments(found.map((each) => asObject(each) ?? {}))
}

function merge(below: unknown, above: unknown): unknown {
  const [under, over] = [asObject(below), asObject(above)]
  if (under === undefined || over === undefined) return above
  const merged = new Map(Object.entries(under))
  for (const [name, value] of Object.entries(over)) {
    if (FORBIDDEN.has(name))
      throw new AvisoError('ERR_CONFIG', `The name "${name}" is not allowed in a configuration`)
    merged.set(name, merged.has(name) ? merge(merged.get(name), value) : value)
  }
  return Object.fromEntries(merged)
}

/** @returns the value, if it is an object and no list */
export function asObject(value: unknown): Document2x | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : undefined
}
