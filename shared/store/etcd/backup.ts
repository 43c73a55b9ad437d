/**
 * Copies of etcd by its own snapshots, through its JSON gateway: the file is what `etcdctl snapshot save` writes.
 *
 * @see https://etcd.io/docs/v3.5/op-guide/recovery/
 * @module
 */

import { decodeTrustedBase64 } from '#shared/bytes/base64.ts'
import { compareBytes, joinBytes, NO_BYTES } from '#shared/bytes/bytes.ts'
import { SHA256_BYTES, type NewSha256 } from '#shared/bytes/sha256.ts'
import { AvisoError } from '#shared/errors.ts'
import type { FetchLike } from '#shared/runtime/fetch_like.ts'
import { within } from '#shared/time/deadline.ts'
import type { Clock } from '#shared/time/clock.ts'
import { createCaller, type Caller } from './call.ts'
import type { Endpoint } from './endpoints.ts'
import { judge, readGatewayError, unavailable } from './errors.ts'
import { createHttpTransport } from './http.ts'
import type { GatewayMaintenanceParts } from './maintenance.ts'
import { STATUS_PATH } from './members.ts'
import { openStream, type OpenedStream } from './stream.ts'
import type { MessageStream, Outcome, Transport } from './transport.ts'
import { decodeInteger, decodeRevision, malformed, toObject, type WireObject } from './wire.ts'
import type { SnapshotOptions, StoreBackup, StoreSnapshot } from '../maintenance.ts'
import type { Revision } from '../store.ts'

/** etcd answers with its revision from memory, unless there is no leader. */
const READ_LIMIT_MS = 5_000
/** Longest silence of a member that sends its snapshot: it reads from its disk. */
const SILENCE_MS = 30_000

export interface GatewayBackupParts extends GatewayMaintenanceParts {
  /** For the snapshot, which may take long. */
  readonly watchFetch: FetchLike
  readonly newSha256: NewSha256
}

/** What one snapshot is made with. */
interface Parts {
  readonly caller: Caller
  readonly transport: Transport
  readonly clock: Clock
  readonly newSha256: NewSha256
}

/** A member's snapshot that has begun to arrive. */
interface Begun extends OpenedStream {
  readonly revision: Revision
}

/** Makes the power to copy an etcd. Nothing is asked of it before the first copy. */
export function createGatewayBackup(backup: GatewayBackupParts): StoreBackup {
  const transport = createHttpTransport(backup)
  const caller = createCaller({ ...backup, transport })
  const parts: Parts = { caller, transport, clock: backup.clock, newSha256: backup.newSha256 }
  return {
    snapshot: async (options = {}) => {
      const begun = await begin(parts, options)
      return toSnapshot(parts, begun, options)
    },
  }
}

/** Opens the snapshot of a member that has everything that was acknowledged before. */
async function begin({ caller, transport, clock }: Parts, { signal }: SnapshotOptions): Promise<Begun> {
  const newest = decodeRevision(
    await caller.call({
      path: '/v3/kv/range',
      message: { key: transport.encodeBytes(new Uint8Array([0])), count_only: true, limit: '1' },
      writes: false,
      limitMs: READ_LIMIT_MS,
      signal,
    }),
  )
  const attempt = async (endpoint: Endpoint): Promise<Outcome<Begun>> => {
    const question = { path: STATUS_PATH, message: {}, limitMs: READ_LIMIT_MS, signal }
    const status = await caller.members.ask(endpoint, question)
    if (status.kind !== 'done') return status
    const revision = decodeRevision(status.value)
    // A member that is behind would make a copy without what was just acknowledged.
    if (revision < newest) return { kind: 'not_done', error: unavailable(new Error('The member is behind')) }
    const request = { endpoint: endpoint.url, path: '/v3/maintenance/snapshot', message: {} }
    const opened = await openStream({ transport, clock }, { ...request, token: caller.members.token() }, [
      signal,
      caller.closing,
    ])
    if (opened.kind !== 'done') return opened
    const error = readGatewayError(toObject(opened.value.messages[0]?.['error']))
    if (error === undefined) return { kind: 'done', value: { ...opened.value, revision } }
    opened.value.stream.cancel()
    return judge(error)
  }
  return caller.attempt(attempt, signal)
}

function toSnapshot(parts: Parts, begun: Begun, { onProgress }: SnapshotOptions): StoreSnapshot {
  const { stream, messages, revision } = begun
  const [first] = messages
  const blob = first === undefined ? undefined : blobOf(first)
  if (first === undefined || blob === undefined) {
    stream.cancel()
    throw malformed(new Error('A snapshot without bytes'))
  }
  onProgress?.(1)
  const left = decodeInteger(toObject(first['result'])?.['remaining_bytes'])
  const sizeBytes = Number(left) + blob.length + SHA256_BYTES
  return {
    revision,
    sizeBytes,
    bytes: verified(readBlobs(parts, stream, messages), { ...parts, sizeBytes }),
    release: () => {
      stream.cancel()
      return Promise.resolve()
    },
  }
}

async function* readBlobs(
  { clock }: Parts,
  stream: MessageStream,
  first: readonly WireObject[],
): AsyncGenerator<Uint8Array> {
  const late = (): never => {
    throw unavailable(new Error(`Nothing of the snapshot for ${SILENCE_MS} ms`))
  }
  try {
    let messages: readonly WireObject[] | undefined = first
    while (messages !== undefined) {
      for (const message of messages) yield blobIn(message)
      messages = await within(stream.next(), { clock, ms: SILENCE_MS, late })
    }
  } catch (cause) {
    throw cause instanceof AvisoError ? cause : unavailable(cause)
  } finally {
    stream.cancel()
  }
}

/**
 * Passes a snapshot on, and checks it as `etcdutl snapshot restore` does: its last 32 bytes are the SHA-256 of those before.
 *
 * @throws {AvisoError} `ERR_STORE_PROTOCOL` at its end, where it is cut short or damaged.
 */
async function* verified(
  pieces: AsyncIterable<Uint8Array>,
  { newSha256, sizeBytes }: { readonly newSha256: NewSha256; readonly sizeBytes: number },
): AsyncGenerator<Uint8Array> {
  const sum = newSha256()
  let tail = NO_BYTES
  let passed = 0
  for await (const piece of pieces) {
    if (piece.length === 0) continue
    passed += piece.length
    yield piece
    const known = joinBytes([tail, piece], tail.length + piece.length)
    const end = Math.max(0, known.length - SHA256_BYTES)
    sum.update(known.subarray(0, end))
    tail = known.slice(end)
  }
  if (passed === sizeBytes && compareBytes(sum.digest(), tail) === 0) return
  throw new AvisoError(
    'ERR_STORE_PROTOCOL',
    'The snapshot of the store was cut short or damaged on its way: take another one',
  )
}

function blobIn(message: WireObject): Uint8Array {
  const error = readGatewayError(toObject(message['error']))
  if (error !== undefined) throw judge(error).error
  const blob = blobOf(message)
  if (blob === undefined) throw malformed(new Error('A piece of a snapshot that is none'))
  return blob
}

/** The bytes of a piece; `undefined` where it is none. */
function blobOf(message: WireObject): Uint8Array | undefined {
  const result = toObject(message['result'])
  const blob = result?.['blob']
  return typeof blob === 'string' ? decodeTrustedBase64(blob) : undefined
}
