/**
 * Says what a requester may do, and by which part of the configuration. The verdicts are those of the policy itself.
 *
 * @module
 */

import type { Identity } from '../identity/identity.ts'
import { covers, intersect, subtract, type IntervalSet } from '../interval.ts'
import { decideAccess } from './decision.ts'
import { setOf, type Everything, type Grant } from './grants.ts'
import type { Policy } from './policy.ts'
import { POLICY_PATH } from './rules.ts'

/** What somebody wants to do. */
export type AccessQuestion =
  | { readonly right: 'listen'; readonly keys: IntervalSet }
  | { readonly right: 'publish'; readonly event: string; readonly keys: IntervalSet }
  | { readonly right: 'administer' | 'relay' }

/** Whether they may. */
export interface AccessAnswer {
  readonly isAllowed: boolean
  /** Whether only a part of what was asked for is granted. */
  readonly isPartly: boolean
  /** Places in the configuration that grant it, or a part of it. */
  readonly by: readonly string[]
}

/** One right of a requester. */
export interface HeldGrant {
  readonly right: 'listen' | 'publish'
  /** Absent: keys that belong to no event type. */
  readonly event?: string
  readonly keys: Everything | readonly string[]
  readonly by: string
}

/** Where lists of destinations grant something. */
export const DESTINATIONS_PATH = `${POLICY_PATH}.destinations`

/**
 * Asks the policy.
 *
 * @param identity Absent: an anonymous requester.
 * @throws {AvisoError} `ERR_VERDICT_UNAVAILABLE` when the answer depends on a list of destinations that cannot be had.
 */
export async function askPolicy(
  policy: Policy,
  identity: Identity | undefined,
  question: AccessQuestion,
): Promise<AccessAnswer> {
  const { grants } = policy.explain(identity)
  switch (question.right) {
    case 'administer':
      return { isAllowed: policy.isAdmin(identity), isPartly: false, by: grants.admin }
    case 'relay':
      return { isAllowed: policy.isRelay(identity), isPartly: false, by: grants.relay }
    case 'publish': {
      const { event, keys } = question
      const granted = policy.publishable(identity, event)
      const own = grants.publish.filter((grant) => grant.event === undefined || grant.event === event)
      return answerOf(keys, intersect(keys, granted), { isAllowed: covers(granted, keys), grants: own })
    }
    case 'listen': {
      const { keys } = question
      const visible = await policy.visible(identity, keys)
      const decision = decideAccess(keys, visible.keys)
      const effective = decision.kind === 'refused' ? [] : decision.effective
      return answerOf(keys, effective, { isAllowed: decision.kind === 'whole', grants: grants.listen })
    }
  }
}

function answerOf(
  asked: IntervalSet,
  effective: IntervalSet,
  { isAllowed, grants }: { readonly isAllowed: boolean; readonly grants: readonly Grant[] },
): AccessAnswer {
  const by = grants.filter(({ keys }) => intersect(keys, asked).length > 0)
  const rest = by.reduce((left, { keys }) => subtract(left, keys), effective)
  return {
    isAllowed,
    isPartly: !isAllowed && effective.length > 0,
    by: [...by.map(({ path }) => path), ...(rest.length === 0 ? [] : [DESTINATIONS_PATH])],
  }
}

/**
 * All rights to listen and to publish, by event type. What lists of destinations grant is not among them.
 *
 * @param roots Event type → the literal prefix of its keys.
 */
export function heldGrants(
  policy: Policy,
  identity: Identity | undefined,
  roots: ReadonlyMap<string, string>,
): readonly HeldGrant[] {
  const { listen, publish } = policy.explain(identity).grants
  return [
    ...listen.flatMap((grant) => perEvent('listen', grant, roots)),
    ...publish.flatMap((grant) => perEvent('publish', grant, roots)),
  ]
}

function perEvent(
  right: HeldGrant['right'],
  { path: by, event: only, prefixes, keys }: Grant,
  roots: ReadonlyMap<string, string>,
): readonly HeldGrant[] {
  const held = [...roots].flatMap(([event, root]): HeldGrant[] => {
    const own = setOf([root])
    const isAbout = (only === undefined || only === event) && intersect(keys, own).length > 0
    if (!isAbout) return []
    if (prefixes === 'everything' || covers(keys, own)) return [{ right, event, keys: 'everything', by }]
    const inside = prefixes.filter((prefix) => intersect(setOf([prefix]), own).length > 0)
    return [{ right, event, keys: inside, by }]
  })
  return held.length > 0 || keys.length === 0 ? held : [{ right, keys: prefixes, by }]
}
