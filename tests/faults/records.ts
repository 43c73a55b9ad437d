/**
 * What a fault test writes down: what was published and how it was answered, what the store holds, what each listener got. The checker reads
 * nothing else.
 *
 * Times are milliseconds of one monotonic clock, `performance.now()` of the test's own process.
 *
 * @module
 */

import { hashText } from '../support/dice.ts'

/** A place in the store's history. */
export interface Position {
  readonly revision: bigint
  /** Place of a notification in its revision; absent: the whole revision is done. */
  readonly index?: number
}

/** One notification as its publisher saw it. */
export interface Operation {
  /** CloudEvents id; also the name of its value, see {@link nameOfValue}. */
  readonly id: string
  readonly event: string
  /** Store key that it should have. */
  readonly key: string
  /** When the first request with it was sent. */
  readonly invokedAt: number
  /** Every answer, in order. A request without an answer has an outcome too: `unknown`. */
  readonly tries: Try[]
}

/** How one request with a notification ended. */
export type Try =
  | {
      readonly outcome: 'stored'
      readonly at: number
      readonly key: string
      readonly revision: bigint
      readonly sequence: bigint
    }
  /** `none`: certainly not stored by this request; `unknown`: perhaps stored, perhaps later. */
  | {
      readonly outcome: 'none' | 'unknown'
      readonly at: number
      /** What the service says; absent: it did not answer. */
      readonly code?: string
    }

/** One write of a revision. */
export interface Write {
  readonly kind: 'put' | 'delete'
  readonly key: string
  /** {@link nameOfValue} of the value; empty for a deletion. */
  readonly value: string
}

/** A journal value as an independent reader understands it. */
export interface JournalRecord {
  readonly event: string
  readonly previous: bigint
  /** Place in the revision of its first notification: event types that share a transaction have room beside one another. */
  readonly place: number
  readonly entries: readonly { readonly key: string; readonly sequence: number; readonly id: string }[]
}

/** One revision of the store. */
export interface StoredRevision {
  readonly revision: bigint
  /** Everything but our internal keys, in the order of writing. */
  readonly writes: readonly Write[]
  readonly journals: readonly JournalRecord[]
  /** The epoch that it writes; absent: none. */
  readonly epoch?: string
}

/** A compaction that was asked for, whatever became of it. */
export interface Compaction {
  readonly revision: bigint
  readonly at: number
}

/** What a listener wants. */
export type Selection =
  | {
      readonly kind: 'notifications'
      readonly event: string
      /** Whether a notification of the event type is among them. */
      readonly matches: (key: string) => boolean
    }
  /** Whole revisions of all keys under a prefix (the facade of 1.x). */
  | { readonly kind: 'keys'; readonly prefix: string }

/** What a listener was told. */
export type Step =
  /** The stream stands, and starts behind this position. */
  | { readonly kind: 'origin'; readonly at: number; readonly position: Position }
  | {
      readonly kind: 'notification'
      readonly at: number
      readonly position: Position
      readonly key: string
      readonly value: string
      readonly sequence: bigint | undefined
    }
  | {
      readonly kind: 'revision'
      readonly at: number
      readonly revision: bigint
      readonly writes: readonly Write[]
    }
  /** Everything up to here has been delivered. */
  | { readonly kind: 'reached'; readonly at: number; readonly position: Position }
  /** What lies between the last position and `oldest` is no longer kept; absent: the service does not say what is. */
  | { readonly kind: 'gap'; readonly at: number; readonly oldest: bigint | undefined }

/** One connection. */
export interface Session {
  /** When the service had answered. */
  openedAt: number
  closedAt: number | undefined
  /** Why the service ended it, in its own words; absent: it did not say. */
  reason: string | undefined
  /** Where it asked to start behind; absent: from now on. */
  readonly from: Position | undefined
  readonly steps: Step[]
}

/** The connections of one listener, each going on where the one before ended. */
export interface Chain {
  readonly name: string
  readonly selection: Selection
  /** It reads at once and nobody disturbs its connection, so what it gets late was late on the way. */
  readonly isPrompt: boolean
  readonly sessions: Session[]
}

/** Everything that happened. */
export interface Run {
  readonly operations: readonly Operation[]
  /** Complete and ascending from the first write. */
  readonly revisions: readonly StoredRevision[]
  readonly compactions: readonly Compaction[]
  readonly chains: readonly Chain[]
  /** Longest time from an acknowledgement to a delivery on an open, prompt stream. */
  readonly staleMs: number
  /** When the run ended: what is undelivered then on an open stream is counted to here. */
  readonly endedAt: number
  /** History is whole from this revision on, and of what lies before some is there; absent: all of it is whole. */
  readonly wholeFrom?: bigint
  /** The store may have lost something before: behind a new epoch, numbers go on at a later billion. Absent: numbers are dense. */
  readonly isRenewed?: boolean
}

const VALUE = /^(?<id>[\w:.-]+) (?<bytes>\d+) (?<padding>x*)$/

/** A value of a given size that names its operation. */
export function valueOf(id: string, bytes: number): string {
  const head = `${id} ${bytes} `
  return head + 'x'.repeat(Math.max(0, bytes - head.length))
}

/** The operation of a value, or a fingerprint of any other text: what the records keep of values. */
export function nameOfValue(value: string): string {
  const { id, bytes } = VALUE.exec(value)?.groups ?? {}
  if (id !== undefined && value === valueOf(id, Number(bytes))) return id
  return `#${hashText(value).toString(16)}/${value.length}`
}

/** Keys of ours, which no listener gets. */
export const INTERNAL = '/_aviso/'
const JOURNAL = '/_aviso/journal/'
/** The text that names the store's history. */
export const EPOCH = '/_aviso/epoch'

/** A key in a journal: whole, or what differs from the key before it, and how much of that one stands at the front and at the end. */
type JournalKey = string | readonly [front: number, middle: string, back: number]

/** A journal value as these tests understand it, without the product's own parser; `undefined` for any other key. */
export function toJournal(key: string, text: string): JournalRecord | undefined {
  if (!key.startsWith(JOURNAL)) return undefined
  const {
    prev,
    first_seq: first,
    events,
    place = 0,
  } = JSON.parse(text) as {
    readonly prev: string
    readonly place?: number
    readonly first_seq: number
    readonly events: readonly { readonly key: JournalKey; readonly id: string }[]
  }
  let before = ''
  const entries = events.map(({ key: written, id }, index) => {
    before = typeof written === 'string' ? written : spellOut(written, before)
    return { key: before, sequence: first + index, id }
  })
  return { event: key.slice(JOURNAL.length), previous: BigInt(prev), place, entries }
}

function spellOut([front, middle, back]: Exclude<JournalKey, string>, before: string): string {
  return `${before.slice(0, front)}${middle}${before.slice(before.length - back)}`
}
