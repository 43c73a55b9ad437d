/**
 * Prefixes of keys that a rule grants. Each ends with a slash, so that a grant for FOO does not include FOOBAR.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { claimAt } from '../identity/claims.ts'
import type { JsonObject, JsonValue } from '#shared/json/strict_json.ts'
import { INTERNAL_PREFIX } from '#shared/journal/journal.ts'

/** A prefix, or a template with a hole that a claim fills, once for each value of the claim: `/ec/diss/{destinations}/`. */
export interface PrefixTemplate {
  readonly before: string
  /** Name of the claim; absent: `before` is the whole prefix. */
  readonly claim?: string
  readonly after: string
}

/** Longest name of a destination or another segment; etcd's own keys may be longer. */
const MAX_SEGMENT_CHARACTERS = 128
const MAX_PREFIX_CHARACTERS = 1024
/** A claim with more values is not a list of destinations. */
const MAX_CLAIM_VALUES = 10_000
const TEMPLATE = /^([^{}]*)(?:\{([A-Za-z0-9_.:-]+)\}(\/[^{}]*))?$/
/** Letters, digits and the other characters in names of destinations. A slash is not allowed, so that a name stays one segment. */
const SEGMENT = /^[A-Za-z0-9_][A-Za-z0-9._~@+=,-]*$/

/**
 * Reads a prefix of the configuration.
 *
 * @throws {AvisoError} `ERR_CONFIG` for a prefix that does not begin and end with a slash, is `/` alone (write `everything` instead), has
 *   empty or dotted segments, or reaches into the service's own keys.
 */
export function parsePrefixTemplate(text: string): PrefixTemplate {
  const match = TEMPLATE.exec(text)
  const [, before = '', claim, after = ''] = match ?? []
  const example = claim === undefined ? before : `${before}x${after}`
  const problem =
    match === null ? 'it may contain one {claim} followed by a slash' : prefixProblem(example, text)
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
    `The prefix "${text}" cannot be granted: a {claim} is allowed only in rules and in open, where there is an identity`,
  )
}

function prefixProblem(prefix: string, written: string): string | undefined {
  if (!prefix.startsWith('/') || !prefix.endsWith('/'))
    return `it must begin and end with a slash: write "/${written.replaceAll(/^\/+|[/*]+$/g, '')}/"`
  if (prefix === '/')
    return 'it would grant everything; write "everything" in place of the list if that is what you want'
  if (prefix.length > MAX_PREFIX_CHARACTERS) return `it is longer than ${MAX_PREFIX_CHARACTERS} characters`
  const segments = prefix.slice(1, -1).split('/')
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    return 'it has an empty or dotted segment'
  }
  if (prefix.startsWith(INTERNAL_PREFIX)) return `keys under ${INTERNAL_PREFIX} are the service's own`
  return undefined
}

/** Whether a name, unchanged, can be one segment of a prefix. */
export function isSegment(name: string): boolean {
  return name.length <= MAX_SEGMENT_CHARACTERS && SEGMENT.test(name)
}

/** The prefixes of a template for these claims. Values that are not one segment are left out, because they could grant more. */
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
