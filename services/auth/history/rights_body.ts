/**
 * The rights of a requester in the form of the API.
 *
 * @module
 */

import type { OwnRights } from '#shared/access/access.ts'
import { flag, list, object, orNull, text } from '#shared/http/doc.ts'

/** Describes the members of {@link rightsBody}. */
export const RIGHTS_MEMBERS = {
  rights: list(
    object({
      right: text('listen or publish'),
      event_type: orNull(text()),
      keys: {},
      by: { description: 'The part of the configuration that says so' },
    }),
  ),
  administer: { description: 'Whether, or by what' },
  relay: { description: 'Whether, or by what' },
  'incomplete?': flag('A server that was asked did not answer'),
} as const

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
