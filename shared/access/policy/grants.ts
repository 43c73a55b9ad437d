/**
 * What a right is about: event types, prefixes of keys, or both. `listen`, `publish`, `public` and `open` are all written in this form.
 *
 * Flow: settings → **grants** → rules → policy
 *
 * @module
 */

import { prefixRange } from '#shared/bytes/bytes.ts'
import { hint } from '#shared/closest.ts'
import { isAvisoError } from '#shared/errors.ts'
import type { JsonObject } from '#shared/json/strict_json.ts'
import { ALL_KEYS, normalise, toInterval, type IntervalSet } from '../interval.ts'
import { fillTemplate, parsePrefix, parsePrefixTemplate, type PrefixTemplate } from './prefix.ts'
import type { WrittenGrants } from './settings.ts'

/** Every event type or every key. It must be written out, so that a missing member never means everything. */
export type Everything = 'everything'

/** What a policy can be about. */
export interface Scope {
  /** Event type → the literal prefix of its keys. */
  readonly roots: ReadonlyMap<string, string>
  /** Prefixes of further keys that can be listened to. Absent: not all keys are known, so no prefix is refused because it leads nowhere. */
  readonly others?: readonly string[]
}

/** One thing that is granted to one identity. */
export interface Grant {
  /** Place in the configuration, such as `vars.policy.rules.2.listen.0`. */
  readonly path: string
  /** Absent: every event type. */
  readonly event?: string
  /** The prefixes, with their holes filled. */
  readonly prefixes: Everything | readonly string[]
  /** The same as keys. Normalised. */
  readonly keys: IntervalSet
}

/** Where grants stand, and what they may name. */
export interface GrantPlace {
  readonly path: string
  readonly right: 'listen' | 'publish'
  readonly scope: Scope
  /** Whether prefixes may have holes, because there are claims to fill them. */
  readonly hasClaims: boolean
  /** Called with each problem, its place first. */
  readonly report: (problem: string) => void
}

type Entry = Exclude<WrittenGrants, Everything>[number]

/** A grant with its prefixes parsed. */
interface ParsedGrant {
  readonly path: string
  readonly event?: string
  readonly prefixes: Everything | readonly PrefixTemplate[]
}

/**
 * Compiles what is granted. What cannot be granted, or could never be used, is reported and left out.
 *
 * @returns a function that gives the grants of an identity with these claims
 */
export function compileGrants(
  written: WrittenGrants,
  place: GrantPlace,
): (claims: JsonObject) => readonly Grant[] {
  const parsed = written === 'everything' ? [toEverything(place.path)] : parseAll(written, place)
  return (claims) => parsed.map((grant) => fill(grant, claims, place))
}

/** The interval set of some prefixes. */
export function setOf(prefixes: readonly string[]): IntervalSet {
  return normalise(prefixes.map((prefix) => toInterval(prefixRange(prefix))))
}

function toEverything(path: string): ParsedGrant {
  return { path, prefixes: 'everything' }
}

function fill({ path, event, prefixes }: ParsedGrant, claims: JsonObject, place: GrantPlace): Grant {
  const about = event === undefined ? { path } : { path, event }
  if (prefixes === 'everything') return { ...about, prefixes, keys: keysOfEvent(event, place) }
  const filled = prefixes.flatMap((template) => fillTemplate(template, claims))
  return { ...about, prefixes: filled, keys: setOf(filled) }
}

/** A publisher names the event type, so any key will do. A listener asks for keys. */
function keysOfEvent(event: string | undefined, { right, scope }: GrantPlace): IntervalSet {
  if (event === undefined || right === 'publish') return ALL_KEYS
  const root = scope.roots.get(event)
  return root === undefined ? [] : setOf([root])
}

function parseAll(entries: readonly Entry[], place: GrantPlace): readonly ParsedGrant[] {
  const named = new Set(entries.map(wholeEventOf))
  return entries.flatMap((entry, index) => {
    const at = { ...place, path: `${place.path}.${index}` }
    const event = wholeEventOf(entry)
    const problem = event === undefined ? undefined : eventProblem(event, named, at)
    if (problem === undefined) return parseEntry(entry, at)
    at.report(`${at.path}${typeof entry === 'string' ? '' : '.event'}: ${problem}`)
    return []
  })
}

/** The event type whose keys are all granted. */
function wholeEventOf(entry: Entry): string | undefined {
  if (typeof entry === 'string') return entry.startsWith('/') ? undefined : entry
  return entry.prefixes === undefined ? entry.event : undefined
}

function parseEntry(entry: Entry, place: GrantPlace): readonly ParsedGrant[] {
  const { path, scope, report } = place
  const event = wholeEventOf(entry)
  if (event !== undefined) return [{ path, event, prefixes: 'everything' }]
  if (typeof entry === 'string') {
    const template = parseTemplate(entry, place)
    if (template === undefined || leadsNowhere(template, place)) return []
    return [{ path, prefixes: [template] }]
  }
  const root = scope.roots.get(entry.event)
  if (root === undefined) {
    report(`${path}.event: ${unknownEvent(entry.event, place)}`)
    return []
  }
  const prefixes = (entry.prefixes ?? []).flatMap((prefix, index) => {
    const at = { ...place, path: `${path}.prefixes.${index}` }
    const template = parseTemplate(prefix, at)
    if (template === undefined) return []
    if (prefix.startsWith(root)) return [template]
    at.report(
      `${at.path}: the prefix "${prefix}" is outside event type "${entry.event}", whose keys begin with ${root}`,
    )
    return []
  })
  return [{ path, event: entry.event, prefixes }]
}

function parseTemplate(text: string, { path, hasClaims, report }: GrantPlace): PrefixTemplate | undefined {
  try {
    return hasClaims ? parsePrefixTemplate(text) : { before: parsePrefix(text), after: '' }
  } catch (error) {
    if (!isAvisoError(error, 'ERR_CONFIG')) throw error
    report(`${path}: ${error.message}`)
    return undefined
  }
}

/** Reports a prefix with no key below it that anybody could ask for: it is a right that can never be used, so it is a mistake. */
function leadsNowhere({ before }: PrefixTemplate, { path, right, scope, report }: GrantPlace): boolean {
  const { roots, others } = scope
  if (others === undefined) return false
  const known = [...roots.values(), ...(right === 'listen' ? others : [])]
  if (known.some((root) => root.startsWith(before) || before.startsWith(root))) return false
  report(`${path}: there are no keys below "${before}" to ${right}: ${hint(before, known)}`)
  return true
}

function eventProblem(
  event: string,
  named: ReadonlySet<string | undefined>,
  place: GrantPlace,
): string | undefined {
  const { roots } = place.scope
  const root = roots.get(event)
  if (root === undefined) return unknownEvent(event, place)
  // What is published says its event type, and a key that is read does not.
  if (place.right === 'publish') return undefined
  for (const [other, otherRoot] of roots) {
    if (named.has(other) || !(otherRoot.startsWith(root) || root.startsWith(otherRoot))) continue
    return `the event type "${event}" cannot be granted alone: its keys lie among those of "${other}"; name both, or give prefixes`
  }
  return undefined
}

function unknownEvent(event: string, { scope }: GrantPlace): string {
  const meant = event.includes('/') ? `; a prefix of keys has a slash at both ends: ${slashed(event)}` : ''
  return `no schema has the event type "${event}": ${hint(event, scope.roots.keys())}${meant}`
}

function slashed(text: string): string {
  return JSON.stringify(`/${text.replaceAll(/^\/+|[/*]+$/g, '')}/`)
}
