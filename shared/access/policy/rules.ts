/**
 * The parts of the policy that grant something, and to whom: what is public, what is open to every identity, and rules.
 *
 * @module
 */

import type { Identity } from '../identity/identity.ts'
import { textsAt } from '../identity/claims.ts'
import type { JsonObject } from '#shared/json/strict_json.ts'
import { compileGrants, type Grant, type GrantPlace, type Scope } from './grants.ts'
import type { Following } from './following.ts'
import type { PolicySettings } from './settings.ts'

/** Where the policy stands in the configuration. */
export const POLICY_PATH = 'vars.policy'

/** Public event types, open prefixes and rules, as configured. */
export type PolicyRules = Pick<PolicySettings, 'public' | 'open' | 'rules'>

/** One rule as configured: all of its conditions must hold. Roles and user names count only within its realm. */
export type Rule = PolicySettings['rules'][number]

/** What one requester is granted, each with its place in the configuration. */
export interface Grants {
  readonly listen: readonly Grant[]
  readonly publish: readonly Grant[]
  /** Places of the rules that make an administrator of the identity. */
  readonly admin: readonly string[]
  /** Places of the rules that make a relay of the identity. */
  readonly relay: readonly string[]
}

/** A part of the policy that does not apply to a requester. */
export interface UnmetRule {
  readonly path: string
  /** Such as `realm is not "ops"`. */
  readonly reason: string
}

/** The answer for one requester. */
export interface CompiledRights {
  readonly grants: Grants
  readonly unmet: readonly UnmetRule[]
}

/** A part of the policy. */
interface Source {
  readonly path: string
  /** @returns why it does not apply; `undefined` where it applies. */
  readonly whyNot: (identity: Identity | undefined) => string | undefined
  readonly listen: (claims: JsonObject) => readonly Grant[]
  readonly publish: (claims: JsonObject) => readonly Grant[]
  readonly admin: boolean
  readonly relay: boolean
}

const ANYBODY = '*'
const NAMELESS = 'it is for identities only'

/**
 * Compiles the parts of the policy.
 *
 * @param report Called with each part that cannot be granted or could never be used, its place first.
 * @returns a function that gives the grants of all parts that apply to a requester; without an identity those that are public.
 */
export function compileRules(
  policy: PolicyRules,
  scope: Scope,
  report: GrantPlace['report'],
): (identity: Identity | undefined) => CompiledRights {
  const sources = sourcesOf(policy, scope, report)
  return (identity) => {
    const claims = identity?.claims ?? {}
    const judged = sources.map((source) => ({ source, reason: source.whyNot(identity) }))
    const met = judged.flatMap(({ source, reason }) => (reason === undefined ? [source] : []))
    return {
      grants: {
        listen: met.flatMap(({ listen }) => listen(claims)),
        publish: met.flatMap(({ publish }) => publish(claims)),
        admin: met.filter(({ admin }) => admin).map(({ path }) => `${path}.admin`),
        relay: met.filter(({ relay }) => relay).map(({ path }) => `${path}.relay`),
      },
      unmet: judged.flatMap(({ source: { path }, reason }) =>
        reason === undefined ? [] : [{ path, reason }],
      ),
    }
  }
}

/** Reports what names keys whose rights follow those of others: it would look like a right, and be none. */
export function reportFollowers(
  policy: PolicyRules,
  { event, root }: Pick<Following, 'event' | 'root'>,
  report: GrantPlace['report'],
): void {
  const check = (written: Rule['listen'], path: string, remedy: string): void => {
    if (written === undefined || written === 'everything') return
    for (const [index, entry] of written.entries()) {
      const names = typeof entry === 'string' ? [entry] : [entry.event, ...(entry.prefixes ?? [])]
      const named = names.find((name) => name === event || name.startsWith(root))
      if (named !== undefined) report(`${path}.${index}: "${named}" cannot be granted: ${remedy}`)
    }
  }
  const listen = `who may listen to all products of a run sees the run; name the event types of the products, and leave it out`
  const publish = 'the service itself publishes it; leave it out'
  const places: readonly (readonly [Pick<Rule, 'listen' | 'publish'>, string])[] = [
    [policy.public, `${POLICY_PATH}.public`],
    ...policy.rules.map((rule, index) => [rule, `${POLICY_PATH}.rules.${index}`] as const),
  ]
  check(policy.open, `${POLICY_PATH}.open`, listen)
  for (const [grants, path] of places) {
    check(grants.listen, `${path}.listen`, listen)
    check(grants.publish, `${path}.publish`, publish)
  }
}

function sourcesOf(policy: PolicyRules, scope: Scope, report: GrantPlace['report']): readonly Source[] {
  const compile = (
    written: Rule['listen'],
    about: Pick<GrantPlace, 'path' | 'right'>,
    hasClaims = true,
  ): Source['listen'] => compileGrants(written ?? [], { ...about, scope, hasClaims, report })
  const none = { publish: () => [], admin: false, relay: false }
  const forAll = `${POLICY_PATH}.public`
  const open = `${POLICY_PATH}.open`
  return [
    {
      ...none,
      path: forAll,
      whyNot: () => undefined,
      listen: compile(policy.public.listen, { path: `${forAll}.listen`, right: 'listen' }, false),
      publish: compile(policy.public.publish, { path: `${forAll}.publish`, right: 'publish' }, false),
    },
    ...(policy.open.length === 0
      ? []
      : [
          {
            ...none,
            path: open,
            whyNot: (identity: Identity | undefined) => (identity === undefined ? NAMELESS : undefined),
            listen: compile(policy.open, { path: open, right: 'listen' }),
          },
        ]),
    ...policy.rules.map((rule, index): Source => {
      const path = `${POLICY_PATH}.rules.${index}`
      return {
        path,
        whyNot: (identity) => (identity === undefined ? NAMELESS : whyNot(rule, identity)),
        listen: compile(rule.listen, { path: `${path}.listen`, right: 'listen' }),
        publish: compile(rule.publish, { path: `${path}.publish`, right: 'publish' }),
        admin: rule.admin === true,
        relay: rule.relay === true,
      }
    }),
  ]
}

/** @returns the first condition of a rule that an identity does not meet; `undefined` where it meets all. */
export function whyNot(
  { realm, roles, users, claims }: Pick<Rule, 'realm' | 'roles' | 'users' | 'claims'>,
  identity: Pick<Identity, 'realm' | 'roles' | 'username' | 'claims'>,
): string | undefined {
  if (realm !== ANYBODY && realm !== identity.realm) return `realm is not "${realm}"`
  if (roles !== undefined && !roles.some((role) => role === ANYBODY || identity.roles.includes(role)))
    return `has not the role ${roles.join(' or ')}`
  if (users !== undefined && !users.includes(identity.username))
    return `the user is not ${users.join(' or ')}`
  const unmet = Object.entries(claims ?? {}).find(
    ([name, values]) => !textsAt(identity.claims, name).some((value) => values.includes(value)),
  )
  return unmet === undefined ? undefined : `claim ${unmet[0]} is not ${unmet[1].join(' or ')}`
}
