/**
 * Whether a requester may see what it asks for, and whether it still may while a stream is open.
 *
 * Flow: requester → **authorise** → hub, store
 *
 * @module
 */

import { toText } from '#shared/bytes/bytes.ts'
import type { AvisoError } from '#shared/errors.ts'
import type { KeyRange } from '#shared/store/store.ts'
import type { RelayGrant, WideRange } from './access.ts'
import type { Audit } from './audit/audit.ts'
import { ALL_KEYS, covers, intersect, normalise, toInterval, type IntervalSet } from './interval.ts'
import { decideAccess, mayNarrow, relayedAmong } from './policy/decision.ts'
import type { Policy } from './policy/policy.ts'
import { refuse, subjectOf, type Requester } from './policy/requester.ts'
import type { Standing } from './policy/stream_rights.ts'

/** What decides. */
export interface ReadAuthorisation {
  /** A function, so that changed rules reach streams that are open. */
  readonly policy: () => Policy
  readonly audit: Audit
}

/** What a requester may see of what it asked for. */
export interface GrantedRead {
  /** Normalised; never one of the service's own keys. Empty for a relay only. */
  readonly keys: IntervalSet
  /** Present for a relay only. */
  readonly relay?: RelayGrant
  readonly standing: Standing
  /** What was asked for, as text for the audit log. */
  readonly shown: () => readonly string[]
}

/**
 * Grants ranges.
 *
 * @throws {AvisoError} {@link Requester.refusal} where something asked for may not be seen; `ERR_VERDICT_UNAVAILABLE`.
 */
export async function authoriseRead(
  { policy, audit }: ReadAuthorisation,
  requester: Requester,
  ranges: readonly KeyRange[],
  wide: WideRange,
): Promise<GrantedRead> {
  const { identity, standing } = requester
  const requested = normalise(ranges.map(toInterval))
  const shown = (): readonly string[] => describeRanges(ranges)
  if (wide === 'narrow' && policy().isRelay(identity)) {
    const { keys: visible, validUntil } = await policy().visible(identity, ALL_KEYS)
    const relay = { keys: relayedAmong(requested), visible }
    return { keys: intersect(requested, visible), relay, standing: until(standing, validUntil), shown }
  }
  const { keys: visible, validUntil } = await policy().visible(identity, requested)
  const decision = decideAccess(requested, visible)
  const refused = (): AvisoError => refuse(audit, identity, requester.refusal(), { keys: shown() })
  switch (decision.kind) {
    case 'whole':
      break
    case 'narrowed':
      if (wide === 'refuse' || !ranges.every((range) => mayNarrow(range, visible))) throw refused()
      audit.record({ action: 'narrowed', who: subjectOf(identity), keys: shown() })
      break
    case 'refused':
      throw refused()
  }
  return { keys: decision.effective, standing: until(standing, validUntil), shown }
}

/**
 * For an open stream: all that was granted may still be seen.
 *
 * @returns How long the answer counts.
 * @throws {AvisoError} As {@link authoriseRead}, where something may no longer be seen.
 */
export async function authoriseAgain(
  { policy }: Pick<ReadAuthorisation, 'policy'>,
  requester: Requester,
  { keys: granted, relay }: Pick<GrantedRead, 'keys' | 'relay'>,
  maxAgeMs: number,
): Promise<Standing> {
  const again = await requester.again(maxAgeMs)
  const asked = relay === undefined ? granted : ALL_KEYS
  const { keys, validUntil } = await policy().visible(again.identity, asked, { maxAgeMs })
  const stands =
    relay === undefined
      ? decideAccess(granted, keys).kind === 'whole'
      : policy().isRelay(again.identity) && covers(keys, relay.visible)
  if (!stands) throw again.refusal()
  return until(again.standing, validUntil)
}

/** Ranges as text for the audit log. */
export function describeRanges(ranges: readonly KeyRange[]): readonly string[] {
  return ranges.map(({ key, end }) => (end === undefined ? toText(key) : `${toText(key)}…${toText(end)}`))
}

/** A standing that lasts no longer than the answer it rests on. @param other Absent: the answer has no end. */
function until({ endsAt, validUntil }: Standing, other = Infinity): Standing {
  return { endsAt, validUntil: Math.min(validUntil, other) }
}
