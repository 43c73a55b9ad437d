/**
 * The command `aviso explain`: says what the listeners of a file would have got, why they did not get the rest, and what their triggers would
 * do with the newest notification. Nothing is delivered and nothing runs.
 *
 * @module
 */

import { call } from '#shared/client/call.ts'
import { ClientError, EXIT_USAGE } from '#shared/client/client_error.ts'
import { parseCloudEvent } from '#shared/client/notification.ts'
import { isJsonRecord, type JsonRecord } from '#shared/json/record.ts'
import { parseDate, DATE_FORMS } from '#shared/time/written_date.ts'
import { printAnswer } from './answer.ts'
import type { CommandContext } from './context.ts'
import { payloadNameOf, readFiles } from './listen.ts'
import type { ListenerDefinition } from './listener_file.ts'
import { loadSchemas } from './schemas.ts'
import { tableText } from './table.ts'
import { planTriggers, type Plan } from './triggers/dry_run.ts'

/** Flags of `explain`, as commander gives them. */
export interface ExplainFlags {
  readonly from?: string
  readonly to?: string
}

/** Few attempts, so that a question ends before its user loses patience. */
const ATTEMPTS = 4
/** Listeners that the service explains at a time. */
const LISTENERS_AT_ONCE = 20
/** Values of a field that a line shows; `--json` has all that the service tells. */
const VALUES_SHOWN = 5
/** Characters of the longest bar. */
const BAR_CHARACTERS = 30

/**
 * Explains the listeners of files, or of the configuration.
 *
 * @throws {ClientError} for files that cannot be read, and the service's refusals.
 */
export async function explain(
  words: readonly string[],
  { from, to }: ExplainFlags,
  context: CommandContext,
): Promise<void> {
  const now = context.clock.now()
  const span = { ...dateFlag('from', from, now), ...dateFlag('to', to, now) }
  const definitions = await readFiles(
    words,
    context,
    'name a listener file, or add listeners to the configuration',
  )
  const texts: string[] = []
  const listeners: JsonRecord[] = []
  for (let start = 0; start < definitions.length; start += LISTENERS_AT_ONCE) {
    const some = definitions.slice(start, start + LISTENERS_AT_ONCE)
    for (const [index, explained] of (await ask(some, span, context)).entries()) {
      const definition = some[index]
      if (definition === undefined) continue
      const would = await planAll(definition, explained['newest'], context)
      texts.push(textOf(definition, explained, would))
      const plans = would.map(({ trigger, details }) => ({ trigger, ...details }))
      listeners.push({
        ...explained,
        ...(definition.name !== undefined && { name: definition.name }),
        triggers: plans,
      })
    }
  }
  printAnswer({ text: texts.join('\n\n'), json: { listeners } }, context)
}

/** Dates are read here, where their words are known, and sent as moments. */
function dateFlag(name: 'from' | 'to', text: string | undefined, now: number): JsonRecord {
  if (text === undefined) return {}
  const at = parseDate(text, now)
  if (at === undefined) throw new ClientError(`--${name} must be ${DATE_FORMS}`, { exitCode: EXIT_USAGE })
  return { [name]: new Date(at).toISOString() }
}

async function ask(
  definitions: readonly ListenerDefinition[],
  span: JsonRecord,
  context: CommandContext,
): Promise<readonly JsonRecord[]> {
  const listeners = definitions.map(({ event, request }) => ({ event, request }))
  const answer = await call(context, {
    path: '/api/v1/explain',
    method: 'POST',
    contentType: 'application/json',
    body: JSON.stringify({ ...span, listeners }),
    attempts: ATTEMPTS,
    failure: 'Not able to explain',
  })
  const explained = listOf(answer['listeners'])
  if (explained.length === definitions.length) return explained
  throw new ClientError('The service answered without an explanation')
}

/** What each trigger would do with a notification. */
async function planAll(
  { event, triggers }: ListenerDefinition,
  newest: unknown,
  context: CommandContext,
): Promise<readonly Plan[]> {
  if (!isJsonRecord(newest)) return []
  const read = parseCloudEvent(JSON.stringify(newest))
  if (read === undefined) return []
  const payloadName = await payloadNameOf(event, context, await loadSchemas(context.home, context.readText))
  return planTriggers(triggers, { ...read, payloadName })
}

function textOf(definition: ListenerDefinition, explained: JsonRecord, would: readonly Plan[]): string {
  const { name, event, request } = definition
  const asks = Object.entries(request).map(([field, values]) => `${field}=${values.join(',')}`)
  const title = [...(name === undefined ? [] : [name]), event, ...asks].join(' ')
  const error = explained['error']
  if (isJsonRecord(error)) return `${title}\n  cannot listen: ${String(error['message'])}`
  const lines = [
    countText(explained),
    ...policyLines(explained['policy']),
    ...listOf(explained['near_misses']).map(missText),
    ...would.map(({ text }) => `with ${idOf(explained['newest'])}, ${text}`),
  ]
  const hours = hoursText(listOf(explained['hours']))
  return [title, ...lines.map((line) => `  ${line}`), ...(hours === '' ? [] : [indent(hours)])].join('\n')
}

function countText({ matched, first, last, looked }: JsonRecord): string {
  const { count, complete, truncated } = isJsonRecord(looked) ? looked : {}
  const of = `${String(matched)} of ${String(count)} notifications matched`
  const span =
    isJsonRecord(first) && isJsonRecord(last) ? `: first ${placeText(first)}, last ${placeText(last)}` : ''
  const part = complete === false ? '; only a part was looked through: give a shorter span' : ''
  const gone = truncated === true ? '; what is older is no longer kept' : ''
  return of + span + part + gone
}

function placeText({ id, time }: JsonRecord): string {
  return `${String(id)} (${String(time)})`
}

function policyLines(policy: unknown): readonly string[] {
  if (!isJsonRecord(policy) || policy['visible'] === 'all') return []
  const cut = Array.isArray(policy['cut']) ? policy['cut'].join(' ') : ''
  return [`you may not see ${cut}: a listener that asks for it is refused`]
}

/** One field that excluded notifications, such as `step excluded 36: you ask 24; there are 0 (12), 6 (12), 12 (12)`. */
function missText({ field, excluded, asked, instead, more }: JsonRecord): string {
  const values = listOf(instead)
  const shown = values.slice(0, VALUES_SHOWN).map(({ value, count }) => `${String(value)} (${String(count)})`)
  const isCut = more === true || values.length > VALUES_SHOWN
  const asks = Array.isArray(asked)
    ? asked.join(' or ')
    : isJsonRecord(asked)
      ? JSON.stringify(asked)
      : String(asked)
  return `${String(field)} alone excluded ${String(excluded)}: you ask ${asks}; there are ${shown.join(', ')}${isCut ? ' …' : ''}`
}

function hoursText(hours: readonly JsonRecord[]): string {
  const most = Math.max(1, ...hours.map(({ published }) => Number(published)))
  const rows = hours.map(({ hour, published, matched }) => [
    String(hour).slice(0, 16),
    String(matched),
    String(published),
    bar(Number(matched), Number(published), most),
  ])
  return rows.length === 0 ? '' : tableText(['hour (UTC)', 'matched', 'of', ''], rows)
}

/** `#` for what matched, `.` for the rest. */
function bar(matched: number, published: number, most: number): string {
  const characters = (count: number): number => Math.ceil((count / most) * BAR_CHARACTERS)
  return '#'.repeat(characters(matched)).padEnd(characters(published), '.')
}

function idOf(newest: unknown): string {
  return isJsonRecord(newest) ? String(newest['id']) : ''
}

function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n')
}

function listOf(value: unknown): readonly JsonRecord[] {
  return Array.isArray(value) ? value.filter(isJsonRecord) : []
}
