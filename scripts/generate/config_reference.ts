/**
 * Generates the reference of settings from the schemas that the services own.
 *
 * @module
 */

import { configNode, sentences, type SchemaNode } from './config_schema.ts'
import { code, generatedDocument, table } from './markdown.ts'

const INTRODUCTION = `The file is \`wrangler-like.config.json\`, or the one that \`--config\` names.
[README.md](README.md#configuration) says how it is read. An editor that follows \`$schema\` to \`config.schema.json\`
completes and checks it. \`npm start\` refuses a key that is not listed here.

A key that is not required may be left out. Its default then applies, or what its description says. \`[]\` stands for each
element of a list, and \`*\` for each name. For a secret, give the name of its environment variable.`

const NEEDED = 'required'

/** Headings, each with a prefix of paths. A setting is listed under the longest prefix of its path. */
const SECTIONS: readonly (readonly [prefix: string, title: string])[] = [
  ['', 'The file'],
  ['dev', 'The launcher: `dev`'],
  ['vars', 'All services: `vars`'],
  ['vars.telemetry', 'Telemetry: `vars.telemetry`'],
  ['vars.identity', 'Identity: `vars.identity`'],
  ['vars.policy', 'Policy: `vars.policy`'],
  ['vars.quota', 'Quotas: `vars.quota`'],
  ['workers', 'The services: `workers`'],
  ['workers.NAME', 'Every service: `workers.NAME`'],
  ['workers.rest.vars', 'The ingest: `workers.rest.vars`'],
  ['workers.auth.vars', 'The listening service: `workers.auth.vars`'],
  ['workers.admin.vars', 'The admin service: `workers.admin.vars`'],
  ['workers.admin.triggers', 'Schedules: `workers.admin.triggers`'],
  ['workers.monitoring.vars', 'The monitoring service: `workers.monitoring.vars`'],
  ['workers.runs.vars', 'The service of runs: `workers.runs.vars`'],
]

/** Settings that every service has are listed once. */
const SHOWN_SERVICE = /^workers\.rest\.(?!vars)/
const OTHER_SERVICE = /^workers\.(?:auth|admin|monitoring|runs)\.(?!vars|triggers)/

/** One setting. */
interface Setting {
  readonly path: string
  readonly node: SchemaNode
  readonly isRequired: boolean
}

/** The text of `services/CONFIGURATION.md`. */
export function configReferenceText(): string {
  const settings = [...settingsOf(configNode(), '')].flatMap(shownOnce)
  const head = ['key', 'type', 'default', 'unit', 'description']
  const parts = SECTIONS.flatMap(([prefix, title]) => {
    const rows = settings.filter(({ path }) => sectionOf(path) === prefix).map(rowOf)
    return [`## ${title}`, table(head, rows)]
  })
  return generatedDocument('Configuration', '`services/*/settings.ts` and `shared/**/settings.ts`', [
    INTRODUCTION,
    ...parts,
  ])
}

/** All settings below a node. A section comes before its settings. */
function* settingsOf(node: SchemaNode, path: string): Generator<Setting> {
  for (const [name, part] of Object.entries(node.properties ?? {})) {
    const inner = path === '' ? name : `${path}.${name}`
    if (!isOnlyAFolder(part)) {
      yield { path: inner, node: part, isRequired: node.required?.includes(name) === true }
    }
    if (!isSaidInOneLine(part)) yield* settingsOf(part, inner)
  }
  if (typeof node.additionalProperties === 'object') yield* settingsOf(node.additionalProperties, `${path}.*`)
  if (node.items !== undefined) yield* settingsOf(node.items, `${path}[]`)
  for (const shape of node.anyOf ?? []) yield* settingsOf(shape, path)
  for (const shape of node.oneOf ?? []) {
    const { kind, ...properties } = shape.properties ?? {}
    const told = { ...kind, description: sentences(kind?.description, shape.description) }
    const inner = { ...shape, properties: { kind: told, ...properties } }
    yield* settingsOf(inner, path.replace(/\[\]$/, `[${String(kind?.const)}]`))
  }
}

/** Whether a node is a section without a description. It is not listed, because it says nothing beyond its settings. */
function isOnlyAFolder({ properties, description }: SchemaNode): boolean {
  return properties !== undefined && description === undefined
}

/** Whether one line describes a section: its default names all its settings, such as two thresholds, or it is defined elsewhere. */
function isSaidInOneLine({ properties, additionalProperties, default: value }: SchemaNode): boolean {
  if (properties === undefined) return false
  if (additionalProperties !== false) return true
  return typeof value === 'object' && value !== null && Object.keys(properties).every((name) => name in value)
}

function shownOnce(setting: Setting): readonly Setting[] {
  if (OTHER_SERVICE.test(setting.path)) return []
  return [{ ...setting, path: setting.path.replace(SHOWN_SERVICE, 'workers.NAME.') }]
}

function sectionOf(path: string): string {
  const prefixes = SECTIONS.map(([prefix]) => prefix).filter(
    (prefix) => prefix === '' || path === prefix || path.startsWith(`${prefix}.`),
  )
  return prefixes.toSorted((a, b) => b.length - a.length)[0] ?? ''
}

function rowOf({ path, node, isRequired }: Setting): readonly string[] {
  const json = JSON.stringify(node.default ?? {})
  const value = json === '{}' ? '' : code(json)
  const description = sentences(node.description, node.items?.description)
  return [code(path), typeOf(node), isRequired ? NEEDED : value, node.unit ?? '', description]
}

/** The type in words: `number from 1 to 60`, `list of text`, `text or null`. */
function typeOf(node: SchemaNode): string {
  if (node.const !== undefined) return code(JSON.stringify(node.const))
  if (node.enum !== undefined) return node.enum.map((value) => code(JSON.stringify(value))).join(', ')
  const shapes = node.anyOf ?? node.oneOf
  if (shapes !== undefined) return [...new Set(shapes.map(typeOf))].join(' or ')
  switch (node.type) {
    case 'array':
      return `list of ${typeOf(node.items ?? {}).replace(/\bsection$/, 'sections')}`
    case 'object':
      return objectType(node)
    case 'string':
      return 'text'
    case 'number':
    case 'integer':
      return `${node.type === 'integer' ? 'whole number' : 'number'}${bounds(node)}`
    default:
      return String(node.type ?? 'anything')
  }
}

function objectType({ additionalProperties, properties = {} }: SchemaNode): string {
  if (typeof additionalProperties === 'object') return `name → ${typeOf(additionalProperties)}`
  return additionalProperties === false || Object.keys(properties).length === 0 ? 'section' : 'object'
}

function bounds({ minimum, maximum }: SchemaNode): string {
  const isHighest = maximum === undefined || maximum === Number.MAX_SAFE_INTEGER
  if (minimum === undefined) return isHighest ? '' : ` up to ${maximum}`
  return isHighest ? ` from ${minimum}` : ` from ${minimum} to ${maximum}`
}
