/**
 * The common part of providers that ask another server. It bounds the questions. It remembers verdicts no longer than a revocation may
 * take to be noticed.
 *
 * @module
 */

import type { Credential } from './credential.ts'
import { ask, type Answer, type DependencyParts } from './dependency.ts'
import { MAX_CACHE_SECONDS } from '../shapes.ts'
import { createGate, type GateLimits } from './gate.ts'
import {
  NOT_MINE,
  type Identity,
  type RefusedVerdict,
  type Verdict,
  type VerdictOptions,
} from './identity.ts'
import { cacheKey, createVerdictCache, type Loaded } from './verdict_cache.ts'

/** Bounds of questions and answers; times in milliseconds. */
export interface OpaqueLimits {
  /** How long a yes counts. Open streams are checked again meanwhile, so they end within 65 s of a revocation. */
  readonly yesMs: number
  /** How long a no counts: long enough to slow a client that repeats a wrong token, short enough for a token that was just created. */
  readonly noMs: number
  readonly timeoutMs: number
  readonly limitBytes: number
  readonly gate?: GateLimits
}

export const DEFAULT_OPAQUE_LIMITS: OpaqueLimits = {
  yesMs: MAX_CACHE_SECONDS * 1000,
  noMs: 5000,
  timeoutMs: 2000,
  limitBytes: 64 * 1024,
}

/** Asks one authentication server about credentials. */
export interface OpaqueVerdicts {
  /** @param load Puts the question and reads the answer. */
  verdict(
    credential: Credential,
    options: VerdictOptions | undefined,
    load: () => Promise<Loaded<Verdict>>,
  ): Verdict | Promise<Verdict>
  ask(headers: Readonly<Record<string, string>>, url: string): Promise<Answer>
  yes(identity: Identity, atMostMs?: number): Loaded<Verdict>
  no(reason: string, challenges?: RefusedVerdict['challenges']): Loaded<Verdict>
}

/** Verdicts of one server, called `name` in logs. */
export function createOpaqueVerdicts(
  parts: DependencyParts,
  { name, limits: given = {} }: { readonly name: string; readonly limits?: Partial<OpaqueLimits> },
): OpaqueVerdicts {
  const { clock, count } = parts
  const limits = { ...DEFAULT_OPAQUE_LIMITS, ...given }
  const { timeoutMs, limitBytes } = limits
  const gate = createGate(clock, limits.gate)
  const cache = createVerdictCache<Verdict>({ clock, count })
  return {
    verdict(credential, { maxAgeMs, onlyRemembered = false } = {}, load) {
      const key = keyOf(credential)
      return onlyRemembered ? (cache.peek(key, maxAgeMs) ?? NOT_MINE) : cache.get(key, load, maxAgeMs)
    },
    ask: (headers, url) => gate.run(() => ask(parts, { name, url, headers, timeoutMs, limitBytes })),
    yes(identity, atMostMs = Infinity) {
      const keepMs = Math.min(limits.yesMs, atMostMs)
      return {
        value: { kind: 'identified', identity, validUntil: clock.monotonic() + keepMs },
        isYes: true,
        keepMs,
      }
    },
    no(reason, challenges = []) {
      const value = { kind: 'refused', reason, challenges } as const
      return { value, isYes: false, keepMs: limits.noMs }
    },
  }
}

/** The key of the cache. The form is part of it: the same token in two forms is two questions. */
function keyOf(credential: Credential): string {
  switch (credential.kind) {
    case 'bearer':
      return cacheKey(['bearer', credential.authType ?? '', credential.token])
    case 'email_key':
      return cacheKey(['email_key', credential.email, credential.token])
    case 'basic':
      return cacheKey(['basic', credential.username, credential.password])
  }
}
