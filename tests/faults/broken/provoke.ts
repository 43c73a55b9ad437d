/**
 * Faults inside one process: what provokes a broken variant, and what the sound product stands.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { Store, WatchMessage } from '#shared/store/store.ts'
import type { Dice } from '../../support/dice.ts'
import type { Door } from '../door.ts'

/** Most messages that a disturbed watch lives for. */
const WATCH_MESSAGES = 40
/** Most bytes of a stream before it is cut. Now and then it is more than the longest line, which nobody would ever get otherwise. */
const STREAM_BYTES = { usual: 30_000, long: 500_000 } as const
const LONG_SHARE = 0.2
/** How long the store is away after a disturbance: long enough for a few writes. */
const AWAY_MS = 15

/** A store whose watches break after a few messages, and stand again a moment later. */
export function disturbWatches(store: Store, dice: Dice): Store {
  return {
    ...store,
    async *watch(request): AsyncGenerator<WatchMessage> {
      let left = dice.whole(1, WATCH_MESSAGES)
      for await (const message of store.watch(request)) {
        yield message
        if (--left > 0) continue
        await new Promise((done) => setTimeout(done, AWAY_MS))
        throw new AvisoError('ERR_STORE_UNAVAILABLE', 'The test broke this watch')
      }
    },
  }
}

/** A door whose streams are cut somewhere, often in the middle of a line. */
export function cutStreams(door: Door, dice: Dice): Door {
  return async (path, init) => {
    const response = await door(path, init)
    if (response.body === null || !path.includes('/watch')) return response
    const reader = response.body.getReader()
    let left = dice.whole(1, dice.chance(LONG_SHARE) ? STREAM_BYTES.long : STREAM_BYTES.usual)
    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const { value } = await reader.read()
        if (value === undefined) return controller.close()
        const part = value.subarray(0, left)
        left -= part.length
        controller.enqueue(part)
        if (left > 0) return
        controller.error(new Error('The test cut this stream'))
        await reader.cancel()
      },
      cancel: (reason) => reader.cancel(reason),
    })
    return new Response(body, { status: response.status, headers: response.headers })
  }
}

/** Stands between a system and its store, and can keep watches out. */
export interface Gate {
  readonly store: Store
  /** Breaks the watches that stand, and refuses new ones. */
  shut(): void
  open(): void
}

/** A gate, open at first. An ingest that reads the journal, a single key, always passes. */
export function createGate(store: Store): Gate {
  let isShut = false
  let breaking = new AbortController()
  return {
    store: {
      ...store,
      async *watch(request): AsyncGenerator<WatchMessage> {
        if (request.end === undefined) return yield* store.watch(request)
        if (!isShut) {
          const signals = request.signal === undefined ? [] : [request.signal]
          yield* store.watch({ ...request, signal: AbortSignal.any([breaking.signal, ...signals]) })
          if (request.signal?.aborted === true) return
        }
        throw new AvisoError('ERR_STORE_UNAVAILABLE', 'The test keeps watches out')
      },
    },
    shut: () => {
      isShut = true
      breaking.abort()
    },
    open: () => {
      isShut = false
      breaking = new AbortController()
    },
  }
}
