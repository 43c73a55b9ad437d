/**
 * Makes the policy that a configuration describes, and finds in it what could never be used.
 *
 * @module
 */

import type { Identity } from '#shared/access/identity/identity.ts'
import type { ProviderSettings } from '#shared/access/identity/settings.ts'
import {
  createPolicy,
  policyProblems,
  type DestinationRights,
  type Policy,
  type PolicyParts,
} from '#shared/access/policy/policy.ts'
import { parsePrefix, parsePrefixTemplate } from '#shared/access/policy/prefix.ts'
import { POLICY_PATH, whyNot, type Rule } from '#shared/access/policy/rules.ts'
import type { PolicySettings } from '#shared/access/policy/settings.ts'
import { hint } from '#shared/closest.ts'
import { isAvisoError } from '#shared/errors.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import { SERVICES_PREFIX } from '#shared/service_files/layout.ts'
import { followingOf } from './runs.ts'
import { destinationReaders, withSchemaRights } from './schema_rights.ts'
import type { Config } from './settings.ts'

/** What a policy is made with. */
export interface PolicyTools extends Pick<PolicyParts, 'clock' | 'count'> {
  readonly destinations?: DestinationRights | undefined
}

type Vars = Pick<Config['vars'], 'schemaService' | 'runs'>

/**
 * Makes a policy, with the rights that the schemas give.
 *
 * @throws {AvisoError} `ERR_CONFIG` that lists what cannot be granted or could never be used.
 */
export function openPolicy(
  rules: PolicySettings,
  {
    schemas,
    configured = schemas,
    vars,
    tools,
  }: {
    readonly schemas: Schemas
    /** Schemas whose event types may be granted, too. */
    readonly configured?: Schemas
    readonly vars: Vars
    readonly tools: PolicyTools
  },
): Policy {
  const { destinations, clock, count } = tools
  const scope = scopeOf(schemas, vars)
  const roots = new Map([...scopeOf(configured, vars).roots, ...scope.roots])
  const base = { rules: withSchemaRights(rules, schemas), ...scope, roots, clock, count }
  if (destinations === undefined) return createPolicy(base)
  return createPolicy({ ...base, destinations: { ...destinations, readers: destinationReaders(schemas) } })
}

/** Event type → the literal prefix of its keys. */
export function rootsOf(schemas: Schemas): ReadonlyMap<string, string> {
  return new Map(schemas.events.map((event) => [event, schemas.rootOf(event) ?? '']))
}

/** With a schema in the store, there are event types that the configuration does not know. */
function scopeOf(schemas: Schemas, vars: Vars): Pick<PolicyParts, 'roots' | 'otherRoots' | 'following'> {
  return {
    following: followingOf(schemas, vars),
    roots: rootsOf(schemas),
    otherRoots: vars.schemaService === undefined ? [SERVICES_PREFIX] : undefined,
  }
}

/**
 * Everything in a policy that cannot be granted, or could never be used, because no event type or no identity is meant.
 *
 * @param schemas Absent where they could not be read: then event types and prefixes are not judged.
 */
export function judgePolicy(
  vars: Pick<Config['vars'], 'policy' | 'schemaService' | 'runs'>,
  providers: readonly ProviderSettings[],
  schemas: Schemas | undefined,
): readonly string[] {
  const { policy } = vars
  const users = providers.flatMap(usersOf)
  return [
    ...(schemas === undefined ? [] : policyProblems({ rules: policy, ...scopeOf(schemas, vars) })),
    // It is as a rule for everybody.
    ...ruleProblems({ realm: '*', listen: policy.open }, `${POLICY_PATH}.open`, users),
    ...policy.rules.flatMap((rule, index) => ruleProblems(rule, `${POLICY_PATH}.rules.${index}`, users)),
    ...destinationProblems(policy, users),
  ]
}

/** Users of one realm that a provider may identify. What is absent may be anything. */
export interface PossibleUser {
  readonly realm?: string
  readonly username?: string
  readonly roles?: readonly string[]
  /** Whether the provider says more about its users. */
  readonly hasClaims: boolean
}

/** The users that a provider may identify. */
export function usersOf(provider: ProviderSettings): readonly PossibleUser[] {
  switch (provider.kind) {
    case 'jwt':
      return [
        provider.realmClaim === undefined ? { realm: provider.realm, hasClaims: true } : { hasClaims: true },
      ]
    case 'auth-o-tron':
      return [{ hasClaims: true }]
    case 'who-am-i':
      return [{ realm: provider.realm, roles: [], hasClaims: true }]
    case 'tokens':
      return provider.tokens.map(({ realm, username, roles }) => ({
        realm,
        username,
        roles,
        hasClaims: false,
      }))
  }
}

/** A rule that no user can ever meet. */
function ruleProblems(rule: Rule, path: string, all: readonly PossibleUser[]): readonly string[] {
  const users = all.filter(({ realm }) => rule.realm === '*' || realm === undefined || realm === rule.realm)
  if (users.length === 0) return [realmProblem(`${path}.realm`, rule.realm, all)]
  const problems = [
    ...memberProblems(rule.roles, `${path}.roles`, {
      known: knownOf(users, ({ roles }) => roles),
      what: `user of realm "${rule.realm}" has the role`,
    }),
    ...memberProblems(rule.users, `${path}.users`, {
      known: knownOf(users, ({ username }) => (username === undefined ? undefined : [username])),
      what: `user of realm "${rule.realm}" is called`,
    }),
  ]
  if (problems.length > 0) return problems
  const claims = claimsOf(rule)
  if (claims !== undefined && users.every(({ hasClaims }) => !hasClaims))
    return [
      `${path}: no provider says more of users of realm "${rule.realm}" than name and roles, so the claim ${claims} is never there: leave it out, or name users or roles`,
    ]
  if (users.some((user) => couldMeet(rule, user))) return []
  return [`${path}: no user of realm "${rule.realm}" meets all of its conditions, so it can never apply`]
}

function realmProblem(path: string, realm: string, users: readonly PossibleUser[]): string {
  const known = users.flatMap((user) => user.realm ?? [])
  return `${path}: no provider has users of realm "${realm}": ${hint(realm, known)}`
}

/** @returns every value that users may have; `undefined` where a user may have any. */
function knownOf(
  users: readonly PossibleUser[],
  valuesOf: (user: PossibleUser) => readonly string[] | undefined,
): readonly string[] | undefined {
  const values = users.map(valuesOf)
  const known = values.filter((value) => value !== undefined)
  return known.length < values.length ? undefined : known.flat()
}

function memberProblems(
  names: readonly string[] = [],
  path: string,
  { known, what }: { readonly known: readonly string[] | undefined; readonly what: string },
): readonly string[] {
  if (known === undefined) return []
  return names.flatMap((name, index) => {
    // "*" stands for any role.
    if (known.includes(name) || (name === '*' && path.endsWith('.roles'))) return []
    return [`${path}.${index}: no ${what} "${name}": ${hint(name, known)}`]
  })
}

/** The claims that a rule cannot do without. */
function claimsOf({ claims, listen, publish }: Rule): string | undefined {
  const asked = Object.keys(claims ?? {})[0]
  const prefixes = [listen, publish].flatMap((grants) =>
    grants === undefined || grants === 'everything'
      ? ['']
      : grants.flatMap((grant) => (typeof grant === 'string' ? [grant] : [...(grant.prefixes ?? [''])])),
  )
  return asked ?? prefixes.map(holeOf).find((hole) => hole !== undefined)
}

function holeOf(prefix: string): string | undefined {
  try {
    return prefix.includes('{') ? parsePrefixTemplate(prefix).claim : undefined
  } catch (error) {
    // A prefix that cannot be granted is told with its own place.
    if (!isAvisoError(error, 'ERR_CONFIG')) throw error
    return undefined
  }
}

/** Whether one and the same user may meet all conditions. What the provider leaves open counts as met. */
function couldMeet(rule: Rule, { realm, username, roles, hasClaims }: PossibleUser): boolean {
  const identity: Pick<Identity, 'realm' | 'roles' | 'username' | 'claims'> = {
    realm: realm ?? rule.realm,
    username: username ?? rule.users?.[0] ?? '',
    roles: roles ?? rule.roles ?? [],
    claims: {},
  }
  const { realm: wanted, roles: anyOf, users } = rule
  const conditions = { realm: wanted, roles: anyOf, users, claims: hasClaims ? undefined : rule.claims }
  return whyNot(conditions, identity) === undefined
}

function destinationProblems(
  { destinations }: PolicySettings,
  users: readonly PossibleUser[],
): readonly string[] {
  if (destinations === undefined) return []
  const path = `${POLICY_PATH}.destinations`
  const isOpenEnded = users.some(({ realm }) => realm === undefined)
  const realms = destinations.realms.flatMap((realm, index) =>
    isOpenEnded || realm === '*' || users.some((user) => user.realm === realm)
      ? []
      : [realmProblem(`${path}.realms.${index}`, realm, users)],
  )
  const { prefix } = destinations
  const prefixes = [prefix].flat().flatMap((each, index) => {
    try {
      parsePrefix(each)
      return []
    } catch (error) {
      if (!isAvisoError(error, 'ERR_CONFIG')) throw error
      return [`${path}.prefix${Array.isArray(prefix) ? `.${index}` : ''}: ${error.message}`]
    }
  })
  return [...prefixes, ...realms]
}
