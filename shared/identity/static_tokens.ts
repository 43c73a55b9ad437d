/**
 * Identity by tokens that the operator gives out: each is a secret of the environment.
 *
 * @module
 */

import { compareBytes } from '#shared/store/bytes.ts'
import type { Clock } from '#shared/telemetry/clock.ts'
import type { Count } from './counters.ts'
import type { Credential } from './credential.ts'
import { NOT_MINE, type Identity, type IdentityProvider, type Verdict } from './identity.ts'
import { requireLength, type Secret } from './secret.ts'
import { cacheKey, createVerdictCache, type Loaded } from './verdict_cache.ts'

/** A token and whose it is. */
export interface StaticToken {
  readonly username: string
  readonly realm: string
  readonly roles: readonly string[]
  readonly token: Secret
}

/** What the provider is made of. */
export interface StaticTokenParts {
  readonly name: string
  readonly challengeRealm: string
  readonly tokens: readonly StaticToken[]
  readonly clock: Clock
  readonly count: Count
}

/** 16 random characters of base64 have 96 bits. */
const MIN_TOKEN_BYTES = 16
/** Tokens change with the configuration only, which comes with a new process. */
const KEEP_MS = 3_600_000

/**
 * A provider for `Bearer token`, `EmailKey anything:token` and `Basic username:token`.
 *
 * @throws {AvisoError} `ERR_CONFIG` for a token that is too short.
 */
export function createStaticTokens(parts: StaticTokenParts): IdentityProvider {
  const { name, clock, count } = parts
  const owners = parts.tokens.map(({ token, username, realm, roles }) => {
    const identity: Identity = { provider: name, realm, username, roles, claims: {} }
    return {
      identity,
      digest: digestOf(requireLength(token, MIN_TOKEN_BYTES, `the token of ${username}`).reveal()),
    }
  })
  const known = createVerdictCache<Verdict>({ clock, count })

  /** Compares digests, and all of them, so that the time it takes tells nothing about a token. */
  async function load(token: string, username: string | undefined): Promise<Loaded<Verdict>> {
    const presented = await digestOf(token)
    let found: Identity | undefined
    for (const { identity, digest } of owners) {
      const isSame = compareBytes(presented, await digest) === 0
      if (isSame && (username === undefined || username === identity.username)) found = identity
    }
    // It may be a token of the next provider.
    if (found === undefined) return { value: NOT_MINE, isYes: false, keepMs: 0 }
    const validUntil = clock.now() + KEEP_MS
    return { value: { kind: 'identified', identity: found, validUntil }, isYes: true, keepMs: KEEP_MS }
  }

  return {
    name,
    challenges: [
      { scheme: 'Bearer', realm: parts.challengeRealm },
      { scheme: 'Basic', realm: parts.challengeRealm },
    ],
    identify(credential, options) {
      const { token, username } = tokenOf(credential)
      const key = cacheKey([username ?? '', token])
      if (options?.onlyRemembered === true) return known.peek(key) ?? NOT_MINE
      return known.get(key, () => load(token, username))
    },
  }
}

function tokenOf(credential: Credential): { readonly token: string; readonly username: string | undefined } {
  if (credential.kind === 'basic') return { token: credential.password, username: credential.username }
  return { token: credential.token, username: undefined }
}

async function digestOf(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
}
