/**
 * The one door to jose: a token is believed only if its issuer, audience, algorithm, times and claims are all as configured.
 *
 * @module
 */

import { errors, jwtVerify, type JWTVerifyOptions } from 'jose'
import type { JsonObject } from '#shared/json/strict_json.ts'
import type { Clock } from '#shared/time/clock.ts'
import { readCompactToken, type CompactToken } from './compact_token.ts'
import type { Algorithm, KeySource } from './key_set.ts'

/** What a token must be. Nothing here has a default that lets more through. */
export interface TokenRules {
  readonly issuer: string
  /** One of these must be in `aud`; `none`: the issuer names no audience, and a token that does is for somebody else. */
  readonly audience: readonly string[] | 'none'
  readonly algorithms: readonly Algorithm[]
  /** Required `typ`, e.g. `at+jwt` (RFC 9068). Absent: not looked at. */
  readonly type?: string
  /** Claims without which a token is refused, besides `exp`. */
  readonly requiredClaims: readonly string[]
  /** How far the clocks of issuer and service may be apart. */
  readonly clockToleranceSeconds: number
}

/** What a token turned out to be. */
export type TokenVerdict =
  | {
      readonly kind: 'verified'
      readonly claims: JsonObject
      /** When the token ends, tolerance included; milliseconds since the epoch. */
      readonly endsAt: number
    }
  | { readonly kind: 'refused'; readonly reason: string }

/** Verifies tokens of one issuer. */
export interface TokenVerifier {
  /** Whether the token names this issuer. It is not verified by that. */
  isAddressed(token: CompactToken): boolean
  /** @throws {AvisoError} `ERR_VERDICT_UNAVAILABLE` when the issuer's keys cannot be had. */
  verify(text: string): Promise<TokenVerdict>
}

/** A verifier for one issuer's tokens. */
export function createTokenVerifier({
  rules,
  keys,
  clock,
}: {
  readonly rules: TokenRules
  readonly keys: KeySource
  readonly clock: Clock
}): TokenVerifier {
  return {
    isAddressed: ({ issuer }) => issuer === rules.issuer,
    async verify(text) {
      const token = readCompactToken(text)
      if (token === undefined) return refused('malformed')
      const algorithm = rules.algorithms.find((allowed) => allowed === token.algorithm)
      if (algorithm === undefined) return refused('algorithm')
      // Before the signature, so that a token for somebody else costs neither a key nor a calculation.
      const problem = claimProblem(token.claims, rules, clock.now())
      if (problem !== undefined) return refused(problem)
      const candidates = await keys.find({ algorithm, keyId: token.keyId })
      if (candidates.length === 0) return refused('unknown key')
      for (const key of candidates) {
        const outcome = await verifySignature(text, key, joseOptions(rules, algorithm, clock.now()))
        if (outcome === undefined)
          return { kind: 'verified', claims: token.claims, endsAt: endOf(token, rules) }
        if (outcome !== SIGNATURE) return refused(outcome)
      }
      return refused(SIGNATURE)
    },
  }
}

const SIGNATURE = 'signature'

function refused(reason: string): TokenVerdict {
  return { kind: 'refused', reason }
}

function joseOptions(rules: TokenRules, algorithm: Algorithm, nowMs: number): JWTVerifyOptions {
  return {
    issuer: rules.issuer,
    algorithms: [algorithm],
    requiredClaims: ['exp', ...rules.requiredClaims],
    clockTolerance: rules.clockToleranceSeconds,
    currentDate: new Date(nowMs),
    ...(rules.audience !== 'none' && { audience: [...rules.audience] }),
    ...(rules.type !== undefined && { typ: rules.type }),
  }
}

/** @returns What is wrong, or `undefined` where everything is right. */
async function verifySignature(
  text: string,
  key: CryptoKey | Uint8Array,
  options: JWTVerifyOptions,
): Promise<string | undefined> {
  try {
    await jwtVerify(text, key, options)
    return undefined
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) return SIGNATURE
    if (error instanceof errors.JWTClaimValidationFailed) return `claim ${error.claim}`
    if (error instanceof errors.JOSEError) return error.code
    // A key that does not fit the algorithm (too short, no point of its curve): this token cannot be verified with it.
    if (error instanceof TypeError || error instanceof DOMException) return 'unusable key'
    throw error
  }
}

/**
 * What jose does not look at: times must be whole seconds, a token must not come from the future, an issuer without audiences has none.
 */
function claimProblem(claims: JsonObject, rules: TokenRules, nowMs: number): string | undefined {
  const latest = nowMs / 1000 + rules.clockToleranceSeconds
  const { exp, nbf, iat, iss, aud } = claims
  if (iss !== rules.issuer) return 'claim iss'
  if (!isSeconds(exp)) return 'claim exp'
  if (exp <= nowMs / 1000 - rules.clockToleranceSeconds) return 'expired'
  for (const [name, value] of Object.entries({ nbf, iat })) {
    if (value !== undefined && (!isSeconds(value) || value > latest)) return `claim ${name}`
  }
  if (rules.audience === 'none' && aud !== undefined) return 'claim aud'
  return undefined
}

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < MAX_SECONDS
}

/** Year 9999: what a Date can still show. */
const MAX_SECONDS = 253_402_300_800

function endOf({ claims }: CompactToken, { clockToleranceSeconds }: TokenRules): number {
  return (Number(claims['exp']) + clockToleranceSeconds) * 1000
}
