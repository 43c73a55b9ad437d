/**
 * The publishing port: the ingest gives it notifications, and gets a result for each.
 *
 * Flow: **ingest** → journal → store
 *
 * @module
 */

import type { AvisoError } from '#shared/errors.ts'
import type { PayloadKind } from '#shared/journal/journal.ts'
import type { NotificationKeys } from '#shared/notification/notification.ts'
import type { Revision } from '#shared/store/store.ts'

/** One validated notification to store. */
export interface PublishItem {
  readonly event: string
  readonly keys: NotificationKeys
  readonly value: Uint8Array
  /** What the payload was, where the value alone does not tell. */
  readonly payloadKind?: PayloadKind | undefined
  /** Whole seconds > 0; absent: kept for ever. Only the notification key has the lease, not its status document. */
  readonly ttlSeconds?: number | undefined
  /** CloudEvents id and source. Together they name the notification for idempotency. */
  readonly id: string
  readonly source: string
  readonly time?: string | undefined
  readonly traceparent?: string | undefined
}

/** Proof of a durable notification. */
export interface PublishReceipt {
  readonly event: string
  readonly key: string
  readonly revision: Revision
  readonly sequence: bigint
  /** RFC 3339 UTC with milliseconds. */
  readonly committedAt: string
  /** The same id with the same content was stored before; this is that receipt. */
  readonly replayed: boolean
}

export type PublishResult =
  | { readonly ok: true; readonly receipt: PublishReceipt }
  | { readonly ok: false; readonly error: AvisoError }

/** Stores notifications. It never throws for an item: each item has its own result, in order. */
export interface Publisher {
  publish(items: readonly PublishItem[]): Promise<readonly PublishResult[]>
  /** Refuses new items, and waits until all accepted items are answered. Idempotent. */
  close(): Promise<void>
}
