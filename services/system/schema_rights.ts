/**
 * The rights that 2.x schemas give (`auth`), as a part of the policy. They only grant, so a schema takes nothing away that `vars.policy`
 * grants.
 *
 * @module
 */

import type { DestinationRights } from '#shared/access/policy/policy.ts'
import type { PolicySettings, WrittenGrants } from '#shared/access/policy/settings.ts'
import { AvisoError } from '#shared/errors.ts'
import type { RolesByRealm, SchemaAuth } from '#shared/notification/aviso2/schema_auth.ts'
import type { Schemas } from '#shared/notification/schema.ts'

type Rule = PolicySettings['rules'][number]

/** An event type whose schema says who may do what. */
interface Guarded {
  readonly event: string
  /** Prefix of its keys. */
  readonly root: string
  readonly auth: SchemaAuth
}

/** Event types that a schema protects. */
export function protectedEvents(schemas: Schemas): readonly string[] {
  return guardedOf(schemas).flatMap(({ event, auth }) => (auth.isRequired ? [event] : []))
}

/** Why a protected event type cannot be served without identities. */
export function unprotected(event: string): string {
  return `notification_schema.${event}.auth: no requester is identified ("identity": "none"), so it would restrict nothing: configure vars.identity, or leave it out`
}

/**
 * A policy with the rights of the schemas, which are those of 2.x:
 *
 * - `required: false`: everybody listens and publishes;
 * - no `read_roles`: everybody with a credential listens; no `write_roles`: only administrators publish;
 * - `ecpds`: a user listens to its destinations, where it has a role of `read_roles`, too. The policy says how they are asked for;
 * - administrators listen and publish.
 *
 * @throws {AvisoError} `ERR_CONFIG` for destinations that the policy cannot give.
 */
export function withSchemaRights(policy: PolicySettings, schemas: Schemas): PolicySettings {
  const guarded = guardedOf(schemas)
  if (guarded.length === 0) return policy
  for (const one of guarded) if (one.auth.isEcpds) checkDestinations(one, policy)
  const isOpen = guarded.filter(({ auth }) => !auth.isRequired).map(({ event }) => event)
  const forAllIdentities = guarded.filter(
    ({ auth }) => auth.isRequired && !auth.isEcpds && auth.readRoles === undefined,
  )
  const administrators = policy.rules
    .filter(({ admin }) => admin === true)
    .map(({ realm, roles, users, claims }): Rule => ({
      realm,
      roles,
      users,
      claims,
      listen: guarded.map(({ root }) => root),
      publish: guarded.map(({ event }) => ({ event })),
    }))
  return {
    ...policy,
    public: {
      listen: plus(policy.public.listen, isOpen),
      publish: plus(policy.public.publish, isOpen),
    },
    open: plus(
      policy.open,
      forAllIdentities.map(({ root }) => root),
    ),
    rules: [...policy.rules, ...guarded.flatMap(rulesOf), ...administrators],
  }
}

function plus(grants: WrittenGrants, more: readonly string[]): WrittenGrants {
  return grants === 'everything' ? grants : [...grants, ...more]
}

function guardedOf(schemas: Schemas): readonly Guarded[] {
  return schemas.events.flatMap((event) => {
    const auth = schemas.get(event)?.auth
    return auth === undefined ? [] : [{ event, root: schemas.rootOf(event) ?? '', auth }]
  })
}

function rulesOf({ event, root, auth }: Guarded): readonly Rule[] {
  return [
    ...(auth.isEcpds ? [] : byRealm(auth.readRoles, { listen: [root] })),
    ...byRealm(auth.writeRoles, { publish: [{ event }] }),
  ]
}

function byRealm(roles: RolesByRealm = {}, grants: Pick<Rule, 'listen' | 'publish'>): readonly Rule[] {
  return Object.entries(roles).map(([realm, anyOf]) => ({ realm, roles: [...anyOf], ...grants }))
}

/** Prefix of an event type with destinations → who may have them, where the schema says so. */
export function destinationReaders(schemas: Schemas): NonNullable<DestinationRights['readers']> {
  return new Map(
    guardedOf(schemas).flatMap(({ root, auth: { isEcpds, readRoles } }) =>
      isEcpds && readRoles !== undefined
        ? [[root, Object.entries(readRoles).map(([realm, roles]) => ({ realm, roles: [...roles] }))]]
        : [],
    ),
  )
}

/** A right to a destination is a right to the keys that begin with it, so they must do so, and the policy must name their prefix. */
function checkDestinations({ event, root }: Guarded, { destinations }: PolicySettings): void {
  if ([destinations?.prefix].flat().includes(root)) return
  const prefix =
    destinations === undefined
      ? `Configure vars.policy.destinations, with "prefix": "${root}"`
      : `Add "${root}" to the list vars.policy.destinations.prefix`
  throw new AvisoError(
    'ERR_CONFIG',
    `notification_schema.${event}.auth.plugins: ${prefix} and the destination as the first field of key_order`,
  )
}
