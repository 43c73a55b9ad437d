/**
 * Reads the parts of a compact JWS strictly, before any of them is believed: the issuer and the key that it names. A token that is not in
 * the one canonical spelling is refused.
 *
 * @module
 */

import { binaryToBytes } from '#shared/bytes/base64.ts'
import { readStrictObject, type JsonObject } from '#shared/json/strict_json.ts'
import { MAX_TOKEN_CHARACTERS } from './credential.ts'

/** What an unverified token says. */
export interface CompactToken {
  readonly algorithm: string
  readonly keyId: string | undefined
  readonly type: string | undefined
  /** Absent: the token does not say who issued it. */
  readonly issuer: string | undefined
  readonly claims: JsonObject
}

/** Deep enough for nested role claims, and far below what an attack by deep nesting needs. */
const JSON_LIMITS = { maxDepth: 8, maxNames: 128, maxArray: 1024 }
const MAX_KEY_ID_CHARACTERS = 256
const BASE64URL = /^[A-Za-z0-9_-]+$/
/**
 * Header members that contain a key, point to a key, or change the meaning of the rest. No issuer needs them for an access token, and each
 * of them has broken a verifier.
 *
 * @see RFC 8725 §3.10
 */
const REFUSED_MEMBERS = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip', 'enc']
/** Members of an ID token (OpenID Connect Core §3.1.3.6). An ID token tells a client about its user; it grants no access. */
const ID_TOKEN_MEMBERS = ['at_hash', 'c_hash', 's_hash']

/**
 * Reads a token without verifying it.
 *
 * @returns the parts, or `undefined` for anything that is not a token in its one spelling. That includes base64url whose last character
 *   has spare bits set, a name that occurs twice, and members of {@link REFUSED_MEMBERS}.
 */
export function readCompactToken(token: string): CompactToken | undefined {
  if (token.length > MAX_TOKEN_CHARACTERS) return undefined
  const [head = '', payload = '', signature = '', ...more] = token.split('.')
  if (more.length > 0 || decodeBase64Url(signature) === undefined) return undefined
  const header = readObject(head)
  const claims = readObject(payload)
  if (header === undefined || claims === undefined) return undefined
  const { alg, kid, typ } = header
  const { iss } = claims
  if (typeof alg !== 'string') return undefined
  if (iss !== undefined && typeof iss !== 'string') return undefined
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAX_KEY_ID_CHARACTERS)) return undefined
  if (typ !== undefined && typeof typ !== 'string') return undefined
  if (REFUSED_MEMBERS.some((name) => Object.hasOwn(header, name))) return undefined
  if (ID_TOKEN_MEMBERS.some((name) => Object.hasOwn(claims, name))) return undefined
  return { algorithm: alg, keyId: kid, type: typ, issuer: iss, claims }
}

function readObject(part: string): JsonObject | undefined {
  const bytes = decodeBase64Url(part)
  return bytes === undefined ? undefined : readStrictObject(bytes, JSON_LIMITS)
}

/** Bytes of unpadded base64url (RFC 4648 §5), or `undefined` when the canonical text for these bytes is another one. */
function decodeBase64Url(text: string): Uint8Array | undefined {
  if (!BASE64URL.test(text) || text.length % 4 === 1) return undefined
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  const tail = binary.length % 3
  if (tail !== 0) {
    const again = btoa(binary.slice(-tail)).replaceAll('=', '').replaceAll('+', '-').replaceAll('/', '_')
    if (!text.endsWith(again)) return undefined
  }
  return binaryToBytes(binary)
}
