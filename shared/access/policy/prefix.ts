/**
 * Prefixes of keys that a rule grants: each ends at a slash, so that a grant for FOO says nothing about FOOBAR.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { claimAt } from '../identity/claims.ts'
import type { JsonObject, JsonValue } from '#shared/json/strict_json.ts'
import { INTERNAL_PREFIX } from '#shared/journal/journal.ts'

/** A prefix, or one with a hole that a claim fills, once for each of its values: `/ec/diss/{destinations}/`. */
export interface PrefixTemplate {
  readonly before: string
  /** Name of the claim; absent: `before` is all. */
  readonly claim?: string
  readonly after: string
}

/** Longest name of a destination or another segment; etcd's own keys may be longer. */
const MAX_SEGMENT_CHARACTERS = 128
const MAX_PREFIX_CHARACTERS = 1024
/** A claim with more values than this is not the list of somebody's destinations. */
const MAX_CLAIM_VALUES = 10_000
const TEMPLATE = /^([^{}]*)(?:\{([A-Za-z0-9_.:-]+)\}(\/[^{}]*))?$/
/** Letters, digits and what names of destinations have; no slash, so a name stays one segment. */
const SEGMENT = /^[A-Za-z0-9_][A-Za-z0-9._~@+=,-]*$/

/**
 * Reads a prefix of the configuration.
 *
 * @throws {AvisoError} `ERR_CONFIG` for one that does not begin and end at a slash, is `/` alone (say `everything` instead), has empty or
 *   dotted segments, or reaches into the service's own keys.
 */
export function parsePrefixTemplate(text: string): PrefixTemplate {
  const match = TEMPLATE.exec(text)
  const [, before = '', claim, after = ''] = match ?? []
  const example = claim === undefined ? before : `${before}x${after}`
  const problem = match === null ? 'it may hold one {claim} followed by a slash' : prefixProblem(example)
  if (problem !== undefined)
    throw new AvisoError('ERR_CONFIG', `The prefix "${text}" cannot be granted: ${problem}`)
  return claim === undefined ? { before, after: '' } : { before, claim, after }
}

/** As {@link parsePrefixTemplate}, for a prefix without holes. */
export function parsePrefix(text: string): string {
  const { before, claim } = parsePrefixTemplate(text)
  if (claim === undefined) return before
  throw new AvisoError(
    'ERR_CONFIG',
    `The prefix "${text}" cannot be granted: there is no claim to fill it from`,
  )
}

function prefixProblem(prefix: string): string | undefined {
  if (!prefix.startsWith('/') || !prefix.endsWith('/')) return 'it must begin and end with a slash'
  if (prefix === '/') return 'it would grant everything; say "everything" if that is meant'
  if (prefix.length > MAX_PREFIX_CHARACTERS) return `it is longer than ${MAX_PREFIX_CHARACTERS} characters`
  const segments = prefix.slice(1, -1).split('/')
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    return 'it has an empty or dotted segment'
  }
  if (prefix.startsWith(INTERNAL_PREFIX)) return `keys under ${INTERNAL_PREFIX} are the service's own`
  return undefined
}

/** Whether a name can be one segment of a prefix, as it is. */
export function isSegment(name: string): boolean {
  return name.length <= MAX_SEGMENT_CHARACTERS && SEGMENT.test(name)
}

/** The prefixes a template stands for. Values that are no segment are left out: an issuer's list must not become a wider grant. */
export function fillTemplate(template: PrefixTemplate, claims: JsonObject): readonly string[] {
  const { before, claim, after } = template
  if (claim === undefined) return [before]
  const value = claimAt(claims, claim)
  const values = Array.isArray(value) ? (value as readonly JsonValue[]) : [value]
  if (values.length > MAX_CLAIM_VALUES) return []
  return values.flatMap((item) =>
    typeof item === 'string' && isSegment(item) ? [before + item + after] : [],
  )
}
