/**
 * Identity by JSON Web Token: the client's own token is verified here, with the keys of its issuer.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'
import { toIdentity, type ClaimNames } from './claims.ts'
import { readCompactToken } from './compact_token.ts'
import type { Count } from './counters.ts'
import { NOT_MINE, type IdentityProvider, type Verdict } from './identity.ts'
import type { KeySource } from './key_set.ts'
import { createTokenVerifier, type TokenRules } from './token_verifier.ts'
import { createVerdictCache, type Loaded } from './verdict_cache.ts'

export interface JwtProviderParts {
  readonly name: string
  /** The realm that the challenge names to clients. */
  readonly challengeRealm: string
  readonly rules: TokenRules
  readonly keys: KeySource
  readonly names: ClaimNames
  readonly clock: Clock
  readonly count: Count
}

/** How long a verification is not repeated, unless the issuer's keys change. It is as long as keys count as fresh. */
const KEEP_MS = 600_000

/** A provider for the tokens of one issuer. It says {@link NOT_MINE} to tokens of other issuers, so no issuer answers for another. */
export function createJwtProvider(parts: JwtProviderParts): IdentityProvider {
  const { name, rules, keys, names, clock, count } = parts
  const verifier = createTokenVerifier({ rules, keys, clock })
  // The text alone is the key: a token has one spelling, because any other is refused before it is verified.
  const verified = createVerdictCache<Verdict>({ clock, count })
  let version = keys.version()

  async function verify(token: string): Promise<Loaded<Verdict>> {
    const outcome = await verifier.verify(token)
    if (outcome.kind === 'refused') return no(outcome.reason)
    const identity = toIdentity(outcome.claims, names, name)
    if (identity === undefined) return no('the claims name no user')
    const { endsAt } = outcome
    const keepMs = Math.min(endsAt - clock.now(), KEEP_MS)
    const validUntil = clock.monotonic() + keepMs
    const value: Verdict = { kind: 'identified', identity: { ...identity, endsAt }, validUntil }
    return { value, isYes: true, keepMs, endsAt }
  }

  return {
    name,
    challenges: [{ scheme: 'Bearer', realm: parts.challengeRealm }],
    identify(credential, options) {
      if (credential.kind !== 'bearer') return NOT_MINE
      const current = keys.version()
      if (current !== version) {
        version = current
        verified.clear()
      }
      const { token } = credential
      const known = verified.peek(token)
      if (known !== undefined) return known
      if (options?.onlyRemembered === true) return NOT_MINE
      const unverified = readCompactToken(token)
      if (unverified === undefined || !verifier.isAddressed(unverified)) return NOT_MINE
      return verified.get(token, () => verify(token))
    },
  }
}

/** A refusal is not kept: it is cheap to find out again, and an attacker with invented tokens would fill the memory. */
function no(reason: string): Loaded<Verdict> {
  return { value: { kind: 'refused', reason, final: true }, isYes: false, keepMs: 0 }
}
