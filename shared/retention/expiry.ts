/**
 * Which keys of an event type have outlived their retention. Pure, and driven by the schema: it says which field is the
 * date and where in a key it stands.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { compileDateReader, type DateReader } from '#shared/notification/date_format.ts'
import type { EventSchema } from '#shared/notification/event_schema.ts'
import { readKey, type KeyFormat } from '#shared/notification/key_format.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import { prefixEnd, toBytes } from '#shared/bytes/bytes.ts'
import type { Revision } from '#shared/store/store.ts'

/** What an event type's keys are judged by. */
export interface ExpiryRule {
  readonly event: string
  /** Notifications, or the index of destinations by date that aviso 1.x keeps beside them. */
  readonly role: 'notification' | 'admin'
  /** Text that all keys of the rule start with. */
  readonly prefix: string
  readonly format: KeyFormat
  /** How many leading fields hold no slash: all of them in keys of ours, those of the base in keys of other writers. */
  readonly segmentFields: number
  /** Where the date stands among the fields of the format; absent: the keys have none. */
  readonly date: { readonly name: string; readonly index: number; readonly reader: DateReader } | undefined
  readonly ageMs: number
  /** Whether all schemas together read a key as one of this rule. Asked before a key is given up. */
  readonly isOwn: (key: string) => boolean
}

/** What {@link expiryRules} is told besides the schema. */
export interface RetentionOfEvent {
  /** Notifications older than this are deleted; milliseconds. */
  readonly ageMs: number
  /** Field that dates a notification. Default: `date`, or else the first one of type DateHandler in the key. */
  readonly dateField?: string | undefined
}

/**
 * The rules of an event type: one for its notifications, one for its admin keys where they carry the date.
 *
 * @throws {AvisoError} `ERR_CONFIG` when the configured field is no date of the key.
 */
export function expiryRules(
  schemas: Schemas,
  event: string,
  retention: RetentionOfEvent,
): readonly ExpiryRule[] {
  const schema = schemas.require(event)
  const { formats } = schema
  const { ageMs, dateField } = retention
  const dates = schema.fields.filter((name) => readerOf(schema, name) !== undefined)
  const name = dateField ?? (dates.includes('date') ? 'date' : dates[0])
  if (dateField !== undefined && !dates.includes(dateField)) {
    const known = dates.length === 0 ? 'it has none' : `its dates are ${dates.join(', ')}`
    throw new AvisoError('ERR_CONFIG', `${dateField} is no date in the keys of ${event}: ${known}`)
  }
  const reader = name === undefined ? undefined : readerOf(schema, name)
  const dateIn = (format: KeyFormat): ExpiryRule['date'] => {
    const index = name === undefined ? -1 : format.fields.indexOf(name)
    return name === undefined || reader === undefined || index < 0 ? undefined : { name, index, reader }
  }
  const ruleOf = (role: ExpiryRule['role'], format: KeyFormat, segmentFields: number): ExpiryRule => ({
    event,
    role,
    prefix: format.literals[0] ?? '',
    format,
    segmentFields,
    date: dateIn(format),
    ageMs,
    isOwn: (key) =>
      role === 'notification'
        ? schemas.decodeKey(key)?.event === event
        : schemas.decodeKey(key) === undefined && schemas.baseOf(key) === undefined,
  })
  const rules = [ruleOf('notification', formats.key, formats.base.fields.length)]
  // Without the date nobody can tell when such a key has served.
  if (formats.admin !== undefined && dateIn(formats.admin) !== undefined)
    rules.push(ruleOf('admin', formats.admin, formats.admin.fields.length))
  return rules
}

function readerOf({ rawDescription, formats }: EventSchema, name: string): DateReader | undefined {
  if (!formats.key.fields.includes(name)) return undefined
  const options = rawDescription.request[name]?.find(({ type }) => type === 'DateHandler')
  return options?.type === 'DateHandler' ? compileDateReader(options.canonic) : undefined
}

/** What ages are judged against. */
export interface ExpiryBounds {
  /** Milliseconds since 1970. */
  readonly now: number
  /** Keys written after this revision stay, whatever their date says; absent: the date alone decides. */
  readonly recentAfter: Revision | undefined
  /** Keys without a date whose last write is not after this revision have expired; absent: none has. */
  readonly undatedThrough: Revision | undefined
}

/**
 * - `expired`: to be deleted.
 * - `young`: its date is within the retention.
 * - `recent`: its date is over, but it was written within the retention: a listener may not have read it yet.
 * - `foreign`: no key of this rule.
 */
export type Verdict = 'expired' | 'young' | 'recent' | 'foreign'

/** What {@link examineKey} says of a key. */
export interface Examination {
  readonly verdict: Verdict
  /** No key before this one has expired: a scan in key order may go on there. */
  readonly skipTo?: Uint8Array
}

/** Judges one key. */
export function examineKey(
  rule: ExpiryRule,
  { key, modRevision }: { readonly key: string; readonly modRevision: Revision },
  bounds: ExpiryBounds,
): Examination {
  const values = key.startsWith(rule.prefix) ? readKey(rule.format, key, rule.segmentFields) : undefined
  if (values === undefined) return { verdict: 'foreign' }
  const { date } = rule
  const { recentAfter, undatedThrough } = bounds
  const startsAt = date === undefined ? undefined : date.reader.read(values[date.index] ?? '')
  if (startsAt === undefined) {
    if (undatedThrough === undefined || modRevision > undatedThrough) return { verdict: 'recent' }
  } else {
    if (startsAt + rule.ageMs > bounds.now) return youngKey(rule, values)
    if (recentAfter !== undefined && modRevision > recentAfter) return { verdict: 'recent' }
  }
  return { verdict: rule.isOwn(key) ? 'expired' : 'foreign' }
}

/** Where dates sort as their texts do, all that follows up to the end of the text before the date is as young. */
function youngKey({ date, format }: ExpiryRule, values: readonly string[]): Examination {
  if (date === undefined || !date.reader.isSortable) return { verdict: 'young' }
  let prefix = format.literals[0] ?? ''
  for (let index = 0; index < date.index; index++)
    prefix += (values[index] ?? '') + (format.literals[index + 1] ?? '')
  return { verdict: 'young', skipTo: prefixEnd(toBytes(prefix)) }
}
