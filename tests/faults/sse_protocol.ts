/**
 * What a browser or curl reads: `GET /api/v1/watch`, resumed by `Last-Event-ID`.
 *
 * @module
 */

import { createParser } from 'eventsource-parser'
import type { Protocol, Told } from './listener.ts'
import { nameOfValue, type Position } from './records.ts'

/** An SSE listener of one event type; `fields` are wanted values. */
export function createSseProtocol(event: string, fields: Readonly<Record<string, string>> = {}): Protocol {
  const query = new URLSearchParams({ event, ...fields })
  return {
    request: (cursor) => ({
      path: `/api/v1/watch?${query}`,
      headers: cursor === undefined ? {} : { 'last-event-id': cursor },
    }),
    reader: (take) => {
      let isOver = false
      const parser = createParser({
        onEvent: ({ event: name = '', data, id }) => {
          // What closes the stream after a gap still names the position before it.
          if (isOver) return
          isOver = name === 'gap'
          const told = read(name, JSON.parse(data) as Frame, id)
          if (told !== undefined) take(told)
        },
      })
      return (text) => parser.feed(text)
    },
    refusal: (status, body) => {
      if (status !== 410) return undefined
      const { oldest_position: oldest } = JSON.parse(body) as Frame
      return gap(oldest)
    },
    positionOf: parsePosition,
  }
}

/** The members of `data` that are read here. */
interface Frame {
  readonly type?: string
  readonly subject?: string
  readonly id?: string
  readonly position?: string
  readonly reason?: string
  readonly oldest_position?: string
  readonly data?: { readonly payload: unknown }
}

function read(name: string, frame: Frame, cursor: string | undefined): Told | undefined {
  const at = performance.now()
  switch (name) {
    case 'replay':
    case 'live-notification': {
      if (cursor === undefined) return undefined
      const position = parsePosition(cursor)
      if (frame.type === 'connection_established') return { step: { kind: 'origin', at, position }, cursor }
      const { subject = '', id = '', data } = frame
      const number = /@(\d+)$/.exec(id)?.[1]
      const payload = typeof data?.payload === 'string' ? data.payload : JSON.stringify(data?.payload)
      const step = {
        kind: 'notification',
        at,
        position,
        key: subject,
        value: nameOfValue(payload),
        sequence: number === undefined ? undefined : BigInt(number),
      } as const
      return { step, cursor }
    }
    case 'replay-control':
      if (cursor === undefined) return undefined
      return {
        step: {
          kind: frame.type === 'replay_started' ? 'origin' : 'reached',
          at,
          position: parsePosition(cursor),
        },
        cursor,
      }
    case 'gap':
      return gap(frame.oldest_position)
    case 'heartbeat':
    case 'connection-closing': {
      const reached = cursor ?? frame.position
      return {
        ...(frame.reason !== undefined && { reason: frame.reason }),
        ...(reached !== undefined && {
          step: { kind: 'reached', at, position: parsePosition(reached) },
          cursor: reached,
        }),
      }
    }
    default:
      throw new Error(`The stream has a frame that nobody knows: ${name}`)
  }
}

function gap(oldestPosition: string | undefined): Told {
  const oldest = oldestPosition === undefined ? undefined : parsePosition(oldestPosition).revision + 1n
  const step = { kind: 'gap', at: performance.now(), oldest } as const
  return { step, reason: 'gap', cursor: oldestPosition ?? null }
}

/** `epoch.revision` or `epoch.revision.index`. */
function parsePosition(cursor: string): Position {
  const [, revision = '', index] = cursor.split('.')
  return index === undefined
    ? { revision: BigInt(revision) }
    : { revision: BigInt(revision), index: Number(index) }
}
