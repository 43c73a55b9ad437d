/**
 * Keeps notifications that a listener has passed over, because its triggers can never handle them: one JSON line each, in a file beside the
 * listener's position.
 *
 * Flow: trigger → **dead letters** → position
 *
 * @module
 */

import { open, rename, stat } from 'node:fs/promises'
import { ClientError, EXIT_FAILURE, messageOf } from '#shared/client/client_error.ts'
import type { ReceivedNotification } from '#shared/client/notification.ts'
import { exactJsonText } from '#shared/json/strict_json.ts'

/** Why a notification was passed over. */
export interface DeadLetter {
  readonly notification: ReceivedNotification
  /** Type of the trigger that failed. */
  readonly trigger: string
  readonly reason: string
  /** Milliseconds since 1970. */
  readonly at: number
}

/** Longest file, so that a listener that passes everything over cannot fill the disk: some 100 of the longest notifications. */
export const MAX_DEAD_LETTER_BYTES = 16 * 1024 * 1024

/**
 * Appends a line. A file that would get too long is first renamed to `PATH.1`, which replaces an older one.
 *
 * @returns whether an older file was replaced, so that its notifications are lost.
 * @throws {ClientError} when it cannot be written, because then the position must not move on.
 */
export async function keepDeadLetter(
  path: string,
  { notification, trigger, reason, at }: DeadLetter,
  mostBytes = MAX_DEAD_LETTER_BYTES,
): Promise<{ readonly hasDropped: boolean }> {
  const { id, source, event, request, payload = null } = notification
  const head = JSON.stringify({
    time: new Date(at).toISOString(),
    id,
    source,
    trigger,
    reason,
    event,
    request,
  })
  const line = `${head.slice(0, -1)},"payload":${exactJsonText(payload)}}\n`
  try {
    const hasDropped = await makeRoom(path, Buffer.byteLength(line), mostBytes)
    const file = await open(path, 'a', 0o600)
    try {
      await file.writeFile(line)
      await file.sync()
    } finally {
      await file.close()
    }
    return { hasDropped }
  } catch (cause) {
    throw new ClientError(
      `Notification ${id} cannot be handled, and cannot be kept in ${path}: ${messageOf(cause)}. It is handled again at the next start`,
      { exitCode: EXIT_FAILURE, cause },
    )
  }
}

async function makeRoom(path: string, bytes: number, mostBytes: number): Promise<boolean> {
  const size = await sizeOf(path)
  if (size === 0 || size + bytes <= mostBytes) return false
  const older = `${path}.1`
  const hasDropped = (await sizeOf(older)) > 0
  await rename(path, older)
  return hasDropped
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0
    throw error
  }
}
