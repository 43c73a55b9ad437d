/**
 * The JSON Schema of the configuration file, for editors, from the schemas that the services own.
 *
 * @module
 */

import { toJsonSchema } from '@valibot/to-json-schema'
import { configSchema } from '#services/system/settings.ts'

/** A part of a JSON Schema (draft 7), as far as the configuration's needs it. */
export interface SchemaNode {
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly description?: string
  /** Of a number: `seconds`. */
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
  'Environments by name: `--env NAME` lays `env.NAME` over the rest of the file. Objects are merged, everything else is replaced'
const OVERLAY = { $ref: '#/definitions/overlay' }

/** Text of `services/config.schema.json`. */
export function configSchemaText(): string {
  const file = withUnits(configNode())
  const { env, ...properties } = file.properties ?? {}
  const schema = {
    $comment: 'Made from services/system/settings.ts by `npm run generate`. Change it there.',
    ...file,
    properties: { ...properties, env: { ...env, additionalProperties: OVERLAY } },
    definitions: { overlay: withoutNeeds({ ...file, properties }) },
  }
  return `${JSON.stringify(schema, null, 2)}\n`
}

/** A node on its way, with what JSON Schema has no words for. */
interface RawNode extends SchemaNode {
  readonly said?: readonly string[]
}

/**
 * The whole file. JSON Schema has no word for a check that is a function, so what the check says stands in the description.
 *
 * @throws {Error} for a schema or a check that could be neither converted nor described.
 */
export function configNode(): SchemaNode {
  const file = toJsonSchema(configSchema, {
    overrideAction({ valibotAction, jsonSchema, errors }) {
      if (errors === undefined) return undefined
      if (valibotAction.type === 'transform') return jsonSchema
      const message = 'message' in valibotAction ? valibotAction.message : undefined
      // What a function says depends on the value, so a description stands before such a check.
      if (typeof message === 'function' && jsonSchema.description !== undefined) return jsonSchema
      if (typeof message !== 'string') return undefined
      const { said = [] } = jsonSchema as RawNode
      return { ...jsonSchema, said: [...said, message] } as typeof jsonSchema
    },
  }) as RawNode
  const { properties, ...rest } = withChecks(file)
  const env = { type: 'object', additionalProperties: { type: 'object' }, description: ENVIRONMENTS }
  return { ...rest, properties: { ...properties, env } }
}

function withChecks(node: RawNode): SchemaNode {
  const { said, ...rest }: RawNode = mapParts(node, withChecks)
  return said === undefined ? rest : { ...rest, description: sentences(rest.description, ...said) }
}

/** Editors show descriptions and know no units. */
function withUnits(node: SchemaNode): SchemaNode {
  const { unit, ...rest } = mapParts(node, withUnits)
  return unit === undefined ? rest : { ...rest, description: sentences(node.description, `Unit: ${unit}`) }
}

/** An overlay may name any part of the file. Lists are not merged, so their elements stay whole. */
function withoutNeeds(node: SchemaNode): SchemaNode {
  const {
    required: _required,
    default: _default,
    ...rest
  } = mapParts(node, (part) => (part === node.items ? part : withoutNeeds(part)))
  return rest
}

/** A node whose parts were replaced. */
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

/** Texts one after the other, without those that are absent. */
export function sentences(...texts: readonly (string | undefined)[]): string {
  return texts.filter((text) => text !== undefined).join('. ')
}
