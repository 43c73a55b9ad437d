/**
 * The hub port. A hub reads the store with one watch (the upstream) and serves many listeners from it.
 *
 * Flow: store → **hub** → auth → listener
 *
 * @module
 */

import type { ByteSource } from '#shared/bytes/byte_source.ts'
import type { Notification, NotificationFilter } from '#shared/notification/notification.ts'
import type { KeyRange, RangeRequest, RangeResult, Revision, StoreEvent } from '#shared/store/store.ts'

/** Where a stream starts. */
export type StartPosition =
  /** The first revision after the stream has begun. */
  | { readonly kind: 'live' }
  /** Everything from `revision` on, inclusive. With `afterIndex`: in that revision only notifications with a greater index. */
  | { readonly kind: 'revision'; readonly revision: Revision; readonly afterIndex?: number }

/** What a stream delivers. */
export type Selection =
  /** Notifications that match a filter, one frame each. */
  | { readonly kind: 'notifications'; readonly filter: NotificationFilter }
  /**
   * Raw store events inside any of the ranges, one frame per revision (the 1.x facade). Internal keys never match `ranges`. `relayed` names
   * the internal keys for the hub of another Aviso, within `RELAYED_RANGES`.
   */
  | { readonly kind: 'ranges'; readonly ranges: readonly KeyRange[]; readonly relayed?: readonly KeyRange[] }

/** How a stream ends. Every stream can be resumed from its last position. */
export type Ending =
  | { readonly reason: EndReason }
  /** The revisions that come next are gone from the history: `oldest` is the oldest revision that can be read. */
  | { readonly reason: 'history_compacted'; readonly oldest: Revision }

/** Why a stream ends. */
export type CloseReason = Ending['reason']

/** Why a stream ends while the store still keeps its next revision. */
export type EndReason =
  | 'end_of_stream'
  /** It has the most notifications of history that one stream may have, and there are more. */
  | 'history_limit'
  | 'max_age'
  | 'shutdown'
  /** As `shutdown`, but the streams end one after another, so their listeners may come back at once. */
  | 'drain'
  | 'slow_consumer'
  | 'store_unavailable'
  /** An operator has ended the stream; its listener may come back. */
  | 'ended_by_operator'
  /** The listener's credential has ended; a new one may go on. */
  | 'auth_expired'
  /** The listener's right was taken away. */
  | 'auth_revoked'
  /** No server could confirm the listener's right for too long. */
  | 'auth_unavailable'

/** The place a stream has reached: everything that matches up to it has been delivered. */
export interface StreamPosition {
  /** Last revision delivered or skipped as not matching; 0n before the first. */
  readonly revision: Revision
  /** Index of the last notification delivered in that revision; absent when the whole revision is done. */
  readonly index?: number
}

/** The content of a stream's last frame. */
export type Closing = Ending & { readonly position: StreamPosition }

/**
 * Turns what happens on a stream into bytes. `notification` and `revision` are pure functions; their frames are shared between all streams
 * whose formats have the same `name`. The other members belong to one stream.
 */
export interface StreamFormat {
  /** Streams with the same name share encoded frames. */
  readonly name: string
  /** First frame. `head` is the newest revision that the hub knows. */
  opening?(head: Revision): Uint8Array | undefined
  notification?(notification: Notification, phase: 'history' | 'live'): Uint8Array
  revision?(revision: Revision, events: readonly StoreEvent[]): Uint8Array
  /** History is complete; what follows is live. Called once, and only on streams that began with a revision. */
  caughtUp?(position: StreamPosition): Uint8Array | undefined
  heartbeat?(position: StreamPosition): Uint8Array | undefined
  /** Last frame. */
  closing?(closing: Closing): Uint8Array | undefined
  /** So many frames of history were written to the stream. */
  replayed?(frames: number): void
}

export interface SubscribeRequest {
  readonly selection: Selection
  readonly from: StartPosition
  /** Last revision to deliver, inclusive; the stream then ends with `end_of_stream`. */
  readonly until?: Revision
  /** Most notifications of history. A stream with more of it ends with `history_limit` after so many. Default: no limit. */
  readonly historyLimit?: number | undefined
  readonly format: StreamFormat
  /** Seconds after which the stream ends; absent: the hub's default. */
  readonly maxAgeSeconds?: number
  /** Why the stream ends at that age. Default: `max_age`. */
  readonly ageReason?: EndReason
  /** Called once when the stream has ended or was cancelled, for any reason. It must not throw. */
  readonly onGone?: () => void
}

/** A running stream. Cancelling `body` frees everything, also before it is opened. */
export interface Subscription {
  readonly body: ByteSource
  /** Ends the stream with a closing frame. Idempotent. */
  end(reason: EndReason): void
  /** How the stream is just now. */
  look(): StreamState
}

/** How a stream is. */
export interface StreamState {
  readonly position: StreamPosition
  /** Whether it still reads what was stored before it began. */
  readonly isCatchingUp: boolean
  /** How long its reader has not asked for more, in milliseconds, to some hundred; 0: it keeps up. */
  readonly parkedMs: number
  /** Bytes that were written to it. */
  readonly bytes: number
}

export interface HubStatus {
  readonly subscribers: number
  readonly parked: number
  /** Newest revision seen from upstream. */
  readonly revision: Revision
  readonly ringEntries: number
  readonly ringBytes: number
  /** Whether the upstream watch is connected. */
  readonly connected: boolean
}

/** Observes a hub, for traces and figures. It must be quick and must not throw. */
export interface HubObserver {
  /**
   * Called when a notification has just arrived, and goes to `listeners` streams. A 1.x watch that gets any event of a revision counts for
   * every notification of it.
   *
   * @param ofRanges How many of the listeners are 1.x watches.
   */
  seen(notification: Notification, listeners: number, ofRanges?: number): void
}

/** Notifications that operators have removed. They stay in the store's history, which cannot be changed, but are not delivered. */
export interface HubRemovals {
  readonly isRemoved: (notification: Notification) => boolean
  /** Rises with every change, so that chunks made before a change do not reach streams that begin after it. */
  readonly version: () => number
}

/** One upstream watch shared by many streams. */
export interface Hub {
  /**
   * @throws {AvisoError} `ERR_HISTORY_COMPACTED`, `ERR_FUTURE_POSITION`, `ERR_OVERLOADED` (too many streams),
   *   `ERR_STORE_UNAVAILABLE` when the upstream is not ready or the position cannot be checked.
   */
  subscribe(request: SubscribeRequest): Promise<Subscription>
  /**
   * Answers a read of keys: a poll (`minModRevision`) from memory, where its answer is known, and a key at the revision that wrote it, where
   * this was lately. Everything else by `ask`. An answer from memory may be as far behind the store as the streams of this hub are.
   *
   * @param ask Asks the store. @throws {AvisoError} What `ask` throws.
   */
  read(request: RangeRequest, ask: () => Promise<RangeResult>): Promise<RangeResult>
  status(): HubStatus
  /**
   * Ends the streams there are now with `drain`, one after another over a time. Streams that begin meanwhile go on until `close`, and
   * then end with `drain` too.
   *
   * @param ms How long it takes.
   * @returns at the end of that time, or when the hub closes
   */
  drain(ms: number): Promise<void>
  /** Ends every stream with `shutdown` and releases the upstream. Idempotent. */
  close(): Promise<void>
}
