/**
 * `POST /v3/watch`: the stream of etcd's gateway, one JSON line per message, served from the hub. The hub of another Aviso may read it as
 * its upstream, so that hubs can form a tree.
 *
 * @module
 */

import { knownFields, readBoolean, readFields, readInt64, readKeyRange, refuse } from './fields.ts'
import { createHeader, eventMessage } from './messages.ts'
import type { RelayView } from './relay.ts'
import type { JsonValue } from '#shared/json/strict_json.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { KeyRange, Revision, StoreEvent } from '#shared/store/store.ts'
import type { Closing, StartPosition, StreamFormat, StreamPosition } from '#shared/hub/hub.ts'

/** What a client wants to follow. */
export interface FacadeWatch {
  readonly range: KeyRange
  readonly from: StartPosition
}

const MESSAGE_FIELDS = knownFields('create_request')
const CREATE_FIELDS = knownFields(
  'key',
  'range_end',
  'start_revision',
  'progress_notify',
  'fragment',
  'prev_kv',
  'filters',
  'watch_id',
)

/**
 * Reads a client's request: one document with one `create_request`.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST` naming the field at fault.
 */
export function parseWatchRequest(message: JsonValue): FacadeWatch {
  const create = readFields(message, MESSAGE_FIELDS).get('create_request')
  if (create === undefined) throw refuse('Expected one "create_request"', 'create_request')
  const fields = readFields(create, CREATE_FIELDS)
  // Both are accepted and change nothing: progress is always sent, and a message never holds more than one revision.
  readBoolean(fields, 'progress_notify')
  readBoolean(fields, 'fragment')
  if (readBoolean(fields, 'prev_kv') === true) throw refuse('Field "prev_kv" is not supported', 'prev_kv')
  const filters = fields.get('filters')
  if (filters !== undefined && !(Array.isArray(filters) && filters.length === 0)) {
    throw refuse('Field "filters" is not supported', 'filters')
  }
  if ((readInt64(fields, 'watch_id') ?? 0n) !== 0n)
    throw refuse('Field "watch_id" is not supported', 'watch_id')
  const revision = readInt64(fields, 'start_revision') ?? 0n
  return {
    range: readKeyRange(fields),
    from: revision === 0n ? { kind: 'live' } : { kind: 'revision', revision },
  }
}

/** gRPC's "unavailable": etcd sends it when a member stops, and its clients then connect again. */
const UNAVAILABLE = { grpc_code: 14, http_code: 503, http_status: 'Service Unavailable' } as const

/** gRPC's "unauthenticated": etcd sends it when a token has ended. */
const UNAUTHENTICATED = { grpc_code: 16, http_code: 401, http_status: 'Unauthorized' } as const

/** The gateway's lines for one stream. @param view How a relay sees the service's own keys. */
export function createGatewayFormat(epoch: string, from: StartPosition, view?: RelayView): StreamFormat {
  const header = createHeader(epoch)
  const line = (message: unknown): Uint8Array => toBytes(`${JSON.stringify(message)}\n`)
  const shown = (events: readonly StoreEvent[]): readonly StoreEvent[] =>
    view === undefined ? events : events.map(view.event)
  /** The last revision before the stream's start. */
  let floor: Revision = from.kind === 'revision' ? from.revision - 1n : 0n
  const reached = ({ revision, index }: StreamPosition): Revision => {
    const whole = index === undefined ? revision : revision - 1n
    return whole > floor ? whole : floor
  }
  return {
    name: `gateway:${epoch}:${view?.name ?? ''}`,
    opening: (head) => {
      if (from.kind === 'live') floor = head
      return line({ result: { header: header(head), created: true } })
    },
    revision: (revision, events) =>
      line({ result: { header: header(revision), events: shown(events).map(eventMessage) } }),
    heartbeat: (position) => line({ result: { header: header(reached(position)) } }),
    closing: closingLine,
  }

  function closingLine(closing: Closing): Uint8Array | undefined {
    switch (closing.reason) {
      case 'end_of_stream':
        return undefined
      case 'history_compacted': {
        const { oldest, position } = closing
        const canceled = { canceled: true, compact_revision: oldest.toString() }
        return line({ result: { header: header(reached(position)), ...canceled } })
      }
      case 'history_limit':
      case 'max_age':
      case 'shutdown':
      case 'drain':
      case 'slow_consumer':
      case 'store_unavailable':
      case 'ended_by_operator':
      case 'auth_unavailable':
        return line({ error: { ...UNAVAILABLE, message: `stream ended: ${closing.reason}` } })
      case 'auth_expired':
      case 'auth_revoked':
        return line({ error: { ...UNAUTHENTICATED, message: `stream ended: ${closing.reason}` } })
    }
  }
}
