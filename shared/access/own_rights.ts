/**
 * Says to a requester who it is and what it may do, and which part of the configuration says so. The verdicts are those of the policy.
 *
 * @module
 */

import { prefixRange, toText } from '#shared/bytes/bytes.ts'
import { isAvisoError } from '#shared/errors.ts'
import type { KeyRange } from '#shared/store/store.ts'
import type { OwnRight, OwnRights, Verdict } from './access.ts'
import type { Identity } from './identity/identity.ts'
import { intersect, normalise, subtract, toInterval, type IntervalSet } from './interval.ts'
import { withoutInternal } from './policy/decision.ts'
import { DESTINATIONS_PATH, heldGrants } from './policy/explain.ts'
import type { Policy } from './policy/policy.ts'
import type { Requester } from './policy/requester.ts'

/** What decides where there are no identities. */
export const NO_IDENTITIES = 'vars.identity'

/** The part of ranges that a requester may see. @throws {AvisoError} `ERR_VERDICT_UNAVAILABLE`. */
export async function visiblePart(
  policy: Policy,
  { identity }: Pick<Requester, 'identity'>,
  ranges: readonly KeyRange[],
): Promise<IntervalSet> {
  const asked = withoutInternal(normalise(ranges.map(toInterval)))
  const { keys } = await policy.visible(identity, asked)
  return intersect(asked, keys)
}

/**
 * Everything that a requester may do.
 *
 * @param roots Event type → the literal prefix of its keys.
 * @throws {AvisoError} `ERR_UNAUTHENTICATED` for a credential that cannot be read: "anonymous" would hide the mistake from its sender.
 */
export async function explainRights(
  policy: Policy,
  requester: Pick<Requester, 'identity' | 'standing' | 'isUnreadable' | 'refusal'>,
  roots: ReadonlyMap<string, string>,
): Promise<OwnRights> {
  if (requester.isUnreadable === true) throw requester.refusal()
  const { identity, standing } = requester
  return { ...(await rightsOf(policy, identity, roots)), endsAt: standing.endsAt }
}

/** Everything that an identity may do. @param roots As for {@link explainRights}. */
export async function rightsOf(
  policy: Policy,
  identity: Identity | undefined,
  roots: ReadonlyMap<string, string>,
): Promise<Omit<OwnRights, 'endsAt'>> {
  const { grants } = policy.explain(identity)
  const byRule = normalise(grants.listen.flatMap(({ keys }) => keys))
  const held = heldGrants(policy, identity, roots)
  const listed = await byDestinations(policy, { identity }, { roots, byRule })
  return {
    user: identity && { username: identity.username, realm: identity.realm, roles: identity.roles },
    rights: [...held, ...listed.rights],
    administer: toVerdict(grants.admin),
    relay: toVerdict(grants.relay),
    isIncomplete: listed.isIncomplete,
  }
}

/** What a service without identities allows: everything but publishing what is reserved. */
export function openRights(roots: ReadonlyMap<string, string>, reserved: readonly string[] = []): OwnRights {
  const everything = (right: OwnRight['right']): readonly OwnRight[] =>
    [...roots.keys()].map((event) => ({ right, event, keys: 'everything', by: NO_IDENTITIES }))
  return {
    user: undefined,
    endsAt: undefined,
    rights: [
      ...everything('listen'),
      ...everything('publish').filter(({ event = '' }) => !reserved.includes(event)),
    ],
    administer: { allowed: true, by: [NO_IDENTITIES] },
    relay: { allowed: false, by: [] },
    isIncomplete: false,
  }
}

/** What lists of destinations grant beyond the rules. */
async function byDestinations(
  policy: Policy,
  requester: Pick<Requester, 'identity'>,
  { roots, byRule }: { readonly roots: ReadonlyMap<string, string>; readonly byRule: IntervalSet },
): Promise<{ readonly rights: readonly OwnRight[]; readonly isIncomplete: boolean }> {
  const rights: OwnRight[] = []
  try {
    for (const [event, root] of roots) {
      const rest = subtract(await visiblePart(policy, requester, [prefixRange(root)]), byRule)
      const keys = rest.map(({ start }) => toText(start))
      if (keys.length > 0) rights.push({ right: 'listen', event, keys, by: DESTINATIONS_PATH })
    }
  } catch (error) {
    if (!isAvisoError(error, 'ERR_VERDICT_UNAVAILABLE')) throw error
    return { rights, isIncomplete: true }
  }
  return { rights, isIncomplete: false }
}

function toVerdict(by: readonly string[]): Verdict {
  return { allowed: by.length > 0, by }
}
