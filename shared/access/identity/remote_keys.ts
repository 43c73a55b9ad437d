/**
 * Keys that an issuer publishes. They are fetched seldom, by one request at a time, within bounds, and kept while the issuer is down.
 *
 * jose's own remote set is not used: while the endpoint fails it asks once per verification and forgets keys that it knew, and it reads
 * answers of any size (measured on 6.2.17).
 *
 * @module
 */

import { toText } from '#shared/bytes/bytes.ts'
import { parseStrictJson } from '#shared/json/strict_json.ts'
import { backOffMs, type BackOffLimits } from '#shared/time/back_off.ts'
import { ask, contractBroken, type DependencyParts } from './dependency.ts'
import { parseKeySet, type KeyHint, type KeySet, type KeySource, type VerificationKey } from './key_set.ts'
import { verdictUnavailable } from './unavailable.ts'

/** Bounds of a remote key set; milliseconds. */
export interface RemoteKeyLimits {
  /** Age at which keys must be fetched again before they are used. */
  readonly freshMs: number
  /** Age at which keys are fetched again in the background, so that no request waits for them. */
  readonly renewMs: number
  /** Age up to which keys are used while the issuer does not answer. */
  readonly staleMs: number
  /** Shortest time between a fetch and another for an unknown key id, because an attacker can invent any number of ids. */
  readonly unknownKeyMs: number
  /** Pauses after a failure. */
  readonly backOff: BackOffLimits
  readonly timeoutMs: number
  readonly limitBytes: number
}

/** The values of common clients of key sets (jose, Envoy). The size has room for a hundred keys. */
export const DEFAULT_REMOTE_KEY_LIMITS: RemoteKeyLimits = {
  freshMs: 600_000,
  renewMs: 480_000,
  staleMs: 3_600_000,
  unknownKeyMs: 30_000,
  backOff: { firstMs: 1000, mostMs: 30_000, steadyShare: 0.5 },
  timeoutMs: 2000,
  limitBytes: 256 * 1024,
}

export interface RemoteKeysParts extends DependencyParts {
  /** A number in [0, 1). */
  readonly random: () => number
}

const JSON_LIMITS = { maxDepth: 6, maxNames: 64, maxArray: 256 }

interface FetchedKeys {
  readonly keys: KeySet
  readonly text: string
  /** In monotonic time. */
  readonly fetchedAt: number
}

/** Keys of the set at `url`. The first token starts the first fetch. */
export function createRemoteKeys(
  parts: RemoteKeysParts,
  source: { readonly name: string; readonly url: string; readonly limits?: Partial<RemoteKeyLimits> },
): KeySource {
  const { clock, count, random } = parts
  const limits = { ...DEFAULT_REMOTE_KEY_LIMITS, ...source.limits }
  let fetched: FetchedKeys | undefined
  let version = 0
  let failures = 0
  let nextAttemptAt = -Infinity
  let refreshing: Promise<void> | undefined

  async function fetchKeys(): Promise<void> {
    const startedAt = clock.monotonic()
    try {
      count('key_set_fetches')
      const { name, url } = source
      const question = { name, url, headers: {}, timeoutMs: limits.timeoutMs, limitBytes: limits.limitBytes }
      const answer = await ask(parts, question)
      const keys = answer.status === 200 ? readKeys(answer.body) : undefined
      if (keys === undefined) throw contractBroken(parts, name, 'no usable key set')
      const text = toText(answer.body)
      if (text !== fetched?.text) version++
      fetched = { keys: text === fetched?.text ? fetched.keys : keys, text, fetchedAt: startedAt }
      failures = 0
      nextAttemptAt = -Infinity
    } catch (error) {
      nextAttemptAt = clock.monotonic() + backOffMs(failures, limits.backOff, random)
      failures++
      throw error
    }
  }

  function refresh(): Promise<void> {
    if (refreshing !== undefined) return refreshing
    if (clock.monotonic() < nextAttemptAt) {
      return Promise.reject(verdictUnavailable(`${source.name} failed a moment ago`))
    }
    const started = fetchKeys().finally(() => {
      refreshing = undefined
    })
    refreshing = started
    return started
  }

  function ageMs(): number {
    return fetched === undefined ? Infinity : clock.monotonic() - fetched.fetchedAt
  }

  async function current(): Promise<KeySet> {
    if (ageMs() >= limits.freshMs) {
      await refresh().catch((error: unknown) => {
        if (ageMs() >= limits.staleMs) throw error
      })
    }
    if (fetched === undefined) throw verdictUnavailable(`${source.name} has no keys`)
    return fetched.keys
  }

  return {
    async find(hint: KeyHint): Promise<readonly VerificationKey[]> {
      const known = await (await current()).find(hint)
      if (known.length > 0 || ageMs() < limits.unknownKeyMs) return known
      await refresh()
      return (await current()).find(hint)
    },
    version() {
      if (fetched !== undefined && ageMs() >= limits.renewMs) refresh().catch(() => undefined)
      return version
    },
  }
}

function readKeys(body: Uint8Array): KeySet | undefined {
  try {
    return parseKeySet(parseStrictJson(body, JSON_LIMITS))
  } catch {
    // Not JSON: no key set.
    return undefined
  }
}
