/**
 * Decides which keys of an event type have outlived their retention. Pure. The schema says which field is the date, and where it stands in
 * a key.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { dateFormatOf } from '#shared/notification/aviso2/field_rule.ts'
import { compileDateReader, type DateReader } from '#shared/notification/date_format.ts'
import type { EventSchema } from '#shared/notification/event_schema.ts'
import { readKey, type KeyFormat } from '#shared/notification/key_format.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import { prefixEnd, toBytes } from '#shared/bytes/bytes.ts'
import type { Revision } from '#shared/store/store.ts'

/** A rule that decides about the keys of one event type and role. */
export interface ExpiryRule {
  readonly event: string
  /** Notifications, or the index of destinations by date that aviso 1.x keeps beside them. */
  readonly role: 'notification' | 'admin'
  /** Text that all keys of the rule start with. */
  readonly prefix: string
  readonly format: KeyFormat
  /** Number of leading fields without a slash: in our keys all of them, in keys of other writers those of the base. */
  readonly segmentFields: number
  /** The date among the fields of the format; absent: the keys have no date. */
  readonly date: { readonly name: string; readonly index: number; readonly reader: DateReader } | undefined
  readonly ageMs: number
  /** Whether a key belongs to this rule when all schemas are considered. Asked before a key is deleted. */
  readonly isOwn: (key: string) => boolean
}

/** The retention that an operator configures for an event type. */
export interface RetentionOfEvent {
  /** Notifications older than this are deleted; milliseconds. */
  readonly ageMs: number
  /** Field with a notification's date. Default: `date` if the key has it, otherwise its first field of type DateHandler. */
  readonly dateField?: string | undefined
}

/**
 * The rules of an event type: one for its notifications, and one for its admin keys if they contain the date.
 *
 * @throws {AvisoError} `ERR_CONFIG` when the configured field is not a date of the key.
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
    const known = dates.length === 0 ? 'they have none' : `use ${dates.join(' or ')}`
    throw new AvisoError('ERR_CONFIG', `${dateField} is not a date in the keys of ${event}: ${known}`)
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
  // Without a date, it is not known when such a key is no longer needed.
  if (formats.admin !== undefined && dateIn(formats.admin) !== undefined)
    rules.push(ruleOf('admin', formats.admin, formats.admin.fields.length))
  return rules
}

function readerOf({ rawDescription, formats }: EventSchema, name: string): DateReader | undefined {
  if (!formats.key.fields.includes(name)) return undefined
  const options = rawDescription.request[name]?.find(({ type }) => type === 'DateHandler')
  if (options?.type !== 'DateHandler') return undefined
  return compileDateReader('canonic' in options ? options.canonic : dateFormatOf(options))
}

/** The time and the revisions that decide whether a key has expired. */
export interface ExpiryBounds {
  /** Milliseconds since 1970. */
  readonly now: number
  /** Keys written after this revision stay, whatever their date is; absent: only the date decides. */
  readonly recentAfter: Revision | undefined
  /** Keys without a date have expired when they were last written up to this revision; absent: none has expired. */
  readonly undatedThrough: Revision | undefined
}

/**
 * - `expired`: the key is to be deleted.
 * - `young`: the date is within the retention.
 * - `recent`: the date has expired, but the key was written within the retention, so a listener may not have read it yet.
 * - `foreign`: the key does not belong to this rule.
 */
export type Verdict = 'expired' | 'young' | 'recent' | 'foreign'

/** The result of {@link examineKey}. */
export interface Examination {
  readonly verdict: Verdict
  /** No key before this one has expired, so a scan in key order may go on here. */
  readonly skipTo?: Uint8Array
}

/** Decides about one key. */
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

/** A young key. When dates sort as texts, all later keys with the same text before the date are young, too, so a scan may skip them. */
function youngKey({ date, format }: ExpiryRule, values: readonly string[]): Examination {
  if (date === undefined || !date.reader.isSortable) return { verdict: 'young' }
  let prefix = format.literals[0] ?? ''
  for (let index = 0; index < date.index; index++)
    prefix += (values[index] ?? '') + (format.literals[index + 1] ?? '')
  return { verdict: 'young', skipTo: prefixEnd(toBytes(prefix)) }
}
