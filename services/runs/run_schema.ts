/**
 * The event type `run`: its schema and its keys, made from the event types whose runs are followed.
 *
 * A run's key begins with what the keys of all of its products begin with, as far as those are segments of their own: a destination. So the
 * rights to products, which are prefixes, also say who may see the run.
 *
 * @module
 */

import type { Following, FollowedRoot } from '#shared/access/policy/following.ts'
import { AvisoError } from '#shared/errors.ts'
import { encodeSegment } from '#shared/notification/aviso2/key_text.ts'
import type { NotificationKeys } from '#shared/notification/notification.ts'
import { isFilter } from '#shared/notification/event_schema.ts'
import type { EventSchema, SchemaFile, Schemas } from '#shared/notification/schema.ts'

/** The event type of runs. */
export const RUN_EVENT = 'run'
/** Prefix of the keys of runs. */
export const RUN_ROOT = '/aviso/run/'
/** Field with the event type of the products. */
export const EVENT_FIELD = 'event_type'
export const STATE_FIELD = 'state'
/** Value of a field that the runs of an event type do not have. */
export const ABSENT = '-'
/** What a notification of a run can say. */
export const RUN_STATES = ['started', 'complete', 'late', 'recovered', 'incomplete'] as const
/** Where the configuration names event types and the fields of their runs. */
export const RUNS_PATH = 'vars.runs'

/** Event type → names of the fields of its runs. */
export type RunFields = ReadonlyMap<string, readonly string[]>

/** What is made of {@link RunFields}. */
export interface RunSchema {
  readonly file: SchemaFile
  readonly following: Following
}

/** An event type whose runs are followed. */
interface Followed {
  readonly event: string
  readonly schema: EventSchema
  readonly root: string
  readonly fields: readonly string[]
  /** The fields that are segments of their own right behind the root of the products' keys, in their order. */
  readonly leading: readonly string[]
}

/**
 * Makes the schema, in the form of 1.x.
 *
 * @param schemas The event types of the products. Event types and fields that they lack are left out: the configuration is checked
 *   elsewhere.
 */
export function createRunSchema(schemas: Schemas, runs: RunFields): RunSchema {
  const followed = [...runs].flatMap(([event, fields]) => followedOf(schemas, event, fields))
  const leading = unique(followed.flatMap((each) => each.leading))
  const others = unique(followed.flatMap(({ fields }) => fields)).filter((name) => !leading.includes(name))
  const base = [EVENT_FIELD, ...leading].map((name) => `{${name}}`).join('/')
  const stem = [...others, STATE_FIELD].map((name) => `{${name}}`).join('/')
  const request: Record<string, object[]> = {
    [EVENT_FIELD]: [enumOf(followed.map(({ event }) => event))],
    [STATE_FIELD]: [enumOf(RUN_STATES)],
  }
  for (const name of [...leading, ...others]) request[name] = typesOf(name, followed)
  const content = {
    [RUN_EVENT]: {
      endpoint: [{ engine: ['etcd_rest', 'etcd_grpc'], base: `${RUN_ROOT}${base}/`, stem }],
      request,
    },
  }
  return {
    file: { source: RUNS_PATH, content },
    following: {
      event: RUN_EVENT,
      root: RUN_ROOT,
      roots: followed.map((each) => followedRoot(each, leading)),
    },
  }
}

/**
 * The schemas, with a `run` whose listeners may leave out what the runs of an event type do not have: who asks for `mars` need not say that
 * it has no destination. Clients of 1.x that make keys themselves write {@link ABSENT}.
 */
export function withShortRequests(schemas: Schemas, runs: RunFields): Schemas {
  const schema = schemas.require(RUN_EVENT)
  const fill = (request: Readonly<Record<string, unknown>> | null | undefined): typeof request => {
    const named = [request?.[EVENT_FIELD]].flat()
    const lacks = (name: string): boolean =>
      named.every((event) => typeof event === 'string' && runs.get(event)?.includes(name) === false)
    const absent = schema.requiredForListen.filter(
      (name) => name !== EVENT_FIELD && request?.[name] === undefined && lacks(name),
    )
    return { ...request, ...Object.fromEntries(absent.map((name) => [name, ABSENT])) }
  }
  const filled: EventSchema = {
    ...schema,
    requiredOnlyWith: requiredOnlyWith(schema, runs),
    filter: (request, tests) => schema.filter(fill(request), tests),
    baseKeys: (wanted) => schema.baseKeys(isFilter(wanted) ? wanted : fill(wanted)),
  }
  return {
    ...schemas,
    get: (event) => (event === RUN_EVENT ? filled : schemas.get(event)),
    require: (event) => (event === RUN_EVENT ? filled : schemas.require(event)),
  }
}

/** The fields that the runs of some event types lack, with the event types that have them. */
function requiredOnlyWith(
  { requiredForListen }: EventSchema,
  runs: RunFields,
): NonNullable<EventSchema['requiredOnlyWith']> {
  const events = [...runs.keys()]
  const having = requiredForListen
    .filter((name) => name !== EVENT_FIELD)
    .map((name) => [name, events.filter((event) => runs.get(event)?.includes(name) === true)] as const)
    .filter(([, those]) => those.length < events.length)
  return Object.fromEntries(having.map(([name, those]) => [name, { [EVENT_FIELD]: those }]))
}

/** What names a run. */
export interface RunName {
  readonly event: string
  /** Its fields, as the keys of the products have them. */
  readonly run: Readonly<Record<string, string>>
}

/** Writes the keys of the notifications of runs. */
export interface RunKeys {
  /** @throws {AvisoError} `ERR_INVALID_NOTIFICATION` for values that cannot stand in a key. */
  of(name: RunName, state: (typeof RUN_STATES)[number]): NotificationKeys
  /** What the keys of a run's notifications begin with. Who may see it may see them. */
  baseOf(name: RunName): string
}

/** @param schemas With the event type `run`. */
export function createRunKeys(schemas: Schemas): RunKeys {
  const schema = schemas.require(RUN_EVENT)
  const own = schema.fields.filter((name) => name !== EVENT_FIELD && name !== STATE_FIELD)
  const of: RunKeys['of'] = ({ event, run }, state) => {
    const generation = schemas.get(event)?.generation ?? 1
    const values = own.map((name) => [name, valueIn(run[name] ?? ABSENT, generation)])
    return schema.encode({ [EVENT_FIELD]: event, [STATE_FIELD]: state, ...Object.fromEntries(values) })
  }
  return {
    of,
    baseOf: ({ event, run }) => {
      const generation = schemas.get(event)?.generation ?? 1
      return schema.formats.base.fields.reduce(
        (base, name) => `${base}${name === EVENT_FIELD ? event : valueIn(run[name] ?? ABSENT, generation)}/`,
        RUN_ROOT,
      )
    },
  }
}

/** 2.x's keys hold values percent-encoded; 1.x's hold them as they are, and only other writers' fields behind the base have a slash. */
function valueIn(value: string, generation: 1 | 2): string {
  return generation === 2 ? encodeSegment(value) : value.replaceAll('/', '%2F')
}

/** @returns what is wrong with the event types and fields, each with its place. */
export function runFieldProblems(runs: RunFields): readonly string[] {
  return [...runs].flatMap(([event, fields]) => {
    const path = `${RUNS_PATH}.${event}`
    if (event === RUN_EVENT)
      return [
        `${path}: "${RUN_EVENT}" is the event type of runs themselves: name the event type of their products`,
      ]
    const taken = fields.find((name) => name === EVENT_FIELD || name === STATE_FIELD)
    if (taken !== undefined)
      return [
        `${path}.run: the field "${taken}" cannot name a run, because every notification of a run has a field of this name: give it another name in the schema`,
      ]
    return []
  })
}

/** @throws {AvisoError} `ERR_CONFIG` where a schema file has the event type `run` too. */
export function refuseOwnRuns(schemas: Schemas): void {
  if (!schemas.events.includes(RUN_EVENT)) return
  throw new AvisoError(
    'ERR_CONFIG',
    `a schema file has the event type "${RUN_EVENT}", which ${RUNS_PATH} makes itself: rename it there, or leave ${RUNS_PATH} out`,
  )
}

function followedOf(schemas: Schemas, event: string, fields: readonly string[]): readonly Followed[] {
  const schema = schemas.events.includes(event) ? schemas.get(event) : undefined
  const root = schemas.rootOf(event)
  if (schema === undefined || root === undefined) return []
  const known = fields.filter((name) => schema.rawDescription.request[name] !== undefined)
  return [{ event, schema, root, fields: known, leading: leadingOf(schema, root, known) }]
}

function leadingOf({ formats }: EventSchema, root: string, fields: readonly string[]): readonly string[] {
  const { literals, fields: names } = formats.key
  const leading: string[] = []
  for (const [index, name] of names.entries()) {
    const before = index === 0 ? root : '/'
    const isSegment = literals[index] === before && (literals[index + 1] ?? '').startsWith('/')
    if (!isSegment || !fields.includes(name) || leading.includes(name)) break
    leading.push(name)
    if (literals[index + 1] !== '/') break
  }
  return leading
}

function followedRoot({ event, root, fields, leading }: Followed, order: readonly string[]): FollowedRoot {
  const segments: FollowedRoot['segments'][number][] = []
  let next = 0
  for (const name of order) {
    if (name === leading[next]) {
      segments.push('taken')
      next++
    } else if (fields.includes(name)) break
    else segments.push({ fixed: ABSENT })
  }
  return { from: root, to: `${RUN_ROOT}${event}/`, segments }
}

/** The types of a field in all event types that have it, and of its absence where one has it not. */
function typesOf(name: string, followed: readonly Followed[]): object[] {
  const types = new Map<string, object>()
  for (const { fields, schema } of followed) {
    const own = fields.includes(name)
      ? (schema.rawDescription.request[name] ?? []).map(toType1)
      : [enumOf([ABSENT])]
    for (const type of own) types.set(JSON.stringify(type), type)
  }
  // A type that takes any text would take the place of the others.
  return [...types.values()].toSorted((a, b) => Number(isText(a)) - Number(isText(b)))
}

function isText(type: object): boolean {
  return 'type' in type && type.type === 'StringHandler'
}

type Description = EventSchema['rawDescription']['request'][string][number]

/** A type of 1.x that takes the canonical values of a type of either generation. */
function toType1(description: Description): object {
  switch (description.type) {
    case 'DateHandler':
      return {
        type: 'DateHandler',
        canonic: 'canonic' in description ? description.canonic : dateFormat(description),
      }
    case 'TimeHandler':
      if ('values' in description) return description
      return { type: 'RegexHandler', regex: '^([01][0-9]|2[0-3])[0-5][0-9]$' }
    case 'EnumHandler':
    case 'IntHandler':
    case 'RegexHandler':
    case 'FloatHandler':
      return description
    default:
      return { ...description, type: 'StringHandler' }
  }
}

function dateFormat(description: Description): string {
  const format = 'canonical_format' in description ? description.canonical_format : undefined
  return typeof format === 'string' ? format : '%Y%m%d'
}

function enumOf(values: readonly string[]): object {
  return { type: 'EnumHandler', values: [...values] }
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Set(names)]
}
