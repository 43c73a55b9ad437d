/**
 * Pages of runs, newest nominal time first.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'

import { fieldsOf, type Run } from './run_record.ts'
import type { RunFilter, RunPage } from './runs.ts'
import { viewOf } from './views.ts'

/** Where a page ended. */
interface Place {
  readonly at: number
  readonly id: string
}

/**
 * The first runs of some, or those after a cursor.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST` for a cursor that no page gave.
 */
export function pageOf(all: Iterable<Run>, filter: RunFilter, now: number): RunPage {
  const after = filter.cursor === undefined ? undefined : readCursor(filter.cursor)
  // Sorted, and never longer than a page and one more.
  const found: { readonly place: Place; readonly run: Run }[] = []
  for (const run of all) {
    const place = placeOf(run)
    if (after !== undefined && order(place, after) <= 0) continue
    const last = found[filter.limit]
    if (last !== undefined && order(place, last.place) > 0) continue
    if (!accepts(filter, run)) continue
    let at = found.length
    while (at > 0 && order(found[at - 1]?.place ?? place, place) > 0) at--
    found.splice(at, 0, { place, run })
    if (found.length > filter.limit + 1) found.pop()
  }
  const page = found.slice(0, filter.limit)
  const last = page.at(-1)
  return {
    runs: page.map(({ run }) => viewOf(run, now)),
    next: found.length > filter.limit && last !== undefined ? `${last.place.at}.${last.place.id}` : null,
  }
}

function placeOf(run: Run): Place {
  return { at: run.nominal ?? run.createdAt, id: run.id }
}

/** Below 0: `a` comes first. */
function order(a: Place, b: Place): number {
  if (a.at !== b.at) return b.at - a.at
  if (a.id === b.id) return 0
  return a.id < b.id ? -1 : 1
}

function accepts({ fields = {}, state, accepts: mayBeSeen }: RunFilter, run: Run): boolean {
  if (state !== undefined && run.state !== state) return false
  for (const name of Object.keys(fields)) {
    if ((run.own[name] ?? run.slot.fields[name]) !== fields[name]) return false
  }
  return mayBeSeen === undefined || mayBeSeen(run.slot.expectation.event, fieldsOf(run))
}

function readCursor(text: string): Place {
  const [, at, id] = /^(-?\d{1,16})\.(.+)$/s.exec(text) ?? []
  if (at === undefined || id === undefined)
    throw new AvisoError('ERR_BAD_REQUEST', 'The cursor is not one that a page of runs gave', {
      details: { field: 'cursor' },
    })
  return { at: Number(at), id }
}
