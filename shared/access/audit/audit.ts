/**
 * The audit log: who did what, as one JSON line each, written to its own sink. It contains no token and no payload.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import type { AuditTail } from './tail.ts'

/** The actions that are recorded. */
export const AUDIT_ACTIONS = [
  /** A stream was opened, or ended. */
  'opened',
  'closed',
  /** A listener read stored keys. */
  'read',
  /** A listener got only a part of the requested keys. */
  'narrowed',
  /** A request was refused, or a notification was not surely stored: the reason is the code of the error. */
  'refused',
  'published',
  'administered',
] as const
export type AuditAction = (typeof AUDIT_ACTIONS)[number]

/** The identity in a record. */
export interface AuditSubject {
  readonly provider: string
  readonly realm: string
  readonly username: string
}

/** One record without its time. */
export interface AuditRecord {
  readonly action: AuditAction
  readonly who: AuditSubject | undefined
  readonly requestId?: string | undefined
  /** Where the request came from, as the connection or the trusted proxy says. */
  readonly address?: string | undefined
  /** The keys or prefixes of the request, as text. */
  readonly keys?: readonly string[]
  /** The ids of notifications, in runs: `flight@7`, `flight@9-12`. */
  readonly ids?: readonly string[]
  readonly event?: string
  /** Code of a refusal, reason of an end, name of an administrative operation. */
  readonly reason?: string
  /** Where a stream began or ended. */
  readonly position?: string
  /** How often, when one line stands for several actions. */
  readonly count?: number
}

/** Writes the log. */
export interface Audit {
  /**
   * Whether published notifications are recorded. Without a sink they are not: the newest records in memory alone are not worth
   * work in every request that publishes. What was refused is recorded all the same.
   */
  readonly hasPublished: boolean
  record(record: AuditRecord): void
  /** Records that could not be written, because the sink was too slow or failed. */
  lost(): number
  /** Writes all pending records and stops. */
  close(): Promise<void>
}

/** Appends lines, each ending in a newline. */
export type AuditSink = (lines: string) => Promise<void> | void

/** Time between two flushes. A crash loses at most the records of this time. */
const FLUSH_MS = 1000
/** Records after which a flush does not wait for its time: every request that publishes has one, and there may be thousands a second. */
const FLUSH_AT = 1000
/** Most records that wait for the sink: some megabytes, a minute of refusals during an attack. */
const MAX_PENDING = 10_000
const MAX_TEXT_CHARACTERS = 256
/** Most keys and most runs of ids of one record. */
const MAX_LISTED = 16

/** An audit log that records nothing. */
export const silentAudit: Audit = {
  hasPublished: false,
  record: () => undefined,
  lost: () => 0,
  close: () => Promise.resolve(),
}

export interface AuditParts {
  readonly sink: AuditSink
  /** Gets each record, too. */
  readonly tail?: Pick<AuditTail, 'keep'> | undefined
  readonly clock: Clock
  readonly logger: Logger
}

/** A log in memory alone, for a process without a sink. */
export function createTailAudit(tail: Pick<AuditTail, 'keep'>, clock: Pick<Clock, 'now'>): Audit {
  return { ...silentAudit, record: (record) => tail.keep(record.action, toLine(record, clock.now())) }
}

/** A log into `sink`. Recording never waits and never throws; a sink that fails is reported to `logger` and counted. */
export function createAudit({ sink, tail, clock, logger }: AuditParts): Audit {
  let pending: string[] = []
  let lost = 0
  let writing: Promise<void> = Promise.resolve()
  /** Whether a write is to come that takes everything pending. */
  let isQueued = false
  const stop = clock.every(FLUSH_MS, () => void flush())

  function add(record: AuditRecord): void {
    const line = toLine(record, clock.now())
    tail?.keep(record.action, line)
    if (pending.length >= MAX_PENDING) lost++
    else pending.push(line)
    if (pending.length >= FLUSH_AT) void flush()
  }

  function flush(): Promise<void> {
    if (pending.length === 0 || isQueued) return writing
    isQueued = true
    writing = writing.then(write)
    return writing
  }

  /** One write at a time, so that lines keep their order. */
  async function write(): Promise<void> {
    const lines = pending
    isQueued = false
    pending = []
    try {
      await sink(lines.join(''))
    } catch (error) {
      lost += lines.length
      const cause = error instanceof Error ? error.name : 'unknown'
      logger('error', 'The audit log cannot be written', { lost, cause })
    }
  }

  return {
    hasPublished: true,
    record: add,
    lost: () => lost,
    async close() {
      stop()
      await flush()
    },
  }
}

/** One line, with its end. Copies each member by name, so that no other member of a passed object gets into the log. */
function toLine(record: AuditRecord, now: number): string {
  const { action, who, requestId, address, keys, ids, event, reason, position, count } = record
  const line = {
    time: new Date(now).toISOString(),
    action,
    provider: short(who?.provider),
    realm: short(who?.realm),
    user: short(who?.username),
    request_id: short(requestId),
    address: short(address),
    event: short(event),
    keys: keys?.slice(0, MAX_LISTED).map(short),
    ...(keys !== undefined && keys.length > MAX_LISTED && { more_keys: keys.length - MAX_LISTED }),
    ids: ids?.slice(0, MAX_LISTED).map(short),
    ...(ids !== undefined && ids.length > MAX_LISTED && { more_ids: ids.length - MAX_LISTED }),
    reason: short(reason),
    position: short(position),
    count,
  }
  return `${JSON.stringify(line).replaceAll(BEYOND_ASCII, escape)}\n`
}

/** Shown by number, because the log is evidence: some characters look like others or change the direction of the text. */
const BEYOND_ASCII = /[\u007f-\uffff]/g

function escape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

function short(text: string | undefined): string | undefined {
  return text?.slice(0, MAX_TEXT_CHARACTERS).toWellFormed()
}
