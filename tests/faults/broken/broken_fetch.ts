/**
 * The watches of the etcd gateway adapter, made to go where the test wants them, and with one mistake each.
 *
 * @module
 */

import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { createLineSplitter } from '#shared/bytes/lines.ts'
import { AvisoError } from '#shared/errors.ts'
import type { FetchLike, FetchLikeResponse } from '#shared/runtime/fetch_like.ts'
import type { Clock } from '#shared/time/clock.ts'

/** A `fetch` for watches that a test can steer. */
export interface SteeredFetch {
  readonly fetch: FetchLike
  /** Only this member is reached; absent: all of them. */
  pin(url: string | undefined): void
  /** Breaks the watches that stand, and lets none stand until {@link SteeredFetch.unblock}. */
  block(): void
  unblock(): void
}

/** Steers a `fetch`. */
export function steer(inner: FetchLike): SteeredFetch {
  let only: string | undefined
  let isBlocked = false
  let breaking = Promise.withResolvers<never>()
  breaking.promise.catch(() => undefined)
  return {
    fetch: async (url, request) => {
      if (isBlocked || (only !== undefined && !url.startsWith(only)))
        throw new AvisoError('ERR_STORE_UNAVAILABLE', 'The test keeps watches away from this member')
      const response = await inner(url, request)
      const broken = breaking.promise
      return { ...response, read: () => Promise.race([response.read(), broken]) }
    },
    pin: (url) => {
      only = url
    },
    block: () => {
      isBlocked = true
      breaking.reject(new Error('The test broke this watch'))
    },
    unblock: () => {
      isBlocked = false
      breaking = Promise.withResolvers()
      breaking.promise.catch(() => undefined)
    },
  }
}

/** Leaves out the header by which etcd ends watches on members without a leader. */
export function withoutHasLeader(inner: FetchLike): FetchLike {
  return (url, request) => {
    const headers = Object.fromEntries(
      Object.entries(request.headers).filter(([name]) => !name.toLowerCase().includes('hasleader')),
    )
    return inner(url, { ...request, headers })
  }
}

/** A clock that never looks at silence: no idle limit. */
export function withoutTicks(clock: Clock): Clock {
  return { ...clock, every: () => () => undefined }
}

/** Does not see that etcd cancels a watch in its stream, with status 200 (APISIX #2680). */
export function ignoringCancel(inner: FetchLike): FetchLike {
  return async (url, request) => {
    const response = await inner(url, request)
    const sieve = createSieve(response)
    return { ...response, read: () => sieve() }
  }
}

const MAX_LINE_BYTES = 64 * 1024 * 1024

/** Whole lines of an answer without those that cancel. */
function createSieve(response: FetchLikeResponse): () => Promise<Uint8Array | undefined> {
  const splitter = createLineSplitter({ maxBytes: MAX_LINE_BYTES })
  return async () => {
    const piece = await response.read()
    if (piece === undefined) return undefined
    const lines = Array.from(splitter.add(piece), toText)
    const kept = lines.filter((line) => !line.includes('"canceled":true'))
    return toBytes(kept.map((line) => `${line}\n`).join(''))
  }
}
