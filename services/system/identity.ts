/**
 * Opens the identity providers of the configuration.
 *
 * @module
 */

import { createAuthOTron } from '#shared/access/identity/auth_o_tron.ts'
import type { IdentityProvider } from '#shared/access/identity/identity.ts'
import { createJwtProvider } from '#shared/access/identity/jwt.ts'
import {
  createInlineKeys,
  createSecretKeys,
  type KeySource,
  MIN_SECRET_BYTES,
} from '#shared/access/identity/key_set.ts'
import { createRemoteKeys, type RemoteKeysParts } from '#shared/access/identity/remote_keys.ts'
import type { ReadSecret } from '#shared/secret.ts'
import { createStaticTokens, MIN_TOKEN_BYTES } from '#shared/access/identity/static_tokens.ts'
import { ANY, createTokenVerifier } from '#shared/access/identity/token_verifier.ts'
import { createWhoAmI } from '#shared/access/identity/who_am_i.ts'
import type { ProviderSettings } from '#shared/access/identity/settings.ts'
import type { JsonValue } from '#shared/json/strict_json.ts'

export interface IdentityParts extends RemoteKeysParts {
  readonly readSecret: ReadSecret
}

/**
 * Opens one provider. It asks no server before the first request that needs it.
 *
 * @param challengeRealm The realm in the challenge to a client without a credential.
 * @throws {AvisoError} `ERR_CONFIG` for invalid keys, and for secrets that are missing or too short.
 */
export function openProvider(
  config: ProviderSettings,
  challengeRealm: string,
  parts: IdentityParts,
): IdentityProvider {
  const { clock, count, readSecret } = parts
  switch (config.kind) {
    case 'jwt': {
      const { name, issuer, audience, clockToleranceSeconds } = config
      const { usernameClaim: username, rolesClaim: roles, realmClaim, realm: fixedRealm } = config
      const rules = {
        issuer,
        audience,
        algorithms: config.algorithms,
        // A token must have `sub` (RFC 9068 §2.2), even when another claim has the user name. In 2.x it may have either, and no issuer.
        requiredClaims: issuer === ANY ? [] : ['sub'],
        clockToleranceSeconds,
        ...(config.type !== undefined && { type: config.type }),
      }
      const names = {
        username,
        roles,
        fixedRealm,
        ...(issuer === ANY && { usernameElse: 'sub' }),
        ...(realmClaim !== undefined && { realm: realmClaim }),
      }
      return createJwtProvider({
        name,
        challengeRealm,
        rules,
        keys: openKeys(config, parts),
        names,
        clock,
        count,
      })
    }
    case 'auth-o-tron': {
      const { name, url: baseUrl, issuer, audience, clockToleranceSeconds, cacheSeconds } = config
      const requiredClaims = ['username']
      const rules = { issuer, audience, algorithms: config.algorithms, requiredClaims, clockToleranceSeconds }
      const verifier = createTokenVerifier({ rules, keys: openKeys(config, parts), clock })
      const limits = { yesMs: cacheSeconds * 1000 }
      return createAuthOTron({ ...parts, name, baseUrl, verifier, limits })
    }
    case 'who-am-i': {
      const { name, url, realm, cacheSeconds } = config
      return createWhoAmI({
        ...parts,
        name,
        url,
        realm,
        limits: { yesMs: cacheSeconds * 1000 },
      })
    }
    case 'tokens': {
      const tokens = config.tokens.map(({ username, realm, roles, secretEnv }) => {
        const rule = { purpose: `the token of ${username}`, minBytes: MIN_TOKEN_BYTES }
        return { username, realm, roles, token: readSecret(secretEnv, rule) }
      })
      return createStaticTokens({ name: config.name, challengeRealm, tokens, clock })
    }
  }
}

function openKeys(
  config: Extract<ProviderSettings, { readonly issuer: string }>,
  parts: IdentityParts,
): KeySource {
  const { name, issuer, keysUrl, keys, secretEnvs = [], weakSecrets } = config
  if (keysUrl !== undefined) {
    return createRemoteKeys(parts, { name: `keys of ${name}`, url: keysUrl })
  }
  if (keys !== undefined) return createInlineKeys(keys as unknown as JsonValue, issuer)
  const of = issuer === ANY ? name : issuer
  const rule = { purpose: `the tokens of ${of}`, minBytes: weakSecrets ? 1 : MIN_SECRET_BYTES }
  return createSecretKeys(secretEnvs.map((secretName) => parts.readSecret(secretName, rule)))
}
