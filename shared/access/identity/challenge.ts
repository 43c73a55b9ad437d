/**
 * The header `WWW-Authenticate`: it tells a client without a valid credential what to send (RFC 9110 §11.6.1).
 *
 * @module
 */

/** A scheme that would be accepted. */
export interface Challenge {
  readonly scheme: 'Bearer' | 'Basic' | 'EmailKey'
  readonly realm: string
  /** A hint for people. */
  readonly info?: string
}

/** Each scheme in its canonical spelling. */
const SCHEMES: ReadonlyMap<string, Challenge['scheme']> = new Map([
  ['bearer', 'Bearer'],
  ['basic', 'Basic'],
  ['emailkey', 'EmailKey'],
])
/** Longer than any real challenge of several schemes. */
const MAX_UPSTREAM_CHARACTERS = 512
/** Realms that may stand between quotes without escapes. A realm from another server is passed on only if it matches. */
const SAFE_REALM = /^[\w .:/@-]{1,64}$/
const UPSTREAM_CHALLENGE = /([A-Za-z]+) realm=(?:"([^"\\]*)"|'([^'\\]*)'|([^\s,"']+))/g

/**
 * The header value for a refusal.
 *
 * @param invalidToken Whether the client sent a credential that was refused.
 */
export function formatChallenges(challenges: readonly Challenge[], invalidToken = false): string {
  const seen = new Set<string>()
  const parts: string[] = []
  for (const { scheme, realm, info } of challenges) {
    if (seen.has(`${scheme} ${realm}`)) continue
    seen.add(`${scheme} ${realm}`)
    const error = invalidToken && scheme === 'Bearer' ? ', error="invalid_token"' : ''
    parts.push(`${scheme} realm="${realm}"${info === undefined ? '' : `, info="${info}"`}${error}`)
  }
  return parts.join(', ')
}

/**
 * Reads the challenges in another server's header. Only known schemes with a harmless realm are kept.
 */
export function parseChallenges(header: string | null): readonly Challenge[] {
  if (header === null || header.length > MAX_UPSTREAM_CHARACTERS) return []
  const challenges: Challenge[] = []
  for (const match of header.matchAll(UPSTREAM_CHALLENGE)) {
    const scheme = SCHEMES.get((match[1] ?? '').toLowerCase())
    const realm = match[2] ?? match[3] ?? match[4] ?? ''
    if (scheme !== undefined && SAFE_REALM.test(realm)) challenges.push({ scheme, realm })
  }
  return challenges
}
