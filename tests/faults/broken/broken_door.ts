/**
 * Services with one mistake each, seen from the listener's side.
 *
 * @module
 */

import type { Dice } from '../../support/dice.ts'
import type { Door } from '../door.ts'

/** Goes on at the last position instead of behind it: no +1. */
export function resumingWithoutStep(door: Door): Door {
  return (path, init = {}) => {
    const { headers = {}, body } = init
    const cursor = headers['last-event-id']
    if (cursor !== undefined) {
      const [epoch = '', revision = '0', index] = cursor.split('.')
      const before = index === undefined || index === '0' ? '' : `.${Number(index) - 1}`
      const earlier = `${epoch}.${before === '' ? BigInt(revision) - 1n : revision}${before}`
      return door(path, { ...init, headers: { ...headers, 'last-event-id': earlier } })
    }
    return door(
      path,
      body === undefined
        ? init
        : { ...init, body: body.replace(/"start_revision":"(\d+)"/, earlierRevision) },
    )
  }
}

function earlierRevision(_: string, revision: string): string {
  return `"start_revision":"${BigInt(revision) - 1n}"`
}

/** Starts every stream now, wherever the listener was (APISIX #13917). */
export function startingNow(door: Door): Door {
  return (path, init = {}) => {
    const { 'last-event-id': _, ...headers } = init.headers ?? {}
    const body = init.body?.replace(/,"start_revision":"\d+"/, '')
    return door(path, { ...init, headers, ...(body !== undefined && { body }) })
  }
}

/** Widens a watch to what only starts with the same letters: no boundary at the slash. */
export function withoutBoundary(door: Door): Door {
  return (path, init = {}) => {
    const body = init.body
      ?.replaceAll(btoa('/ec/diss/FOO/'), btoa('/ec/diss/FOO'))
      .replaceAll(btoa('/ec/diss/FOO0'), btoa('/ec/diss/FOP'))
    return door(path, body === undefined ? init : { ...init, body })
  }
}

const FRAME_END = '\n\n'

/** Drops a frame now and then, as a full queue per listener would, and says nothing. */
export function droppingFrames(door: Door, dice: Dice): Door {
  return async (path, init) => {
    const response = await door(path, init)
    if (response.body === null || !path.startsWith('/api/v1/watch')) return response
    const decoder = new TextDecoder()
    let rest = ''
    const sieve = new TransformStream<Uint8Array, Uint8Array>({
      transform: (piece, controller) => {
        const frames = (rest + decoder.decode(piece, { stream: true })).split(FRAME_END)
        rest = frames.pop() ?? ''
        const kept = frames.filter((frame) => !frame.includes('live-notification') || !dice.chance(0.02))
        controller.enqueue(new TextEncoder().encode(kept.map((frame) => frame + FRAME_END).join('')))
      },
    })
    return new Response(response.body.pipeThrough(sieve), {
      status: response.status,
      headers: response.headers,
    })
  }
}
