/**
 * Wipes event types: deletes their notifications, and listeners can no longer replay them. Sequence numbers go on, and status documents
 * stay.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { readKey } from '#shared/notification/key_format.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import { createFence } from '#shared/retention/roots.ts'
import { prefixRange, toText } from '#shared/bytes/bytes.ts'
import type { KeyValue, Revision, Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import type { Claim } from './claim.ts'
import { deleteKeys } from './delete_keys.ts'
import { CAS_ATTEMPTS } from './limits.ts'
import { createPacer } from './pacer.ts'
import { putRemoved, readRemoved } from './removed_store.ts'
import { walkKeys } from './walk_keys.ts'

export interface WipeParts {
  readonly store: Store
  readonly schemas: Schemas
  readonly clock: Clock
  readonly logger: Logger
  readonly settings: { readonly roots: readonly string[] }
}

/** How a wipe is asked for. */
export interface WipeOptions {
  /** Absent in a dry run, which only counts. */
  readonly claim: Claim | undefined
  readonly events: readonly string[]
  readonly signal: AbortSignal
  readonly onProgress?: (report: WipeReport) => void
}

/** The result for one event type. */
export interface StreamWipe {
  readonly stream: string
  /** Number of keys deleted. */
  deleted: number
  /** Bytes of the deleted keys and values. */
  bytes: number
  /** Why the wipe is incomplete. */
  error?: string
}

/** The result for all event types. */
export interface WipeReport {
  readonly deleted: number
  readonly bytes: number
  readonly dry_run: boolean
  readonly streams: readonly Readonly<StreamWipe>[]
}

/**
 * Wipes event types one after the other. When one fails, the others are still wiped, and the report says which one failed.
 *
 * @throws {AvisoError} `ERR_JOB_RUNNING` when another admin has taken over.
 */
export async function wipe(parts: WipeParts, options: WipeOptions): Promise<WipeReport> {
  const streams: StreamWipe[] = []
  const report = (): WipeReport => ({
    deleted: streams.reduce((sum, { deleted }) => sum + deleted, 0),
    bytes: streams.reduce((sum, { bytes }) => sum + bytes, 0),
    dry_run: options.claim === undefined,
    streams: streams.map((stream) => ({ ...stream })),
  })
  for (const event of options.events) {
    const stream: StreamWipe = { stream: event, deleted: 0, bytes: 0 }
    streams.push(stream)
    try {
      await wipeStream(parts, options, stream, async () => {
        options.onProgress?.(report())
        await options.claim?.progress({ ...report() })
      })
    } catch (error) {
      if (!isAvisoError(error) || error.code === 'ERR_JOB_RUNNING') throw error
      stream.error = error.message
      parts.logger('error', 'A stream was only wiped in part', {
        event,
        code: error.code,
        deleted: stream.deleted,
      })
    }
  }
  return report()
}

async function wipeStream(
  parts: WipeParts,
  { claim, signal }: WipeOptions,
  stream: StreamWipe,
  onPage: () => Promise<void>,
): Promise<void> {
  const { store, schemas, clock, settings } = parts
  const { base, key, admin } = schemas.require(stream.stream).formats
  const fence = createFence(settings.roots)
  // After this write nothing older is delivered, so listeners see a complete wipe even when it is cut short.
  const through =
    claim === undefined
      ? (await store.status({ signal })).revision
      : await markWiped(parts, claim, stream.stream, signal)
  const pacer = createPacer(clock, signal)
  const wipeRange = (prefix: string, isOwn: (text: string) => boolean): Promise<void> =>
    walkKeys({ store, pacer, signal, withValues: true }, prefixRange(prefix), async (kvs) => {
      const chosen = kvs.filter((kv: KeyValue) => kv.modRevision <= through && isOwn(toText(kv.key)))
      if (chosen.some((kv) => !fence(toText(kv.key)))) throw outside(stream.stream)
      if (chosen.length > 0) {
        const deleted = await deleteKeys({ store, pacer, job: 'wipe', claim }, chosen)
        stream.deleted += deleted.keys
        stream.bytes += deleted.bytes
      }
      await onPage()
      return undefined
    })
  await wipeRange(
    key.literals[0] ?? base.literals[0] ?? '',
    (text) => schemas.decodeKey(text)?.event === stream.stream,
  )
  // Event types may share an index. It then stays, because the others still use it.
  const isShared = schemas.events.some(
    (event) =>
      event !== stream.stream && schemas.require(event).formats.admin?.literals[0] === admin?.literals[0],
  )
  if (admin === undefined || isShared) return
  const isIndex = (text: string): boolean =>
    readKey(admin, text, admin.fields.length) !== undefined &&
    schemas.decodeKey(text) === undefined &&
    schemas.baseOf(text) === undefined
  await wipeRange(admin.literals[0] ?? '', isIndex)
}

/** @returns the revision up to which everything is wiped */
async function markWiped(
  { store }: WipeParts,
  claim: Claim,
  event: string,
  signal: AbortSignal,
): Promise<Revision> {
  for (let attempt = 0; attempt < CAS_ATTEMPTS; attempt++) {
    const { guard } = await readRemoved(store, event, { signal })
    const { revision } = await store.status({ signal })
    const removed = { wipedThrough: revision, ids: new Map<bigint, Revision>() }
    const request = { compare: [guard, ...claim.fence()], success: [putRemoved(event, removed)] }
    if ((await store.txn(request, { signal })).succeeded) return revision
    await claim.renew()
  }
  throw new AvisoError(
    'ERR_CONFLICT',
    'Other admins keep removing notifications of this event type: try again',
  )
}

function outside(event: string): AvisoError {
  return new AvisoError(
    'ERR_CONFIG',
    `Keys of ${event} lie outside the admin's roots, so they were not deleted: add their prefix to roots, or leave roots out`,
  )
}
