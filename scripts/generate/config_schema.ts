/**
 * Generates the JSON Schema of the configuration file, for editors, from the schemas that the services own.
 *
 * @module
 */

import { toJsonSchema } from '@valibot/to-json-schema'
import { configSchema } from '#services/system/settings.ts'

/** A part of a JSON Schema (draft 7), with the members that the configuration needs. */
export interface SchemaNode {
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly description?: string
  /** Unit of a number, such as `seconds`. */
  readonly unit?: string
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | SchemaNode
  readonly items?: SchemaNode
  readonly anyOf?: readonly SchemaNode[]
  readonly oneOf?: readonly SchemaNode[]
}

const ENVIRONMENTS =
  'Environments by name: what `--env NAME` finds here replaces what stands above. `vars`, `services` and `durable_objects` are not taken from above, as in wrangler'

/** The text of `services/config.schema.json`. */
export function configSchemaText(): string {
  const file = withUnits(configNode())
  const { env, workers, $schema, ...properties } = file.properties ?? {}
  const entries = Object.entries(workers?.properties ?? {})
  const definitions = entries.map(([name, entry]) => [name, withoutNeeds(withoutEnv(entry))])
  const schema = {
    $comment: 'Made from services/system/settings.ts by `npm run generate`. Change it there.',
    ...file,
    properties: {
      $schema,
      ...properties,
      workers: { ...workers, properties: Object.fromEntries(entries.map(withEnvironments)) },
      env: { ...env, additionalProperties: { $ref: '#/definitions/file' } },
    },
    definitions: { file: withoutNeeds({ ...file, properties }), ...Object.fromEntries(definitions) },
  }
  return `${JSON.stringify(schema, null, 2)}\n`
}

function withEnvironments([name, entry]: readonly [string, SchemaNode]): readonly [string, object] {
  const env = { ...entry.properties?.['env'], additionalProperties: { $ref: `#/definitions/${name}` } }
  return [name, { ...entry, properties: { ...entry.properties, env } }]
}

function withoutEnv(entry: SchemaNode): SchemaNode {
  const { env: _env, ...properties } = entry.properties ?? {}
  return { ...entry, properties }
}

/** An unfinished node, with texts of checks that JSON Schema cannot express. */
interface RawNode extends SchemaNode {
  readonly said?: readonly string[]
}

/**
 * The schema of the whole file. JSON Schema cannot express a check that is a function, so the message of the check is added to the
 * description.
 *
 * @throws {Error} for a schema or a check that can be neither converted nor described.
 */
export function configNode(): SchemaNode {
  const file = toJsonSchema(configSchema, {
    overrideAction({ valibotAction, jsonSchema, errors }) {
      if (errors === undefined) return undefined
      if (valibotAction.type === 'transform') return jsonSchema
      const message = 'message' in valibotAction ? valibotAction.message : undefined
      // The message of such a check depends on the value. So the schema must have a description, which is used instead.
      if (typeof message === 'function' && jsonSchema.description !== undefined) return jsonSchema
      if (typeof message !== 'string') return undefined
      const { said = [] } = jsonSchema as RawNode
      return { ...jsonSchema, said: [...said, message] } as typeof jsonSchema
    },
  }) as RawNode
  const { properties, ...rest } = withChecks(file)
  const env = { type: 'object', additionalProperties: { type: 'object' }, description: ENVIRONMENTS }
  const { workers = {} } = properties ?? {}
  const entries = Object.entries(workers.properties ?? {})
  const withEnv = entries.map(([name, entry]) => [
    name,
    { ...entry, properties: { ...entry.properties, env } },
  ])
  const present = { ...workers, properties: Object.fromEntries(withEnv) }
  return { ...rest, properties: { ...properties, workers: present, env } }
}

function withChecks(node: RawNode): SchemaNode {
  const { said, ...rest }: RawNode = mapParts(node, withChecks)
  return said === undefined ? rest : { ...rest, description: sentences(rest.description, ...said) }
}

/** Adds units to descriptions, because editors show only descriptions. */
function withUnits(node: SchemaNode): SchemaNode {
  const { unit, ...rest } = mapParts(node, withUnits)
  return unit === undefined ? rest : { ...rest, description: sentences(node.description, `Unit: ${unit}`) }
}

/** Removes requirements and defaults, because an overlay may name any part of the file. List elements keep them: lists are not merged. */
function withoutNeeds(node: SchemaNode): SchemaNode {
  const {
    required: _required,
    default: _default,
    ...rest
  } = mapParts(node, (part) => (part === node.items ? part : withoutNeeds(part)))
  return rest
}

/** A copy of a node whose parts are replaced. */
function mapParts(node: SchemaNode, replace: (part: SchemaNode) => SchemaNode): SchemaNode {
  const { properties, additionalProperties, items, anyOf, oneOf } = node
  return {
    ...node,
    ...(properties !== undefined && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, part]) => [name, replace(part)])),
    }),
    ...(typeof additionalProperties === 'object' && { additionalProperties: replace(additionalProperties) }),
    ...(items !== undefined && { items: replace(items) }),
    ...(anyOf !== undefined && { anyOf: anyOf.map(replace) }),
    ...(oneOf !== undefined && { oneOf: oneOf.map(replace) }),
  }
}

/** Joins texts to sentences, and leaves out those that are absent. */
export function sentences(...texts: readonly (string | undefined)[]): string {
  return texts.filter((text) => text !== undefined).join('. ')
}
