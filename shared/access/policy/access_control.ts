/**
 * Identity and policy as the services use them: who sends a request, and whether they may.
 *
 * Flow: request → **access control** → hub, store, journal
 *
 * @module
 */

import { silentAudit, type Audit, type AuditRecord } from '../audit/audit.ts'
import type { AvisoError } from '#shared/errors.ts'
import { ALL_KEYS, covers, intersect, normalise, toInterval, type IntervalSet } from '../interval.ts'
import { toText } from '#shared/bytes/bytes.ts'
import type { KeyRange } from '#shared/store/store.ts'
import { decideAccess, mayNarrow, relayedAmong } from './access.ts'
import { openPolicy, type Policy, type Publication } from './policy.ts'
import { identifyNobody, refuse, subjectOf, type Identify, type Requester } from './requester.ts'
import type { Standing } from './stream_rights.ts'

/** What somebody may see of what they asked for. */
export interface Granted {
  /** Normalised; never one of the service's own keys. Empty for a relay only. */
  readonly effective: IntervalSet
  /** Absent for everybody but a relay. */
  readonly relay?: RelayGrant
  readonly standing: Standing
  /** What was asked for, as text for the audit log. */
  readonly shown: () => readonly string[]
}

/** What another Aviso may have, so that its hub can stand on this one. */
export interface RelayGrant {
  /** Those of the service's own keys that it needs, among those it asked for: normalised, perhaps none. */
  readonly keys: IntervalSet
  /** Everything it may see, whatever it asked for: journals name nothing else to it. */
  readonly visible: IntervalSet
}

/**
 * How a range that reaches too far is answered: by a refusal; or a 1.x client's prefix is cut down to what it may see (and any other
 * range is refused all the same). A relay's range is cut down whatever it is: its hub asks for all keys there might be.
 */
export type WideRange = 'refuse' | 'narrow'

/** Identity, policy and audit in one. */
export interface AccessControl {
  readonly identify: Identify
  /**
   * @throws {AvisoError} {@link Requester.refusal} where something asked for may not be seen; `ERR_VERDICT_UNAVAILABLE`.
   */
  authorise(requester: Requester, ranges: readonly KeyRange[], wide: WideRange): Promise<Granted>
  /** For an open stream: resolves while all that was granted may still be seen, and throws as {@link authorise} when it may not. */
  stillAuthorised(
    requester: Requester,
    granted: Pick<Granted, 'effective' | 'relay'>,
    maxAgeMs: number,
  ): Promise<Standing>
  /** @throws {AvisoError} {@link Requester.refusal} */
  requirePublish(requester: Requester, publication: Publication): void
  /** @throws {AvisoError} {@link Requester.refusal} */
  requireAdmin(requester: Requester): void
  /** The requester has published one notification. */
  published(requester: Requester, event: string): void
  /** Puts a refusal on record that was decided elsewhere, e.g. by a quota. @returns It, to be thrown. */
  refused(requester: Requester, error: AvisoError): AvisoError
  /** Writes to the audit log in the name of the requester. */
  record(requester: Requester, record: Omit<AuditRecord, 'who'>): void
}

/** What access control is made of. */
export interface AccessControlParts {
  readonly identify: Identify
  /** A function, so that changed rules reach streams that are open. */
  readonly policy: () => Policy
  readonly audit: Audit
}

/** Access control by a policy. */
export function createAccessControl({ identify, policy, audit }: AccessControlParts): AccessControl {
  const visibleTo = async (
    { identity }: Requester,
    requested: IntervalSet,
    options?: { readonly maxAgeMs: number },
  ): Promise<{ readonly keys: IntervalSet; readonly validUntil: number }> => {
    const { keys, validUntil = Infinity } = await policy().visible(identity, requested, options)
    return { keys, validUntil }
  }
  const isRelay = ({ identity }: Requester): boolean => policy().isRelay(identity)

  return {
    identify,
    async authorise(requester, ranges, wide) {
      const requested = normalise(ranges.map(toInterval))
      const shown = (): readonly string[] => describe(ranges)
      if (wide === 'narrow' && isRelay(requester)) {
        const { keys: visible, validUntil } = await visibleTo(requester, ALL_KEYS)
        const relay = { keys: relayedAmong(requested), visible }
        const standing = join(requester.standing, validUntil)
        return { effective: intersect(requested, visible), relay, standing, shown }
      }
      const { keys: visible, validUntil } = await visibleTo(requester, requested)
      const decision = decideAccess(requested, visible)
      const isCut =
        decision.kind === 'narrowed' &&
        wide === 'narrow' &&
        ranges.every((range) => mayNarrow(range, visible))
      if (decision.kind === 'refused' || (decision.kind === 'narrowed' && !isCut)) {
        throw refuse(audit, requester.identity, requester.refusal(), { keys: shown() })
      }
      if (isCut) audit.record({ action: 'narrowed', who: subjectOf(requester.identity), keys: shown() })
      return { effective: decision.effective, standing: join(requester.standing, validUntil), shown }
    },
    async stillAuthorised(requester, { effective, relay }, maxAgeMs) {
      const again = await requester.again(maxAgeMs)
      const asked = relay === undefined ? effective : ALL_KEYS
      const { keys, validUntil } = await visibleTo(again, asked, { maxAgeMs })
      const stands =
        relay === undefined
          ? decideAccess(effective, keys).kind === 'whole'
          : isRelay(again) && covers(keys, relay.visible)
      if (!stands) throw again.refusal()
      return join(again.standing, validUntil)
    },
    requirePublish(requester, publication) {
      if (policy().mayPublish(requester.identity, publication)) return
      const { event, key } = publication
      throw refuse(audit, requester.identity, requester.refusal(), { event, keys: [toText(key)] })
    },
    requireAdmin(requester) {
      if (policy().isAdmin(requester.identity)) return
      throw refuse(audit, requester.identity, requester.refusal())
    },
    published: (requester, event) => audit.published(subjectOf(requester.identity), event),
    refused: (requester, error) => refuse(audit, requester.identity, error),
    record: (requester, record) => audit.record({ ...record, who: subjectOf(requester.identity) }),
  }
}

/** Everybody may do everything, and nothing is put on record: for development, where the service listens on loopback only. */
export const openAccess: AccessControl = createAccessControl({
  identify: identifyNobody,
  policy: () => openPolicy,
  audit: silentAudit,
})

function join({ endsAt, validUntil }: Standing, other: number): Standing {
  return { endsAt, validUntil: Math.min(validUntil, other) }
}

function describe(ranges: readonly KeyRange[]): readonly string[] {
  return ranges.map(({ key, end }) => (end === undefined ? toText(key) : `${toText(key)}…${toText(end)}`))
}
