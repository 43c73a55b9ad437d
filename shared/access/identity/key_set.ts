/**
 * The keys of an issuer: a JSON Web Key Set (RFC 7517) as configured, or a shared secret.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { isJsonObject, type JsonObject, type JsonValue } from '#shared/json/strict_json.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { Secret } from '#shared/secret.ts'

/** Signature algorithms with a pair of keys. */
export const ASYMMETRIC = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  // The name of RFC 9864, and the older one, which is accepted for the same keys.
  'Ed25519',
  'EdDSA',
] as const

/** Signature algorithms with a shared secret. */
export const SYMMETRIC = ['HS256', 'HS384', 'HS512'] as const

/** Signature algorithms that can be allowed. `none` and the algorithms for encryption are not among them. */
export const ALGORITHMS = [...ASYMMETRIC, ...SYMMETRIC] as const

export type Algorithm = (typeof ALGORITHMS)[number]

/** A key that jose accepts. */
export type VerificationKey = CryptoKey | Uint8Array

/** What a token says about the key that signed it. */
export interface KeyHint {
  readonly algorithm: Algorithm
  readonly keyId: string | undefined
}

/** A source of an issuer's keys. */
export interface KeySource {
  /**
   * Every key that may have signed the token; none when the issuer has no such key.
   *
   * @throws {AvisoError} `ERR_VERDICT_UNAVAILABLE` when the keys cannot be fetched.
   */
  find(hint: KeyHint): Promise<readonly VerificationKey[]>
  /** A number that grows when keys are replaced: earlier verifications then no longer count. Reading it starts a refresh that is due. */
  version(): number
}

/** Shortest shared secret: as long as the hash of HS256 (RFC 7518 §3.2). */
export const MIN_SECRET_BYTES = 32

/** Most keys of a set. An issuer has two while it replaces one; a large issuer has ten. */
export const MAX_KEYS = 100

/** One usable key of a set. */
interface SetKey {
  readonly jwk: JsonObject
  readonly keyId: string | undefined
  readonly imported: Map<Algorithm, Promise<VerificationKey | undefined>>
}

/** The keys of one set. */
export interface KeySet {
  find(hint: KeyHint): Promise<readonly VerificationKey[]>
}

/** RFC 7518 §3.1, RFC 8037 §3.1 and RFC 9864 §2.2: key type and curve of each algorithm. */
const KEY_TYPES: Readonly<Record<string, { readonly type: string; readonly curve?: string }>> = {
  RS256: { type: 'RSA' },
  RS384: { type: 'RSA' },
  RS512: { type: 'RSA' },
  PS256: { type: 'RSA' },
  PS384: { type: 'RSA' },
  PS512: { type: 'RSA' },
  ES256: { type: 'EC', curve: 'P-256' },
  ES384: { type: 'EC', curve: 'P-384' },
  ES512: { type: 'EC', curve: 'P-521' },
  Ed25519: { type: 'OKP', curve: 'Ed25519' },
  EdDSA: { type: 'OKP', curve: 'Ed25519' },
}

/**
 * Reads a key set. Keys that are not for verifying signatures (symmetric, private, `use: enc`) are left out.
 *
 * @returns the set, or `undefined` when the document is not a key set, has too many keys, or has no usable key.
 */
export function parseKeySet(document: JsonValue | undefined): KeySet | undefined {
  const listed = isJsonObject(document) ? document['keys'] : undefined
  if (!Array.isArray(listed) || listed.length > MAX_KEYS) return undefined
  const keys = (listed as readonly JsonValue[]).flatMap((jwk): SetKey[] => {
    if (!isJsonObject(jwk) || !isForVerifying(jwk)) return []
    const { kid } = jwk
    return [{ jwk, keyId: typeof kid === 'string' ? kid : undefined, imported: new Map() }]
  })
  return keys.length === 0 ? undefined : { find: (hint) => findKeys(keys, hint) }
}

function isForVerifying(jwk: JsonObject): boolean {
  const { kty, use, key_ops: operations, kid } = jwk
  if (kty !== 'RSA' && kty !== 'EC' && kty !== 'OKP') return false
  if (kid !== undefined && typeof kid !== 'string') return false
  if (use !== undefined && use !== 'sig') return false
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return false
  // A private key that was published by mistake verifies nothing.
  return !Object.hasOwn(jwk, 'd')
}

/** A token without a key id matches only keys without a key id, so that no key is tried that the token did not mean. */
async function findKeys(
  keys: readonly SetKey[],
  { algorithm, keyId }: KeyHint,
): Promise<readonly VerificationKey[]> {
  const wanted = KEY_TYPES[algorithm]
  const matching = keys.filter(({ jwk, keyId: own }) => {
    if (wanted === undefined || own !== keyId || jwk['kty'] !== wanted.type) return false
    if (wanted.curve !== undefined && jwk['crv'] !== wanted.curve) return false
    // With its curve, a key of the older name is a key of the newer one.
    return jwk['alg'] === undefined || jwk['alg'] === algorithm || wanted.type === 'OKP'
  })
  // Two keys with one id are a mistake of the issuer. Neither of them is used.
  if (matching.length !== 1) return []
  const imported = await Promise.all(matching.map((key) => importKey(key, algorithm)))
  return imported.filter((key) => key !== undefined)
}

function importKey({ jwk, imported }: SetKey, algorithm: Algorithm): Promise<VerificationKey | undefined> {
  const known = imported.get(algorithm)
  if (known !== undefined) return known
  // A key that cannot be imported counts as absent.
  const importing = importWithJose(jwk, algorithm).catch(() => undefined)
  imported.set(algorithm, importing)
  return importing
}

async function importWithJose(jwk: JsonObject, algorithm: Algorithm): Promise<VerificationKey> {
  const { importJWK } = await import('jose')
  return importJWK({ ...(jwk as Record<string, string>), alg: algorithm }, algorithm)
}

/**
 * Keys from the configuration.
 *
 * @throws {AvisoError} `ERR_CONFIG` when the document is not a key set, or has no usable key.
 */
export function createInlineKeys(document: JsonValue, issuer: string): KeySource {
  const keys = parseKeySet(document)
  if (keys === undefined) {
    throw new AvisoError(
      'ERR_CONFIG',
      `The keys of ${issuer} are not a JSON Web Key Set of 1 to ${MAX_KEYS} public signature keys`,
    )
  }
  return { find: keys.find, version: () => 0 }
}

/** Shared secrets, the newest first. All of them are tried, so that an operator can replace one without an interruption. */
export function createSecretKeys(secrets: readonly Secret[]): KeySource {
  let texts = secrets.map((secret) => secret.reveal())
  let keys = texts.map(toBytes)
  let version = 0

  function refresh(): void {
    const present = secrets.map((secret) => secret.reveal())
    if (present.every((text, index) => text === texts[index])) return
    texts = present
    keys = texts.map(toBytes)
    version++
  }

  return {
    find: ({ algorithm }) => {
      refresh()
      return Promise.resolve(algorithm.startsWith('HS') ? keys : [])
    },
    version: () => {
      refresh()
      return version
    },
  }
}
