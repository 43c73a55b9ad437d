/**
 * Rules of the configuration: who may do what.
 *
 * @module
 */

import type { Identity } from '../identity/identity.ts'
import { textsAt } from '../identity/claims.ts'
import type { PolicySettings } from './settings.ts'
import { fillTemplate, parsePrefixTemplate, type PrefixTemplate } from './prefix.ts'

/** Every event type or every key. It must be written out, so that a missing member never means everything. */
export type Everything = 'everything'

/** One rule as configured: all of its conditions must hold. Roles and user names count only within its realm. */
export type Rule = PolicySettings['rules'][number]

/** A right to publish one event type. */
export type PublishGrant = Exclude<NonNullable<Rule['publish']>, Everything>[number]

/** What the rules grant one identity. */
export interface Grants {
  readonly listen: Everything | readonly string[]
  readonly publish: Everything | readonly GrantedPublish[]
  readonly admin: boolean
  readonly relay: boolean
}

/** A right to publish, with its holes filled. */
export interface GrantedPublish {
  readonly event: string
  readonly prefixes: Everything | readonly string[]
}

/** A rule with its prefixes parsed. */
interface CompiledRule {
  readonly rule: Rule
  readonly listen: Everything | readonly PrefixTemplate[]
  readonly publish:
    | Everything
    | readonly { readonly event: string; readonly prefixes: Everything | readonly PrefixTemplate[] }[]
}

const ANYBODY = '*'

/**
 * Compiles rules.
 *
 * @returns a function that gives the grants of all rules that apply to an identity.
 * @throws {AvisoError} `ERR_CONFIG` for a prefix that cannot be granted.
 */
export function compileRules(rules: readonly Rule[]): (identity: Identity) => Grants {
  const compiled = rules.map((rule): CompiledRule => {
    const { listen = [], publish = [] } = rule
    return {
      rule,
      listen: listen === 'everything' ? listen : listen.map(parsePrefixTemplate),
      publish:
        publish === 'everything'
          ? publish
          : publish.map(({ event, prefixes }) => ({
              event,
              prefixes: prefixes === undefined ? 'everything' : prefixes.map(parsePrefixTemplate),
            })),
    }
  })
  return (identity) =>
    merge(
      compiled.filter(({ rule }) => applies(rule, identity)),
      identity,
    )
}

function applies({ realm, roles, users, claims }: Rule, identity: Identity): boolean {
  if (realm !== ANYBODY && realm !== identity.realm) return false
  if (roles !== undefined && !roles.some((role) => role === ANYBODY || identity.roles.includes(role)))
    return false
  if (users !== undefined && !users.includes(identity.username)) return false
  return Object.entries(claims ?? {}).every(([name, values]) =>
    textsAt(identity.claims, name).some((value) => values.includes(value)),
  )
}

function merge(rules: readonly CompiledRule[], { claims }: Identity): Grants {
  const fill = (templates: readonly PrefixTemplate[]): readonly string[] =>
    templates.flatMap((template) => fillTemplate(template, claims))
  const listens = rules.map(({ listen }) => listen)
  const publishes = rules.map(({ publish }) => publish)
  return {
    listen: listens.includes('everything')
      ? 'everything'
      : listens.flatMap((listen) => (listen === 'everything' ? [] : fill(listen))),
    publish: publishes.includes('everything')
      ? 'everything'
      : publishes
          .flatMap((publish) => (publish === 'everything' ? [] : publish))
          .map(({ event, prefixes }) => ({
            event,
            prefixes: prefixes === 'everything' ? prefixes : fill(prefixes),
          })),
    admin: rules.some(({ rule }) => rule.admin === true),
    relay: rules.some(({ rule }) => rule.relay === true),
  }
}
