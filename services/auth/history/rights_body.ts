/**
 * The rights of a requester in the form of the API.
 *
 * @module
 */

import type { OwnRights } from '#shared/access/access.ts'

/** The members that say what someone may do, and by which part of the configuration. */
export function rightsBody({
  rights,
  administer,
  relay,
  isIncomplete,
}: Omit<OwnRights, 'user' | 'endsAt'>): Readonly<Record<string, unknown>> {
  return {
    rights: rights.map(({ right, event, keys, by }) => ({ right, event_type: event ?? null, keys, by })),
    administer,
    relay,
    ...(isIncomplete && { incomplete: true }),
  }
}
