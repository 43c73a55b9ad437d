/**
 * Tells what a backup file is by its first bytes, and checks the digest of an etcd snapshot.
 *
 * @module
 */

import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { SHA256_BYTES } from '#shared/bytes/sha256.ts'
import { ClientError, EXIT_FAILURE, EXIT_USAGE, messageOf } from '#shared/client/client_error.ts'

/** The head of a SQLite database. */
const SQLITE = Buffer.from('SQLite format 3\0', 'latin1')
/** Where the file of etcd's database (bbolt) has its magic number, and the number in little-endian order. */
const BOLT = { offset: 16, magic: Buffer.from('edda0ced', 'hex') }
const HEAD_BYTES = 32
/** Pages of a database are multiples of this; a digest behind them is not. */
const SECTOR_BYTES = 512

export type BackupKind = 'embedded' | 'etcd'

/** @throws {ClientError} for a file that is neither, or is damaged. */
export async function examineBackup(file: string): Promise<BackupKind> {
  const handle = await open(file, 'r').catch((cause: unknown) => {
    throw new ClientError(`Cannot read ${file}: ${messageOf(cause)}`, { exitCode: EXIT_USAGE, cause })
  })
  try {
    const head = Buffer.alloc(HEAD_BYTES)
    await handle.read(head, 0, HEAD_BYTES, 0).catch(() => undefined)
    if (head.subarray(0, SQLITE.length).equals(SQLITE)) return 'embedded'
    if (!head.subarray(BOLT.offset, BOLT.offset + BOLT.magic.length).equals(BOLT.magic))
      throw new ClientError(
        `${file} is no backup of a store: name a file that "aviso admin backup" or "etcdctl snapshot save" wrote`,
        { exitCode: EXIT_USAGE },
      )
  } finally {
    await handle.close()
  }
  await verifySnapshot(file)
  return 'etcd'
}

/** Checks that the last 32 bytes are the SHA-256 of those before. A copy of a member's own file has no such bytes. */
async function verifySnapshot(file: string): Promise<void> {
  const handle = await open(file, 'r')
  try {
    const { size } = await handle.stat()
    if (size % SECTOR_BYTES !== SHA256_BYTES)
      throw new ClientError(
        `${file} has no digest at its end: it is cut short, or a copy of a member's file. Take another snapshot, or restore it by hand with --skip-hash-check`,
        { exitCode: EXIT_FAILURE },
      )
    const sum = createHash('sha256')
    for await (const piece of handle.createReadStream({
      start: 0,
      end: size - SHA256_BYTES - 1,
      autoClose: false,
    }))
      sum.update(piece as Buffer)
    const told = Buffer.alloc(SHA256_BYTES)
    await handle.read(told, 0, SHA256_BYTES, size - SHA256_BYTES)
    if (!sum.digest().equals(told))
      throw new ClientError(`${file} is damaged: it does not agree with its digest. Take an older backup`, {
        exitCode: EXIT_FAILURE,
      })
  } finally {
    await handle.close()
  }
}
