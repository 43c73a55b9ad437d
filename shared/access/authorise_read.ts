/**
 * Decides whether a requester may see the keys that it asks for, and checks that again while a stream is open.
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

export interface ReadAuthorisation {
  /** A function, so that changed rules also reach open streams. */
  readonly policy: () => Policy
  readonly audit: Audit
}

/** The part of the requested keys that the requester may see. */
export interface GrantedRead {
  /** Normalised; never keys of the service itself. Empty for a relay only. */
  readonly keys: IntervalSet
  /** Present for a relay only. */
  readonly relay?: RelayGrant
  readonly standing: Standing
  /** The requested ranges, as text for the audit log. */
  readonly shown: () => readonly string[]
}

/**
 * Grants ranges.
 *
 * @throws {AvisoError} {@link Requester.refusal} when the requester may not see a requested key; `ERR_VERDICT_UNAVAILABLE`.
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
  const refused = (): AvisoError => refuse(audit, requester, requester.refusal(), { keys: shown() })
  switch (decision.kind) {
    case 'whole':
      break
    case 'narrowed':
      if (wide === 'refuse' || !ranges.every((range) => mayNarrow(range, visible))) throw refused()
      audit.record({ action: 'narrowed', who: subjectOf(identity), ...requester.from, keys: shown() })
      break
    case 'refused':
      throw refused()
  }
  return { keys: decision.effective, standing: until(standing, validUntil), shown }
}

/**
 * Checks for an open stream that its requester may still see all granted keys.
 *
 * @returns the times until which the right stands.
 * @throws {AvisoError} As {@link authoriseRead}, when the requester may no longer see one of the keys.
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

/** The standing, ended no later than `other`, the end of the policy's answer. Absent: the answer has no end. */
function until({ endsAt, validUntil }: Standing, other = Infinity): Standing {
  return { endsAt, validUntil: Math.min(validUntil, other) }
}
