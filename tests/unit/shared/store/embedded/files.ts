/**
 * Data folders of the embedded store, as a crash or an operator leaves them.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import type { StoreBackup } from '#shared/store/maintenance.ts'
import { openStore } from '#shared/store/open/open.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'

export const DATABASE = 'aviso.sqlite'
export const LOG = 'aviso.sqlite-wal'
export const WITNESS = 'aviso.witness'
export const EPOCH_KEY = toBytes('/_aviso/epoch')

/** A folder that is removed after the test. */
export async function newFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-files-'))
  context.after(() => rm(folder, { recursive: true }))
  return folder
}

/** Opens the store in a folder as the launcher does. */
export async function open(
  dataFolder: string,
  options: {
    readonly acceptLoss?: boolean
    readonly lines?: string[]
    readonly platform?: Awaited<ReturnType<typeof detectPlatform>>
  } = {},
): Promise<Store & Partial<StoreBackup>> {
  const { acceptLoss = false, lines = [], platform = await detectPlatform() } = options
  return openStore('embedded:', {
    platform,
    dataFolder,
    clock: systemClock,
    logger: (level, message, fields) => lines.push(`${level} ${message} ${JSON.stringify(fields, toJson)}`),
    acceptLoss,
  })
}

function toJson(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}

export async function put(store: Store, key: string | Uint8Array, value = 'v'): Promise<bigint> {
  const bytes = typeof key === 'string' ? toBytes(key) : key
  const { revision } = await store.txn({
    compare: [],
    success: [{ kind: 'put', key: bytes, value: toBytes(value) }],
  })
  return revision
}

export async function epochOf(store: Store): Promise<string | undefined> {
  const [kv] = (await store.range({ key: EPOCH_KEY })).kvs
  return kv && toText(kv.value)
}

/** Copies the files of a folder as they are, those of an open store too: what a killed process leaves. */
export async function copyFolder(from: string, to: string): Promise<string> {
  await mkdir(to, { recursive: true })
  for (const name of await readdir(from)) {
    const path = join(from, name)
    if ((await stat(path)).isFile()) await copyFile(path, join(to, name))
  }
  return to
}

/** Names and contents of a folder's files. */
export async function fingerprint(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const name of (await readdir(folder)).toSorted()) {
    const path = join(folder, name)
    if ((await stat(path)).isFile())
      found[name] = createHash('sha256')
        .update(await readFile(path))
        .digest('hex')
  }
  return found
}

/** Asserts that a call is refused, and that the files of a folder are as before. */
export async function assertUntouched(
  folder: string,
  call: () => Promise<unknown>,
  message: RegExp,
): Promise<void> {
  const before = await fingerprint(folder)
  await assert.rejects(call(), (error) => {
    assert.match(String(error), message)
    return true
  })
  assert.deepEqual(await fingerprint(folder), before)
}
