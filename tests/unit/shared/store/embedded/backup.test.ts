import assert from 'node:assert/strict'
import { chmod, copyFile, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, it, type TestContext } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import { END_OF_KEYS, prefixRange, toBytes } from '#shared/bytes/bytes.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import type { DatabaseCopy } from '#shared/runtime/runtime.ts'
import type { StoreBackup } from '#shared/store/maintenance.ts'
import { backupOf } from '#shared/store/open/backup.ts'
import { restoreEmbedded, type Restored } from '#shared/store/open/restore.ts'
import type { KeyValue, Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { createManualClock } from '../../../../support/clock.ts'
import { createMemoryStore } from '../../../../support/memory_store.ts'
import {
  assertUntouched,
  copyFolder,
  DATABASE,
  EPOCH_KEY,
  epochOf,
  fingerprint,
  LOG,
  newFolder,
  open,
  put,
  WITNESS,
} from './files.ts'

const EVERYTHING = { key: new Uint8Array([0]), end: END_OF_KEYS }
const KEYS = 2_000
const COPY = 'aviso.copy'
const LEFT_OUT = 2n ** 30n

async function openFilled(context: TestContext, keys = KEYS) {
  const folder = await newFolder(context)
  const store = await open(folder)
  await put(store, EPOCH_KEY, 'first-epoch')
  for (let index = 0; index < keys; index += 100) {
    const success = Array.from({ length: 100 }, (_, offset) => ({
      kind: 'put' as const,
      key: toBytes(`p/${index + offset}`),
      value: toBytes(`value ${index}`),
    }))
    await store.txn({ compare: [], success })
    await put(store, 'journal', `${index}`)
  }
  await store.txn({ compare: [], success: [{ kind: 'delete', range: { key: toBytes('p/7') } }] })
  const backup = backupOf(store)
  assert.ok(backup !== undefined)
  return { folder, store, backup }
}

/** Writes a backup into a file. */
async function save(backup: StoreBackup, path: string): Promise<bigint> {
  const { bytes, sizeBytes, revision } = await backup.snapshot()
  const pieces: Uint8Array[] = []
  for await (const piece of bytes) pieces.push(piece)
  const whole = Buffer.concat(pieces)
  assert.equal(whole.length, sizeBytes)
  await writeFile(path, whole)
  return revision
}

async function restore(file: string, dataFolder: string): Promise<Restored> {
  const logger = (): void => undefined
  return restoreEmbedded(file, { platform: await detectPlatform(), dataFolder, clock: systemClock, logger })
}

async function allAt(store: Store, revision: bigint): Promise<readonly KeyValue[]> {
  return (await store.range({ ...EVERYTHING, revision })).kvs
}

const without = (kvs: readonly KeyValue[], epoch: Uint8Array): KeyValue[] =>
  kvs.filter(({ key }) => !Buffer.from(key).equals(epoch))

describe('backupOf() and restoreEmbedded()', () => {
  it('copy a store at one revision while it is written, and bring it back with a new epoch', async (context) => {
    const { folder, store, backup } = await openFilled(context)
    const first = (await store.status()).revision
    let isDone = false
    let written = 0
    const saved = save(backup, join(folder, 'saved')).finally(() => {
      isDone = true
    })
    for (; !isDone; written++) await put(store, `p/${written}`, 'written meanwhile')
    const revision = await saved
    assert.equal(revision, first)
    assert.ok(written > 10, `${written} writes while it was copied`)
    const expected = await allAt(store, revision)
    const newest = (await store.status()).revision
    await store.close()
    const { aside, ...restored } = await restore(join(folder, 'saved'), folder)
    assert.deepEqual(restored, { copied: revision, revision: newest + LEFT_OUT })
    assert.deepEqual((await readdir(join(folder, aside))).toSorted(), [DATABASE, WITNESS])
    const again = await open(folder)
    assert.deepEqual(await allAt(again, revision), expected)
    const now = await again.range(EVERYTHING)
    assert.deepEqual(without(now.kvs, EPOCH_KEY), without(expected, EPOCH_KEY))
    assert.notEqual(await epochOf(again), 'first-epoch')
    assert.equal(now.revision, newest + LEFT_OUT)
    const history = []
    for await (const message of again.watch({ ...EVERYTHING, from: 2n })) {
      if (message.kind === 'revision') history.push(message)
      if (message.kind === 'revision' && message.revision === now.revision) break
    }
    assert.equal(history.length, Number(revision))
    await again.compact(now.revision)
    assert.equal((await again.range(prefixRange('p/'))).count, BigInt(KEYS - 1))
    await again.close()
  })

  it('put the copy on the disk piece by piece, and not hundreds of megabytes at its end', async (context) => {
    const host = await detectPlatform()
    let flushes = 0
    const openDatabase: typeof host.openDatabase = async (...parameters) => {
      const database = await host.openDatabase(...parameters)
      const { newCopy } = database
      assert.ok(newCopy !== undefined)
      const counted = (): DatabaseCopy => {
        const copy = newCopy()
        const flush = (): Promise<void> => {
          flushes++
          return copy.flush()
        }
        return { ...copy, flush }
      }
      return { ...database, newCopy: counted }
    }
    const folder = await newFolder(context)
    const store = await open(folder, { platform: { ...host, openDatabase } })
    const value = 'v'.repeat(100_000)
    for (let written = 0; written < 40; written++) await put(store, `p/${written}`, value)
    const backup = backupOf(store)
    assert.ok(backup !== undefined)
    await save(backup, join(folder, 'saved'))
    // 4 MB, and about 1 MiB between two.
    assert.ok(flushes >= 3, `${flushes} times`)
    await store.close()
  })

  it('keep leases, and history from the oldest revision on', async (context) => {
    const { folder, store, backup } = await openFilled(context, 200)
    const lease = await store.grantLease(9_000)
    const leased = { kind: 'put', key: toBytes('leased'), value: toBytes(''), lease } as const
    const { revision } = await store.txn({ compare: [], success: [leased] })
    await store.compact(revision - 1n)
    await save(backup, join(folder, 'saved'))
    await store.close()
    const other = await newFolder(context)
    await restore(join(folder, 'saved'), other)
    const again = await open(other)
    await assert.rejects(again.range({ key: leased.key, revision: revision - 2n }), (error) =>
      isAvisoError(error, 'ERR_HISTORY_COMPACTED'),
    )
    assert.equal((await again.range({ key: leased.key, revision })).kvs[0]?.lease, lease)
    assert.equal(await again.grantLease(60), lease + 1n)
    await again.close()
  })

  it('bring back a plain copy of the files of a store that runs', async (context) => {
    const { folder, store } = await openFilled(context, 200)
    const plain = await copyFolder(folder, join(folder, 'plain'))
    const { revision } = await store.status()
    await store.close()
    assert.equal((await restore(join(plain, DATABASE), folder)).copied, revision)
    const again = await open(folder)
    assert.equal((await again.range(prefixRange('p/'))).count, 199n)
    await again.close()
  })

  it('bring back a store of version 1', async (context) => {
    const folder = await newFolder(context)
    const old = new URL('version_1.sqlite', import.meta.url)
    await copyFile(old, join(folder, 'old'))
    await restore(join(folder, 'old'), folder)
    const store = await open(folder)
    assert.equal((await store.range(prefixRange('/c/'))).count, 10n)
    await store.close()
  })
})

describe('backupOf()', () => {
  it('has none for a store in memory', async () => {
    const store = createMemoryStore({ clock: systemClock })
    assert.equal(backupOf(store), undefined)
    await store.close()
  })

  it('makes one copy at a time, which only its user may read, and leaves nothing behind', async (context) => {
    const { folder, store, backup } = await openFilled(context)
    const shares: number[] = []
    const snapshot = await backup.snapshot({ onProgress: (share) => shares.push(share) })
    assert.equal((await stat(join(folder, COPY))).mode & 0o777, 0o600)
    await assert.rejects(backup.snapshot(), (error) => isAvisoError(error, 'ERR_CONFLICT'))
    assert.ok(shares.length > 10 && shares.every((share, index) => share >= (shares[index - 1] ?? 0)))
    assert.equal(shares.at(-1), 1)
    await snapshot.release()
    await snapshot.release()
    assert.ok(!(await readdir(folder)).includes(COPY))
    for await (const piece of (await backup.snapshot()).bytes) {
      assert.ok(piece.length > 0)
      break
    }
    assert.ok(!(await readdir(folder)).includes(COPY))
    await store.close()
  })

  it('can be given up', async (context) => {
    const { folder, store, backup } = await openFilled(context)
    const stop = new AbortController()
    const onProgress = (share: number): void => {
      if (share > 0.3) stop.abort()
    }
    await assert.rejects(backup.snapshot({ signal: stop.signal, onProgress }), (error) =>
      isAvisoError(error, 'ERR_STORE_UNAVAILABLE'),
    )
    assert.ok(!(await readdir(folder)).includes(COPY))
    await (await backup.snapshot()).release()
    await store.close()
  })

  it('has compaction wait for the copy', async (context) => {
    const { folder, store, backup } = await openFilled(context)
    const saving = save(backup, join(folder, 'saved'))
    const newest = await put(store, 'p/1', 'newer')
    const compacted = store.compact(newest)
    const revision = await saved(saving, compacted)
    await store.close()
    const other = await newFolder(context)
    await restore(join(folder, 'saved'), other)
    const again = await open(other)
    assert.equal((await again.range({ ...prefixRange('p/'), revision })).count, BigInt(KEYS - 1))
    await again.close()
  })

  async function saved(saving: Promise<bigint>, compacted: Promise<void>): Promise<bigint> {
    const [revision] = await Promise.all([saving, compacted])
    return revision
  }

  it('refuses to copy what is damaged', async (context) => {
    const { folder, store } = await openFilled(context, 200)
    await store.close()
    const database = new DatabaseSync(join(folder, DATABASE))
    database.exec(`UPDATE events SET value = x'00' WHERE key = CAST('p/42' AS BLOB)`)
    database.close()
    const damaged = await open(folder)
    const backup = backupOf(damaged)
    await assert.rejects(backup?.snapshot() ?? Promise.resolve(), (error) =>
      isAvisoError(error, 'ERR_STORE_DAMAGED'),
    )
    assert.ok(!(await readdir(folder)).includes(COPY))
    await damaged.close()
  })
})

describe('restoreEmbedded()', () => {
  /** A folder with a backup of an open store. */
  async function withBackup(context: TestContext) {
    const opened = await openFilled(context, 200)
    const file = join(opened.folder, 'saved')
    await save(opened.backup, file)
    return { ...opened, file }
  }

  it('refuses while a process has the store open', async (context) => {
    const { folder, store, file } = await withBackup(context)
    await assertUntouched(folder, () => restore(file, folder), /in use by another process: stop it first/)
    await put(store, 'p/after')
    await store.close()
  })

  it('refuses what is no whole backup, and leaves everything as it was', async (context) => {
    const { folder, store, file } = await withBackup(context)
    await store.close()
    const bad = async (name: string, change: (bytes: Buffer) => Uint8Array): Promise<string> => {
      const path = join(folder, name)
      await writeFile(path, change(await readFile(file)))
      return path
    }
    const foreign = join(folder, 'foreign')
    const theirs = new DatabaseSync(foreign)
    theirs.exec('CREATE TABLE theirs (a)')
    theirs.close()
    const empty = await bad('empty', () => new Uint8Array(0))
    const flipped = await bad('flipped', (bytes) => {
      // Each place, because SQLite leaves old bytes where it moved a row away.
      for (let at = bytes.indexOf('value 100'); at >= 0; at = bytes.indexOf('value 100', at)) bytes[at] = 0x56
      return bytes
    })
    const cases: [string, RegExp][] = [
      [join(folder, 'absent'), /There is no file/],
      [join(folder, DATABASE), /is the database itself/],
      [await bad('garbage', () => Buffer.from('no database '.repeat(1_000))), /is damaged, or no store/],
      [await bad('short', (bytes) => bytes.subarray(0, 8_192)), /is damaged, or no store/],
      [foreign, /is damaged, or no store/],
      [empty, /holds no store/],
      [flipped, /The backup is damaged: it does not agree with its checksum at .*Take an older backup/],
    ]
    for (const [path, message] of cases) await assertUntouched(folder, () => restore(path, folder), message)
    const again = await open(folder)
    assert.equal(await epochOf(again), 'first-epoch')
    await again.close()
  })

  it('leaves everything as it was where it cannot put the copy in place', async (context) => {
    const { folder, store, file } = await withBackup(context)
    const crashed = await copyFolder(folder, join(folder, 'crashed'))
    await store.close()
    const clock = createManualClock()
    const name = `replaced-${new Date(clock.now()).toISOString().replaceAll(/[:.]/g, '-')}`
    await mkdir(join(crashed, name))
    const platform = await detectPlatform()
    const parts = { platform, dataFolder: crashed, clock, logger: () => undefined }
    await assertUntouched(crashed, () => restoreEmbedded(file, parts), /could not be put in place/)
  })

  it('moves a crashed store aside with its log, whole', async (context) => {
    const { folder, store, file } = await withBackup(context)
    await put(store, 'p/late')
    const crashed = await copyFolder(folder, join(folder, 'crashed'))
    const newest = (await store.status()).revision
    await store.close()
    const before = await fingerprint(crashed)
    const { aside, revision } = await restore(file, crashed)
    assert.equal(revision, newest + LEFT_OUT)
    const moved = await fingerprint(join(crashed, aside))
    for (const name of [DATABASE, LOG, WITNESS]) assert.equal(moved[name], before[name], name)
    const again = await open(crashed)
    assert.equal((await again.range({ key: toBytes('p/late') })).count, 0n)
    await again.close()
    const old = await open(join(crashed, aside))
    assert.equal((await old.range({ key: toBytes('p/late') })).count, 1n)
    await old.close()
  })

  it('replaces a store that cannot be read any more, and leaves out what it gave out', async (context) => {
    const { folder, store, file } = await withBackup(context)
    const newest = await put(store, 'p/late')
    await store.close()
    await writeFile(join(folder, DATABASE), 'no database '.repeat(1_000))
    await assert.rejects(open(folder), /damaged or no database/)
    assert.equal((await restore(file, folder)).revision, newest + LEFT_OUT)
    await (await open(folder)).close()
  })
})

describe('openStore() permissions', () => {
  it('keeps its folder and files from others, and takes rights away that they have', async (context) => {
    const folder = join(await newFolder(context), 'data')
    const store = await open(folder)
    await put(store, 'a')
    const modes = async (): Promise<Record<string, string>> => {
      const found: Record<string, string> = { folder: ((await stat(folder)).mode & 0o777).toString(8) }
      for (const name of await readdir(folder))
        found[name] = ((await stat(join(folder, name))).mode & 0o777).toString(8)
      return found
    }
    const expected = { folder: '700', [DATABASE]: '600', [LOG]: '600', [WITNESS]: '600' }
    assert.deepEqual(await modes(), expected)
    const crashed = await copyFolder(folder, join(folder, '..', 'crashed'))
    await store.close()
    for (const name of [DATABASE, LOG, WITNESS]) await chmod(join(crashed, name), 0o644)
    await chmod(crashed, 0o755)
    const again = await open(crashed)
    await put(again, 'b')
    for (const name of [DATABASE, LOG, WITNESS])
      assert.equal((await stat(join(crashed, name))).mode & 0o777, 0o600, name)
    assert.equal((await stat(crashed)).mode & 0o777, 0o700)
    await again.close()
  })
})
