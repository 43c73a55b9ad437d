/**
 * The notification model's types: what flows from provider to trigger.
 *
 * @module
 */

import type { Shape } from '#shared/geometry/shape.ts'
import type { PayloadKind } from '#shared/journal/journal.ts'
import type { Revision } from '#shared/store/store.ts'

/** Canonical metadata of a notification: field name → canonical text, in the order of the key format. */
export type NotificationRequest = Readonly<Record<string, string>>

/** The store keys of one notification. */
export interface NotificationKeys {
  /** Key of the notification itself, e.g. `/ec/mars/date=20190810,…,step=1`. */
  readonly stem: string
  /** Key of the status document, always with a trailing slash, e.g. `/ec/mars/`. */
  readonly base: string
  /** Third key that indexes destinations by date, where the schema has one. */
  readonly admin?: string
  readonly request: NotificationRequest
  /** Those of the request's fields whose values the key does not hold; the journal remembers them. Absent: none. */
  readonly unkeyed?: NotificationRequest
}

/** A notification as the hub delivers it: read back from the store, joined with its journal entry. */
export interface Notification {
  readonly revision: Revision
  /** Place among the notifications of its revision, from 0. */
  readonly index: number
  readonly event: string
  readonly key: string
  readonly request: NotificationRequest
  /** Those of the request's fields that the key does not hold: geometries, as JSON. */
  readonly unkeyed?: NotificationRequest
  /** The stored value: the location, the JSON text of a payload object, or the literal `None`. */
  readonly value: Uint8Array
  /** What the payload was, where the value alone does not tell. */
  readonly payloadKind?: PayloadKind
  /** Dense number per event type, from 1. Absent when another writer than ours stored it. */
  readonly sequence?: bigint
  /** Where it has none: that of the last one before it. Absent where there is none, or it cannot be told. */
  readonly precedingSequence?: bigint
  /** CloudEvents `id`, `source`, `time` as the provider gave them. */
  readonly id?: string
  readonly source?: string
  readonly time?: string
  /** When the ingest committed it: RFC 3339 UTC with milliseconds. */
  readonly committedAt?: string
  readonly traceparent?: string
}

/** A place that a listener asks for. */
export interface PlaceCondition {
  readonly kind: 'meets'
  /** What the field holds. */
  readonly stored: StoredGeometry
  readonly shape: Shape
  /** Two conditions with the same text accept the same. */
  readonly text: string
}

/** The geometries that notifications have. */
export type StoredGeometry = 'polygon' | 'point_cloud'

/** What a listener wants of one event type. A field that is absent accepts every value. */
export interface NotificationFilter {
  readonly event: string
  readonly conditions: ReadonlyMap<string, FieldCondition>
}

/**
 * Accepts a field's canonical text. The hub can index values (`in`) and places (`meets`: what has a place in common with the shape); `test`
 * is any other predicate.
 */
export type FieldCondition =
  | { readonly kind: 'in'; readonly values: ReadonlySet<string> }
  | PlaceCondition
  | { readonly kind: 'test'; readonly test: (value: string) => boolean }
