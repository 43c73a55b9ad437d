/**
 * Makes the admin's settings from its configuration, and takes the default roots from the schemas.
 *
 * @module
 */

import type { Schemas } from '#shared/notification/schema.ts'
import type { AdminSettings } from './jobs/settings.ts'
import type { AdminVars } from './settings.ts'

/**
 * Settings of the admin service.
 *
 * @param vars `services.admin.vars` after parsing: durations are milliseconds.
 * @param onUnknown Called for the retention of an event type that no schema has, which is left out. Absent: it is refused.
 * @throws {AvisoError} `ERR_UNKNOWN_EVENT` for such a retention.
 */
export function toAdminSettings(
  vars: AdminVars,
  schemas: Schemas,
  onUnknown?: (event: string) => void,
): AdminSettings {
  const known = Object.entries(vars.events).filter(([event]) => {
    if (onUnknown === undefined) schemas.require(event)
    const isKnown = schemas.get(event) !== undefined
    if (!isKnown) onUnknown?.(event)
    return isKnown
  })
  return {
    historyMs: vars.history,
    ageMs: vars.retention.age,
    events: Object.fromEntries(
      known.map(([event, { age, count, dateField }]) => [event, { ageMs: age, count, dateField }]),
    ),
    longestGapMs: vars.longestGap,
    roots: vars.roots ?? rootsOf(schemas),
    legacyHistoryKey: vars.legacyHistoryKey,
    defragmentWasteBytes:
      vars.defragmentWasteMebibytes === null ? undefined : vars.defragmentWasteMebibytes * 1024 * 1024,
  }
}

/** For each key format, the fixed text at its start, up to the last slash. */
function rootsOf(schemas: Schemas): readonly string[] {
  const formats = schemas.events.flatMap((event) => {
    const { key, admin } = schemas.require(event).formats
    return admin === undefined ? [key] : [key, admin]
  })
  const roots = formats.map(({ literals: [start = ''] }) => start.slice(0, start.lastIndexOf('/') + 1))
  return [...new Set(roots)]
}
