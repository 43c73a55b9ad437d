/**
 * The destinations of a user, as ECPDS lists them.
 *
 * @see Aviso 1.x `aviso_auth/authorisation.py`; aviso-server's ECPDS plug-in, from which "active" is taken
 * @module
 */

import { isJsonObject, readStrictObject, type JsonObject, type JsonValue } from '#shared/json/strict_json.ts'
import { ask, contractBroken, type DependencyParts } from '../identity/dependency.ts'
import { createGate, type GateLimits } from '../identity/gate.ts'
import type { Secret } from '#shared/secret.ts'
import { createVerdictCache, type Loaded } from '../identity/verdict_cache.ts'
import { encodeBase64 } from '#shared/bytes/base64.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { MAX_CACHE_SECONDS } from '../shapes.ts'
import { isSegment } from './prefix.ts'

/** The destinations of one user. It is the same object as long as it is remembered. */
export interface DestinationList {
  readonly names: readonly string[]
  /** When the list must be asked for again, in monotonic time. */
  readonly validUntil: number
}

/** Bounds; times in milliseconds. */
export interface DestinationLimits {
  /** How long a list counts. As for identities, nothing more is delivered 65 s after a revocation. */
  readonly keepMs: number
  readonly timeoutMs: number
  readonly limitBytes: number
  readonly gate?: GateLimits
}

/** A record has some 200 bytes, and no user has more than ten thousand. */
export const DEFAULT_DESTINATION_LIMITS: DestinationLimits = {
  keepMs: MAX_CACHE_SECONDS * 1000,
  timeoutMs: 2000,
  limitBytes: 4 * 1024 * 1024,
}

export interface DestinationParts extends DependencyParts {
  /** Full addresses of lists, to which `?id=<user>` is added. All are asked at once, and a user has what any of them lists. */
  readonly urls: readonly string[]
  /** Member of a record that holds the destination. */
  readonly targetField?: string
  /** Whether a server that fails makes the whole list fail. Otherwise the others are enough. */
  readonly isStrict?: boolean
  /** The service's own account. */
  readonly username: string
  readonly password: Secret
  readonly limits?: Partial<DestinationLimits>
}

/** Knows which destinations a user has. */
export interface DestinationSource {
  /**
   * @param maxAgeMs A remembered list must not be older.
   * @returns the user's list; an unknown user has an empty one.
   * @throws {AvisoError} `ERR_VERDICT_UNAVAILABLE` when the list cannot be fetched.
   */
  of(username: string, maxAgeMs?: number): DestinationList | Promise<DestinationList>
  /** How many lists are remembered. */
  readonly size: number
}

/** Most destinations of a user. A longer list is refused as a whole, because no rule says which destinations to leave out. */
export const MAX_DESTINATIONS = 10_000
const JSON_LIMITS = { maxDepth: 6, maxNames: 128, maxArray: MAX_DESTINATIONS + 1 }
const NAME = 'ECPDS'

/** A source over HTTP. */
export function createEcpds(parts: DestinationParts): DestinationSource {
  const { clock, count, targetField = 'name', isStrict = true } = parts
  const limits = { ...DEFAULT_DESTINATION_LIMITS, ...parts.limits }
  // One for each, because a server that fails must not keep the others from being asked.
  const servers = parts.urls.map((url) => ({ url, gate: createGate(clock, limits.gate) }))
  const lists = createVerdictCache<DestinationList>({ clock, count })

  /** Made for each question, because the password may have been replaced. */
  function authorise(): Readonly<Record<string, string>> {
    return {
      authorization: `Basic ${encodeBase64(toBytes(`${parts.username}:${parts.password.reveal()}`))}`,
    }
  }

  async function load(username: string): Promise<Loaded<DestinationList>> {
    const startedAt = clock.monotonic()
    const asked = await Promise.all(servers.map((server) => askOne(server, username)))
    const answered = asked.flatMap(({ names }) => (names === undefined ? [] : [names]))
    const failed = asked.filter(({ names }) => names === undefined)
    const isEnough = failed.length === 0 || (!isStrict && answered.length > 0)
    count(`ecpds_fetch_${isEnough ? 'success' : worstOf(failed)}`)
    if (!isEnough) throw failed[0]?.error
    const names = [...new Set(answered.flat())]
    if (names.length > MAX_DESTINATIONS)
      throw contractBroken(parts, NAME, `over ${MAX_DESTINATIONS} destinations`)
    const value = { names, validUntil: startedAt + limits.keepMs }
    return { value, isYes: true, keepMs: limits.keepMs }
  }

  async function askOne({ url, gate }: (typeof servers)[number], username: string): Promise<Asked> {
    const address = `${url}?id=${encodeURIComponent(username)}`
    const { timeoutMs, limitBytes } = limits
    let outcome: Failure = 'unreachable'
    try {
      const { status, body } = await gate.run(() =>
        ask(parts, { name: NAME, url: address, headers: authorise(), timeoutMs, limitBytes }),
      )
      outcome = failureOf(status)
      // That includes 401 and 403, which are about the service's account, not about the user.
      if (status !== 200) throw contractBroken(parts, NAME, `status ${status}`)
      return { names: readNames(parts, body, { username, targetField }) }
    } catch (error) {
      return { outcome, error }
    }
  }

  return {
    get size() {
      return lists.size
    },
    of(username, maxAgeMs) {
      const known = lists.peek(username, maxAgeMs)
      count(known === undefined ? 'ecpds_cache_misses' : 'ecpds_cache_hits')
      return known ?? lists.get(username, () => load(username), maxAgeMs)
    },
  }
}

/** How a question fails, in the words of 2.x, the worst first. */
const FAILURES = ['http_401', 'http_403', 'http_4xx', 'invalid_response', 'http_5xx', 'unreachable'] as const
type Failure = (typeof FAILURES)[number]

/** What a server answered, or why it did not. */
type Asked =
  | { readonly names: readonly string[]; readonly outcome?: undefined; readonly error?: undefined }
  | { readonly names?: undefined; readonly outcome: Failure; readonly error: unknown }

function failureOf(status: number): Failure {
  if (status === 401) return 'http_401'
  if (status === 403) return 'http_403'
  if (status >= 500) return 'http_5xx'
  return status >= 400 ? 'http_4xx' : 'invalid_response'
}

function worstOf(failed: readonly Asked[]): Failure {
  return FAILURES.find((name) => failed.some(({ outcome }) => outcome === name)) ?? 'unreachable'
}

/** Whose list is read, and how. */
interface ListRules {
  readonly username: string
  readonly targetField: string
}

function readNames(
  parts: DependencyParts,
  body: Uint8Array,
  { username, targetField }: ListRules,
): readonly string[] {
  const message = readStrictObject(body, JSON_LIMITS)
  if (message === undefined) throw contractBroken(parts, NAME, 'not a JSON object')
  const { success, error, destinationList: listed = [] } = message
  if (success !== 'yes') {
    if (typeof error === 'string' && error.includes(`User ${username} not found`)) return []
    throw contractBroken(parts, NAME, 'success is not "yes"')
  }
  if (listed === null) return []
  if (!Array.isArray(listed)) throw contractBroken(parts, NAME, 'no list of destinations')
  if (listed.length > MAX_DESTINATIONS)
    throw contractBroken(parts, NAME, `over ${MAX_DESTINATIONS} destinations`)
  return (listed as readonly JsonValue[]).flatMap((record) => {
    if (!isJsonObject(record)) throw contractBroken(parts, NAME, 'a destination is not an object')
    return nameOf(parts, record, targetField)
  })
}

/** The name of an active destination. A name that is not one segment is dropped, because it could grant more than the destination. */
function nameOf({ count }: DependencyParts, record: JsonObject, targetField: string): readonly string[] {
  if (record['active'] !== true) return []
  const name = Object.hasOwn(record, targetField) ? record[targetField] : undefined
  if (typeof name === 'string' && isSegment(name)) return [name]
  count('destinations_rejected')
  return []
}
