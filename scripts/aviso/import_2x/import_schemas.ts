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
  /** Its first field in keys. */
  readonly firstField: string | undefined
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
const REPLAY_LIMIT = 'max_historical_notifications'
/** Where 2.x event types have their keys. */
const ROOT = '/aviso2/'

/** Takes the schema over. What is wrong inside is told by the services, which read it. */
export function importSchemas(top: Section, report: Report): Schemas2x {
  const section = top.section(SCHEMA)
  const isStrictGiven = top.flag(STRICT)
  const events: Event2x[] = []
  const schemas = new Map<string, unknown>()
  for (const [name, content] of Object.entries(section.members)) {
    const { [REPLAY_LIMIT]: limit, ...schema } = asObject(content) ?? {}
    schemas.set(name, asObject(content) === undefined ? content : schema)
    events.push(eventOf(name, schema))
    if (limit === undefined || limit === null) continue
    report.notes.push(`${SCHEMA}.${name}.${REPLAY_LIMIT}: a replay is whole here, however long`)
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

function eventOf(name: string, schema: Document2x): Event2x {
  const topic = asObject(schema['topic']) ?? {}
  const auth = asObject(schema['auth'])
  const order: unknown = topic['key_order']
  const plugins: unknown = auth?.['plugins']
  const firstField: unknown = Array.isArray(order) ? order[0] : undefined
  return {
    name,
    root: `${ROOT}${String(topic['base'])}/`,
    firstField: typeof firstField === 'string' ? firstField : undefined,
    hasAuth: auth !== undefined,
    isAuthRequired: auth?.['required'] === true,
    isEcpds: Array.isArray(plugins) && plugins.includes('ecpds'),
    hasCount: asObject(schema['storage_policy'])?.['max_messages'] !== undefined,
  }
}
