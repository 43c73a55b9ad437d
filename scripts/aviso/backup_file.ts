/**
 * Tells what a backup file is by its first bytes, and checks the digest of an etcd snapshot.
 *
 * @module
 */

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { SHA256_BYTES } from '#shared/bytes/sha256.ts'
import { ClientError, EXIT_FAILURE, EXIT_USAGE, messageOf } from '#shared/client/client_error.ts'

/** The head of a SQLite database. */
const SQLITE = Buffer.from('SQLite format 3\0', 'latin1')
/** Where the file of etcd's database (bbolt) has its magic number, and the number in little-endian order. */
const BOLT = { offset: 16, magic: Buffer.from('edda0ced', 'hex') }
const HEAD_BYTES = 100
/** Where the head of a SQLite database has the size of its pages (1 stands for 64 KiB), their number, and for which change the number counts. */
const PAGES = { size: 16, change: 24, count: 28, countedAt: 92 }
const LARGEST_PAGE_BYTES = 65_536
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
    if (head.subarray(0, SQLITE.length).equals(SQLITE)) {
      refuseCut(file, head, (await handle.stat()).size)
      return 'embedded'
    }
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

/** @throws {ClientError} for a database that lacks its end, as after a copy that was broken off. One with a log may have it there. */
function refuseCut(file: string, head: Buffer, size: number): void {
  const said = head.readUInt16BE(PAGES.size)
  const pageBytes = said === 1 ? LARGEST_PAGE_BYTES : said
  const isCounted = head.readUInt32BE(PAGES.change) === head.readUInt32BE(PAGES.countedAt)
  const whole = isCounted ? head.readUInt32BE(PAGES.count) * pageBytes : 0
  if (size >= whole || existsSync(`${file}-wal`)) return
  throw new ClientError(
    `${file} is damaged: it has ${size} of ${whole} bytes. Copy it again, or take an older backup`,
    { exitCode: EXIT_FAILURE },
  )
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
