/**
 * The keys of an issuer: a JSON Web Key Set (RFC 7517) as configured, or a shared secret.
 *
 * @module
 */

import { importJWK } from 'jose'
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
  'EdDSA',
] as const

/** Signature algorithms with a shared secret. */
export const SYMMETRIC = ['HS256', 'HS384', 'HS512'] as const

/** Signature algorithms that can be allowed. `none` and everything for encryption is not among them. */
export const ALGORITHMS = [...ASYMMETRIC, ...SYMMETRIC] as const

export type Algorithm = (typeof ALGORITHMS)[number]

/** A key that jose takes. */
export type VerificationKey = CryptoKey | Uint8Array

/** What a token says of the key it was signed with. */
export interface KeyHint {
  readonly algorithm: Algorithm
  readonly keyId: string | undefined
}

/** Where keys come from. */
export interface KeySource {
  /**
   * Every key the token may have been signed with; none where the issuer has no such key.
   *
   * @throws {AvisoError} `ERR_VERDICT_UNAVAILABLE` when the keys cannot be had.
   */
  find(hint: KeyHint): Promise<readonly VerificationKey[]>
  /** Grows when keys are replaced: what was verified before has to be verified again. Looking at it starts a refresh that is due. */
  version(): number
}

/** Shortest shared secret: as long as the hash (RFC 7518 §3.2). */
export const MIN_SECRET_BYTES = 32

/** Most keys of a set: an issuer has two while it rotates, a large one has ten. */
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

/** RFC 7518 §3.1 and RFC 8037 §3.1: key type and curve of each algorithm. */
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
  EdDSA: { type: 'OKP', curve: 'Ed25519' },
}

/**
 * Reads a key set. Keys that are not for verifying signatures (symmetric, private, `use: enc`) are left out.
 *
 * @returns `undefined` for what is not one, has too many keys, or none that is usable.
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

/** A token without key id matches keys without key id only, so that no key is tried that nobody named. */
async function findKeys(
  keys: readonly SetKey[],
  { algorithm, keyId }: KeyHint,
): Promise<readonly VerificationKey[]> {
  const wanted = KEY_TYPES[algorithm]
  const matching = keys.filter(({ jwk, keyId: own }) => {
    if (wanted === undefined || own !== keyId || jwk['kty'] !== wanted.type) return false
    if (wanted.curve !== undefined && jwk['crv'] !== wanted.curve) return false
    return jwk['alg'] === undefined || jwk['alg'] === algorithm
  })
  // Two keys of one name are a mistake of the issuer's, and no reason to choose.
  if (matching.length !== 1) return []
  const imported = await Promise.all(matching.map((key) => importKey(key, algorithm)))
  return imported.filter((key) => key !== undefined)
}

function importKey({ jwk, imported }: SetKey, algorithm: Algorithm): Promise<VerificationKey | undefined> {
  const known = imported.get(algorithm)
  if (known !== undefined) return known
  // A key that cannot be imported is a key the issuer does not have.
  const importing = importJWK(jwk as Record<string, string>, algorithm).catch(() => undefined)
  imported.set(algorithm, importing)
  return importing
}

/**
 * Keys from the configuration.
 *
 * @throws {AvisoError} `ERR_CONFIG` for what is no key set, or has no usable key.
 */
export function createInlineKeys(document: JsonValue, issuer: string): KeySource {
  const keys = parseKeySet(document)
  if (keys === undefined) {
    throw new AvisoError(
      'ERR_CONFIG',
      `The keys of ${issuer} are no JSON Web Key Set of 1 to ${MAX_KEYS} public signature keys`,
    )
  }
  return { find: keys.find, version: () => 0 }
}

/** Shared secrets, the newest first; all of them are tried, so that one can be replaced without a break. */
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
