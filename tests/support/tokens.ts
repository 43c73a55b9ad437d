/**
 * Keys and tokens for tests: right ones by jose, and any bytes at all signed by hand, since jose refuses to make what an attacker would.
 *
 * Every secret of a test holds {@link CANARY}, so that one search over everything printed and stored finds a leak.
 *
 * @module
 */

import { exportJWK, generateKeyPair, SignJWT, type JWK, type JWTPayload } from 'jose'

/** Part of every token, key and password of the tests. */
export const CANARY = 'CANARY-7f3a'
export const ISSUER = 'https://issuer.test'
export const AUDIENCE = 'aviso'
/** A shared secret of the length that HS256 needs. */
export const SHARED_SECRET = `${CANARY}-shared-secret-of-thirty-two-bytes`

/** A key pair of an issuer. */
export interface IssuerKey {
  readonly privateKey: CryptoKey
  readonly publicJwk: JWK
  readonly algorithm: 'RS256' | 'ES256' | 'EdDSA' | 'Ed25519'
  readonly keyId: string
}

/** A new key pair. */
export async function createIssuerKey(
  keyId: string,
  algorithm: IssuerKey['algorithm'] = 'ES256',
): Promise<IssuerKey> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
  const publicJwk = { ...(await exportJWK(publicKey)), kid: keyId, alg: algorithm, use: 'sig' }
  return { privateKey: privateKey as CryptoKey, publicJwk, algorithm, keyId }
}

/** Seconds since the epoch. */
export function secondsAt(ms: number): number {
  return Math.floor(ms / 1000)
}

/** Claims of a right token, valid for an hour from `nowMs`. */
export function claimsOf(username: string, nowMs: number, more: JWTPayload = {}): JWTPayload {
  const iat = secondsAt(nowMs)
  return { iss: ISSUER, aud: AUDIENCE, sub: username, iat, exp: iat + 3600, ...more }
}

/** A token signed with a key pair. */
export function signToken(key: IssuerKey, claims: JWTPayload): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: key.algorithm, kid: key.keyId }).sign(key.privateKey)
}

/** A token signed with a shared secret, as auth-o-tron makes them. */
export function signShared(claims: JWTPayload, secret = SHARED_SECRET): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .sign(new TextEncoder().encode(secret))
}

/** base64url of text or bytes. */
export function base64Url(content: string | Uint8Array): string {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}

/** Any header and payload text, signed by ES256 or RS256 whatever the header says. */
export async function signRaw(key: IssuerKey, header: string, payload: string): Promise<string> {
  const input = `${base64Url(header)}.${base64Url(payload)}`
  const algorithm =
    key.algorithm === 'ES256' ? { name: 'ECDSA', hash: 'SHA-256' } : { name: 'RSASSA-PKCS1-v1_5' }
  const signature = await crypto.subtle.sign(algorithm, key.privateKey, new TextEncoder().encode(input))
  return `${input}.${base64Url(new Uint8Array(signature))}`
}

/** Any header and payload text, signed by HS256 with any bytes. */
export async function signRawShared(secret: Uint8Array, header: string, payload: string): Promise<string> {
  const input = `${base64Url(header)}.${base64Url(payload)}`
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', new Uint8Array(secret), algorithm, false, ['sign'])
  const signature = await crypto.subtle.sign(algorithm.name, key, new TextEncoder().encode(input))
  return `${input}.${base64Url(new Uint8Array(signature))}`
}
