/**
 * Remembers definite verdicts for a bounded time and in a bounded number. Many requests that wait for one verdict cause one question.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'
import type { Count } from './counters.ts'

/** A definite verdict and how long it may be used. */
export interface Loaded<Value> {
  readonly value: Value
  /** Refusals are kept apart, so that a flood of wrong tokens cannot push out the right ones. */
  readonly isYes: boolean
  readonly keepMs: number
  /** The date at which the verdict ends, even if `keepMs` is longer; milliseconds since 1970. Absent: it has no such date. */
  readonly endsAt?: number
}

/** Bounds of a cache. */
export interface CacheLimits {
  readonly yesEntries: number
  readonly noEntries: number
}

/** As many users as may listen at once, and enough wrong tokens to slow a client that repeats one. */
export const DEFAULT_CACHE_LIMITS: CacheLimits = { yesEntries: 10_000, noEntries: 2000 }

/** Verdicts by key. */
export interface VerdictCache<Value extends object> {
  /** The remembered verdict, if it is no older than `maxAgeMs`. */
  peek(key: string, maxAgeMs?: number): Value | undefined
  /**
   * The verdict for a key: directly if it is remembered and no older than `maxAgeMs`, otherwise from `load`. `load` runs once for all
   * callers that wait. If it throws, all of them get the error, which is not remembered.
   */
  get(key: string, load: () => Promise<Loaded<Value>>, maxAgeMs?: number): Value | Promise<Value>
  /** Forgets everything, e.g. because the keys behind the verdicts have changed. */
  clear(): void
  readonly size: number
}

interface Entry<Value> {
  readonly value: Value
  /** In monotonic time. */
  readonly loadedAt: number
  readonly keepMs: number
  readonly endsAt: number
}

/**
 * Joins several texts into one so that two different lists never give the same text, whatever separators the parts contain.
 *
 * @see CVE-2026-39972 (Mercure), where a separator in a topic let one listener's cache entry answer for another
 */
export function cacheKey(parts: readonly string[]): string {
  let key = ''
  for (const part of parts) key += `${part.length}:${part}`
  return key
}

/** A new cache. */
export function createVerdictCache<Value extends object>({
  clock,
  count = () => undefined,
  limits = DEFAULT_CACHE_LIMITS,
}: {
  readonly clock: Clock
  readonly count?: Count
  readonly limits?: CacheLimits
}): VerdictCache<Value> {
  const yes = new Map<string, Entry<Value>>()
  const no = new Map<string, Entry<Value>>()
  const loading = new Map<string, Promise<Value>>()
  let generation = 0

  function remembered(
    entries: Map<string, Entry<Value>>,
    key: string,
    maxAgeMs: number,
  ): Entry<Value> | undefined {
    const entry = entries.get(key)
    if (entry === undefined) return undefined
    const ageMs = clock.monotonic() - entry.loadedAt
    if (ageMs >= entry.keepMs || clock.now() >= entry.endsAt) {
      entries.delete(key)
      return undefined
    }
    if (ageMs > maxAgeMs) return undefined
    // A Map keeps the order of insertion: at its end, the entry is the most recently used.
    entries.delete(key)
    entries.set(key, entry)
    return entry
  }

  function keep(entries: Map<string, Entry<Value>>, most: number, key: string, entry: Entry<Value>): void {
    entries.delete(key)
    entries.set(key, entry)
    if (entries.size <= most) return
    const [oldest] = entries.keys()
    if (oldest !== undefined) entries.delete(oldest)
  }

  async function loadAndKeep(key: string, load: () => Promise<Loaded<Value>>): Promise<Value> {
    const startedIn = generation
    // The age counts from the question, not from the answer, because the verdict may not include a revocation in between.
    const loadedAt = clock.monotonic()
    count('verdicts_loaded')
    const { value, isYes, keepMs, endsAt = Infinity } = await load()
    if (startedIn !== generation) return value
    yes.delete(key)
    no.delete(key)
    const entry = { value, loadedAt, keepMs, endsAt }
    if (keepMs > 0) keep(isYes ? yes : no, isYes ? limits.yesEntries : limits.noEntries, key, entry)
    return value
  }

  function loadOnce(key: string, load: () => Promise<Loaded<Value>>): Promise<Value> {
    const running = loading.get(key)
    if (running !== undefined) return running
    const started = loadAndKeep(key, load)
    loading.set(key, started)
    const forget = (): void => {
      if (loading.get(key) === started) loading.delete(key)
    }
    started.then(forget, forget)
    return started
  }

  function peek(key: string, maxAgeMs = Infinity): Value | undefined {
    const entry = remembered(yes, key, maxAgeMs) ?? remembered(no, key, maxAgeMs)
    if (entry !== undefined) count('verdicts_remembered')
    return entry?.value
  }

  return {
    peek,
    get: (key, load, maxAgeMs) => peek(key, maxAgeMs) ?? loadOnce(key, load),
    clear() {
      generation++
      yes.clear()
      no.clear()
      loading.clear()
    },
    get size() {
      return yes.size + no.size
    },
  }
}
