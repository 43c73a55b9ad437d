/**
 * Says what of a store's file cannot be read, and what an operator can do.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { toText } from '#shared/bytes/bytes.ts'
import type { SqlView } from '#shared/runtime/runtime.ts'
import { MAX_NAMED_BYTES, REMEDIES } from './checksum.ts'
import { LIVE_STEP_EVENTS, salvageEvents, type Damage, type Span } from './salvage.ts'
import { orDamage } from './state.ts'
import { doNow, type Steps } from './steps.ts'

/** Stretches of revisions that one line names. */
const MAX_SPANS = 10

/**
 * The refusal of a file of which pages are damaged. It reads all of the file.
 *
 * @param found What SQLite says.
 */
export function fileError(view: SqlView, found: unknown): AvisoError {
  const survey = orDamage(() => doNow(salvageEvents(view)))
  const what = survey === 'damaged' ? `SQLite says: ${String(found)}` : describeDamage(survey)
  return new AvisoError(
    'ERR_CONFIG',
    `The embedded store's file is damaged: ${what}. ${REMEDIES}, which keeps what can be read, and a copy of the damaged file. Nothing was changed`,
    { cause: found, ...(survey !== 'damaged' && { details: detailsOf(survey) }) },
  )
}

/** The error for a copy that came to a damaged page. */
export function* copyDamage(view: SqlView, cause: unknown): Steps<AvisoError> {
  const damage = yield* salvageEvents(view, { stepEvents: LIVE_STEP_EVENTS })
  const message = `The store cannot be copied, because its file is damaged: ${describeDamage(damage)}. ${REMEDIES}`
  return new AvisoError('ERR_STORE_DAMAGED', message, { cause, details: detailsOf(damage) })
}

/** What is lost, in a sentence without its end. */
export function describeDamage({ first, lost, spans, isIndexWhole }: Damage): string {
  const index = isIndexWhole ? '' : ', and a part of its index'
  if (first === undefined && spans.length === 0)
    return isIndexWhole
      ? 'no event lies on the damaged pages'
      : 'a part of its index cannot be read, but every event can'
  if (first === undefined) return `what was written at ${spanNames(spans)} cannot be read${index}`
  const others = lost === 1 ? '' : `, nor ${lost - 1 === 1 ? 'another event' : `${lost - 1} other events`}`
  const where = spans.length === 0 ? '' : `, at ${spanNames(spans)}`
  return `"${nameOf(first.key)}" of revision ${first.revision} cannot be read${others}${where}${index}`
}

/** Stretches of revisions, a bounded number. */
export function spanNames(spans: readonly Span[]): string {
  const names = spans
    .slice(0, MAX_SPANS)
    .map(({ first, last }) =>
      last === undefined ? `${first} and later` : last <= first ? String(first) : `${first} to ${last}`,
    )
  const more = spans.length > MAX_SPANS ? ` and ${spans.length - MAX_SPANS} further stretches` : ''
  const [only] = spans
  const isOne = spans.length === 1 && only !== undefined && only.last !== undefined && only.last <= only.first
  return `revision${isOne ? '' : 's'} ${names.join(', ')}${more}`
}

/** A key as text. */
export function nameOf(key: Uint8Array): string {
  return toText(key.subarray(0, MAX_NAMED_BYTES))
}

function detailsOf({ first }: Damage): Readonly<Record<string, string>> {
  return first === undefined
    ? {}
    : { damaged_key: nameOf(first.key), damaged_revision: String(first.revision) }
}
