/**
 * Makes the admin's settings from its configuration, and takes the default roots from the schemas.
 *
 * @module
 */

import { GENERIC_ROOT } from '#shared/notification/aviso2/generic.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import type { AdminSettings, EventRetention } from './jobs/settings.ts'
import type { AdminVars } from './settings.ts'

/**
 * Settings of the admin service.
 *
 * @param vars `workers.admin.vars` after parsing: durations are milliseconds.
 * @param onUnknown Called for the retention of an event type that no schema has, which is left out. Absent: it is refused.
 * @throws {AvisoError} `ERR_UNKNOWN_EVENT` for such a retention.
 */
export function toAdminSettings(
  vars: AdminVars,
  schemas: Schemas,
  onUnknown?: (event: string) => void,
): AdminSettings {
  const events = { ...retentionsOf(schemas) }
  for (const [event, { age, count, dateField }] of Object.entries(vars.events)) {
    if (onUnknown === undefined) schemas.require(event)
    if (schemas.get(event) === undefined) onUnknown?.(event)
    // What the configuration says replaces what a 2.x schema says.
    else {
      const own = events[event]
      events[event] = { ...own, ageMs: age ?? own?.ageMs, count: count ?? own?.count, dateField }
    }
  }
  return {
    // What a schema keeps can be replayed, as in 2.x.
    historyMs: Math.max(vars.history, ...Object.values(retentionsOf(schemas)).map(({ ageMs = 0 }) => ageMs)),
    ageMs: vars.retention.age,
    events,
    longestGapMs: vars.longestGap,
    roots: vars.roots ?? rootsOf(schemas),
    legacyHistoryKey: vars.legacyHistoryKey,
    defragmentWasteBytes:
      vars.defragmentWasteMebibytes === null ? undefined : vars.defragmentWasteMebibytes * 1024 * 1024,
  }
}

/** The retention of event types whose schema has a `storage_policy`. */
function retentionsOf(schemas: Schemas): Readonly<Record<string, EventRetention>> {
  return Object.fromEntries(
    schemas.events.flatMap((event) => {
      const { storage = {} } = schemas.require(event)
      return Object.keys(storage).length === 0 ? [] : [[event, storage]]
    }),
  )
}

/** For each key format, the fixed text at its start, up to the last slash. */
function rootsOf(schemas: Schemas): readonly string[] {
  const formats = schemas.events.flatMap((event) => {
    const { key, admin } = schemas.require(event).formats
    return admin === undefined ? [key] : [key, admin]
  })
  const roots = formats.map(({ literals: [start = ''] }) => start.slice(0, start.lastIndexOf('/') + 1))
  return [...new Set(schemas.isPermissive ? [...roots, GENERIC_ROOT] : roots)]
}
