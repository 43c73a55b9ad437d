/**
 * The only module that verifies tokens with jose. A token is believed only if its issuer, audience, algorithm, times and claims are all as
 * configured.
 *
 * @module
 */

import type { JWTVerifyOptions } from 'jose'
import type { JsonObject } from '#shared/json/strict_json.ts'
import type { Clock } from '#shared/time/clock.ts'
import { readCompactToken, type CompactToken } from './compact_token.ts'
import type { Algorithm, KeySource } from './key_set.ts'

/** What is written for an issuer or an audience that is not looked at. */
export const ANY = 'any'

/** Requirements on a token. No default loosens them. */
export interface TokenRules {
  /** It must be in `iss`. `any`: `iss` is not looked at, as in 2.x. */
  readonly issuer: string
  /** One of these must be in `aud`. `none`: the issuer names no audience, and a token that names one is refused. `any`: as for `iss`. */
  readonly audience: readonly string[] | 'none' | 'any'
  readonly algorithms: readonly Algorithm[]
  /** Required `typ`, e.g. `at+jwt` (RFC 9068). Absent: it is not checked. */
  readonly type?: string
  /** Claims that a token must have, besides `exp`. */
  readonly requiredClaims: readonly string[]
  /** How far apart the clocks of the issuer and the service may be. */
  readonly clockToleranceSeconds: number
}

/** The result of verifying a token. */
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
  /** Whether the token names this issuer. The token is not verified by that. */
  isAddressed(token: CompactToken): boolean
  /** @throws {AvisoError} `ERR_VERDICT_UNAVAILABLE` when the issuer's keys cannot be fetched. */
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
    isAddressed: ({ issuer }) => rules.issuer === ANY || issuer === rules.issuer,
    async verify(text) {
      const token = readCompactToken(text)
      if (token === undefined) return refused('malformed')
      const algorithm = rules.algorithms.find((allowed) => allowed === token.algorithm)
      if (algorithm === undefined) return refused('algorithm')
      // Before the signature, so that a token for another service costs neither a key nor a calculation.
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
    ...(rules.issuer !== ANY && { issuer: rules.issuer }),
    algorithms: [algorithm],
    requiredClaims: ['exp', ...rules.requiredClaims],
    // It counts in whole seconds. The exact check is ours, before the signature.
    clockTolerance: rules.clockToleranceSeconds + 1,
    currentDate: new Date(nowMs),
    ...(typeof rules.audience !== 'string' && { audience: [...rules.audience] }),
    ...(rules.type !== undefined && { typ: rules.type }),
  }
}

/** @returns the problem, or `undefined` when signature and claims are valid. */
async function verifySignature(
  text: string,
  key: CryptoKey | Uint8Array,
  options: JWTVerifyOptions,
): Promise<string | undefined> {
  // Loaded with the first token: its modules would make every start slower, also where no issuer is configured.
  const { errors, jwtVerify } = await import('jose')
  try {
    await jwtVerify(text, key, options)
    return undefined
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) return SIGNATURE
    if (error instanceof errors.JWTClaimValidationFailed) return `claim ${error.claim}`
    if (error instanceof errors.JOSEError) return error.code
    // The key does not fit the algorithm (too short, or not a point on the curve), so it cannot verify this token.
    if (error instanceof TypeError || error instanceof DOMException) return 'unusable key'
    throw error
  }
}

/**
 * Checks what jose does not check: times must be seconds that a date can have, a token must not come from the future, and a token of an issuer without
 * audiences must not have one.
 */
function claimProblem(claims: JsonObject, rules: TokenRules, nowMs: number): string | undefined {
  const latest = nowMs / 1000 + rules.clockToleranceSeconds
  const { exp, nbf, iat, iss, aud } = claims
  if (rules.issuer !== ANY && iss !== rules.issuer) return 'claim iss'
  if (!isSeconds(exp)) return 'claim exp'
  if (exp <= nowMs / 1000 - rules.clockToleranceSeconds) return 'expired'
  for (const [name, value] of Object.entries({ nbf, iat })) {
    if (value !== undefined && (!isSeconds(value) || value > latest)) return `claim ${name}`
  }
  if (rules.audience === 'none' && aud !== undefined) return 'claim aud'
  return undefined
}

/** A NumericDate: seconds since 1970, which may have a fraction (RFC 7519 §2). */
function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value < MAX_SECONDS
}

/** The end of the year 9999, the last with four digits in an ISO date. */
const MAX_SECONDS = 253_402_300_800

function endOf({ claims }: CompactToken, { clockToleranceSeconds }: TokenRules): number {
  return (Number(claims['exp']) + clockToleranceSeconds) * 1000
}
