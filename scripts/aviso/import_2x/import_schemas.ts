/**
 * Takes over `notification_schema`, which our services read as it is, and notes what other sections need of it.
 *
 * @module
 */

import { asObject, type Document2x } from './document.ts'
import type { Report, Section } from './section.ts'

/** An event type of 2.x, as far as other sections need it. */
export interface Event2x {
  readonly name: string
  /** Prefix of its keys here. */
  readonly root: string
  /** Its fields in the order of its keys, as the configuration has them. */
  readonly keyOrder: readonly string[]
  /** Its fields that listeners must give, geometries left out. */
  readonly required: readonly string[]
  readonly hasAuth: boolean
  readonly isAuthRequired: boolean
  readonly isEcpds: boolean
  readonly hasCount: boolean
}

/** The event types, and the file that our services read. */
export interface Schemas2x {
  readonly events: readonly Event2x[]
  /** Whether event types without a schema are refused. */
  readonly isStrict: boolean
  readonly file: object
}

const SCHEMA = 'notification_schema'
const STRICT = 'notification_schema_strict'
const GEOMETRIES: ReadonlySet<unknown> = new Set(['PolygonHandler', 'PointCloudHandler'])
/** Where 2.x event types have their keys. */
const ROOT = '/aviso2/'

/**
 * Takes the schema over. What is wrong inside is told by the services, which read it.
 *
 * Where ECPDS decides, the field with the destination (`match_key`) becomes the first of the key, because a right to a destination is a right
 * to the keys that begin with it. 2.x takes it from any place, and its clients do not see the order.
 */
export function importSchemas(top: Section, report: Report): Schemas2x {
  const matchKey = asObject(top.members['ecpds'])?.['match_key']
  const section = top.section(SCHEMA)
  const isStrictGiven = top.flag(STRICT)
  const events: Event2x[] = []
  const schemas = new Map<string, unknown>()
  for (const [name, content] of Object.entries(section.members)) {
    const schema = asObject(content) ?? {}
    const event = eventOf(name, schema)
    events.push(event)
    const isMoved = event.isEcpds && typeof matchKey === 'string' && event.keyOrder.indexOf(matchKey) > 0
    if (asObject(content) === undefined) schemas.set(name, content)
    else schemas.set(name, isMoved ? withFirst(schema, matchKey, event.keyOrder) : schema)
    if (isMoved)
      report.notes.push(
        `${SCHEMA}.${name}.topic.key_order: in keys, ${matchKey} comes first, because ECPDS decides about it`,
      )
  }
  return {
    events,
    isStrict: isStrictGiven ?? events.length > 0,
    file: {
      [SCHEMA]: Object.fromEntries(schemas),
      ...(isStrictGiven !== undefined && { [STRICT]: isStrictGiven }),
    },
  }
}

function withFirst(schema: Document2x, first: string, order: readonly string[]): Document2x {
  const others = order.filter((name) => name !== first)
  return { ...schema, topic: { ...asObject(schema['topic']), key_order: [first, ...others] } }
}

function eventOf(name: string, schema: Document2x): Event2x {
  const topic = asObject(schema['topic']) ?? {}
  const auth = asObject(schema['auth'])
  const order: unknown = topic['key_order']
  const plugins: unknown = auth?.['plugins']
  const list: readonly unknown[] = Array.isArray(order) ? order : []
  const fields = Object.entries(asObject(schema['identifier']) ?? {})
  return {
    name,
    root: `${ROOT}${String(topic['base'])}/`,
    keyOrder: list.filter((field) => typeof field === 'string'),
    required: fields.flatMap(([field, rule]) => {
      const { type, required } = asObject(rule) ?? {}
      return required === true && !GEOMETRIES.has(type) ? [field] : []
    }),
    hasAuth: auth !== undefined,
    isAuthRequired: auth?.['required'] === true,
    isEcpds: Array.isArray(plugins) && plugins.includes('ecpds'),
    hasCount: asObject(schema['storage_policy'])?.['max_messages'] !== undefined,
  }
}
