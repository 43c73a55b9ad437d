/**
 * The command `aviso admin backup`: receives a copy of the service's store into a file. The file gets its name only when it is whole,
 * verified and on disk.
 *
 * @module
 */

import { createHash } from 'node:crypto'
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { call } from '#shared/client/call.ts'
import { ClientError, EXIT_FAILURE, EXIT_USAGE, messageOf, reasonOf } from '#shared/client/client_error.ts'
import { readAnswer } from '#shared/client/connection.ts'
import { BACKUP_MEDIA_TYPE, readFrames } from '#shared/http/framed_body.ts'
import { isJsonRecord, type JsonRecord } from '#shared/json/record.ts'
import { within } from '#shared/time/deadline.ts'
import type { CommandContext } from './context.ts'
import { percent, sizeText } from './figures.ts'

const PATH = '/api/v1/admin/backup'
/** Longest silence. The service sends a line every two seconds while it copies; etcd may pause for half a minute while it reads. */
const SILENCE_MS = 60_000
/** Only this user may read a backup: it holds every notification. */
const FILE_MODE = 0o600
/** Attempts to tell the service that the backup is there. */
const ATTEMPTS = 3

/** Flags of the command. */
export interface BackupFlags {
  readonly force?: boolean
  readonly json?: boolean
}

/** What the service says about a whole copy. */
interface BackupEnd {
  readonly at: string
  readonly revision: string
  readonly sizeBytes: number
  readonly sha256: string
}

/** Makes a backup. @throws {ClientError} when it is not whole; nothing then stands under the file's name. */
export async function backUp(file: string, flags: BackupFlags, context: CommandContext): Promise<void> {
  const { clock, output } = context
  const began = clock.monotonic()
  await refuseFile(file, flags)
  const part = `${file}.part`
  const abort = new AbortController()
  const response = await request(context, abort.signal)
  let end: BackupEnd
  try {
    end = await receive(response, part, context)
    await refuseFile(file, flags)
    await rename(part, file)
    await syncFolder(file)
  } catch (cause) {
    await rm(part, { force: true })
    throw cause instanceof ClientError ? cause : failed(messageOf(cause), cause)
  } finally {
    abort.abort()
  }
  output.clearStatus()
  const { at, revision, sizeBytes, sha256 } = end
  const seconds = Number(((clock.monotonic() - began) / 1_000).toFixed(3))
  const recorded = await record(sha256, context)
  const report = { file, at, revision, size_bytes: sizeBytes, sha256, seconds, recorded }
  output.result(
    flags.json === true
      ? JSON.stringify(report, undefined, 2)
      : `Backup of revision ${revision}: ${file}, ${sizeText(sizeBytes)} in ${seconds.toFixed(1)} s`,
  )
}

async function refuseFile(file: string, { force }: BackupFlags): Promise<void> {
  const found = await stat(file).catch(() => undefined)
  if (found?.isDirectory() === true) throw wrong(`${file} is a folder: name a file`)
  if (found !== undefined && force !== true)
    throw wrong(`${file} exists already: name another file, or give --force to replace it`)
  const folder = await stat(dirname(file)).catch(() => undefined)
  if (folder?.isDirectory() !== true) throw wrong(`There is no folder ${dirname(file)}: make it first`)
}

async function request(context: CommandContext, signal: AbortSignal): Promise<Response> {
  const { config, credentials, stop } = context
  const response = await context
    .fetch(config.baseUrl + PATH, {
      method: 'POST',
      headers: { Accept: `${BACKUP_MEDIA_TYPE}, application/json`, ...credentials.headers() },
      signal: AbortSignal.any([stop, signal]),
    })
    .catch((cause: unknown) => {
      throw failed(`Unable to connect to ${config.baseUrl}: ${reasonOf(cause)}`, cause)
    })
  if (response.headers.get('content-type') === BACKUP_MEDIA_TYPE) return response
  const { message } = await readAnswer(response)
  const said = typeof message === 'string' ? message : 'no reason given'
  const { status } = response
  throw new ClientError(`No backup was made, status ${status}: ${said}`, { exitCode: EXIT_FAILURE, status })
}

/** Writes what arrives, and returns when it is whole and on disk. @throws {Error} when it is not. */
async function receive(response: Response, part: string, context: CommandContext): Promise<BackupEnd> {
  // What an earlier run left there, in the way of `wx`, which follows no link.
  await rm(part, { force: true })
  const target = await open(part, 'wx', FILE_MODE)
  try {
    const end = await write(response, target, context)
    await target.sync()
    return end
  } finally {
    await target.close()
  }
}

async function write(response: Response, target: FileHandle, context: CommandContext): Promise<BackupEnd> {
  const { output } = context
  const sum = createHash('sha256')
  let written = 0
  let wanted = 0
  for await (const frame of readFrames(pieces(response, context))) {
    if (frame.kind === 'bytes') {
      sum.update(frame.bytes)
      await writeAll(target, frame.bytes)
      written += frame.bytes.length
      output.status(`${sizeText(written)} of ${sizeText(wanted)}${percent(written, wanted)}`)
      continue
    }
    const { progress, snapshot, error, end } = frame.line
    if (isJsonRecord(progress)) output.status(`copying${percent(Number(progress['copied']), 1)}`)
    if (isJsonRecord(snapshot)) wanted = Number(snapshot['size_bytes'])
    if (isJsonRecord(error)) throw failed(`The backup was not completed: ${String(error['message'])}`)
    if (isJsonRecord(end)) return verify(end, { written, wanted, sha256: sum.digest('hex') })
  }
  throw failed('The connection ended before the backup: nothing was kept, begin it again')
}

/** @throws {ClientError} for bytes that are not those the service has sent. */
function verify(
  end: JsonRecord,
  { written, wanted, sha256 }: { readonly written: number; readonly wanted: number; readonly sha256: string },
): BackupEnd {
  const { at, revision } = end
  const isWhole =
    end['size_bytes'] === written && wanted === written && end['sha256'] === sha256 && written > 0
  if (!isWhole) throw failed('The backup was damaged on its way: nothing was kept, begin it again')
  return { at: String(at), revision: String(revision), sizeBytes: written, sha256 }
}

async function writeAll(target: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0
  while (done < bytes.length) done += (await target.write(bytes, done)).bytesWritten
}

async function* pieces(response: Response, { clock }: CommandContext): AsyncGenerator<Uint8Array> {
  if (response.body === null) return
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader()
  const late = (): never => {
    throw new Error(`nothing heard for ${SILENCE_MS / 1000} s`)
  }
  try {
    for (;;) {
      const { done, value } = await within(reader.read(), { clock, ms: SILENCE_MS, late })
      if (done) return
      yield value
    }
  } catch (cause) {
    throw failed(`Connection lost: ${reasonOf(cause)}; nothing was kept, begin it again`, cause)
  } finally {
    reader.cancel().catch(() => undefined)
  }
}

/** The name of the file is on disk, too. */
async function syncFolder(file: string): Promise<void> {
  const folder = await open(dirname(file), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Tells the service that the backup is there, for its metric. The backup is as good without it. */
async function record(sha256: string, context: CommandContext): Promise<boolean> {
  try {
    await call(context, {
      path: `${PATH}/done`,
      method: 'POST',
      contentType: 'application/json',
      body: JSON.stringify({ sha256 }),
      attempts: ATTEMPTS,
      failure: 'The backup is whole, but the service does not count it',
    })
    return true
  } catch (error) {
    context.output.log('WARNING', messageOf(error))
    return false
  }
}

function wrong(message: string): ClientError {
  return new ClientError(message, { exitCode: EXIT_USAGE })
}

function failed(message: string, cause?: unknown): ClientError {
  return new ClientError(message, { exitCode: EXIT_FAILURE, cause })
}
