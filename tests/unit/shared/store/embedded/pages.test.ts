/** Pages of the database's file that SQLite cannot read: who is told what, and who is served. */

import assert from 'node:assert/strict'
import { open as openFile, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { isAvisoError, type AvisoError } from '#shared/errors.ts'
import { prefixRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { openSqlite } from '#shared/runtime/sqlite.ts'
import { openEmbeddedStore } from '#shared/store/embedded/store.ts'
import { restoreEmbedded } from '#shared/store/open/restore.ts'
import type { RangeRequest, StoreOperation } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { DATABASE, newFolder, open } from './files.ts'

const PAGE_BYTES = 4_096
/** First byte of a page: what it is a leaf of. */
const LEAF = { table: 0x0d, index: 0x0a } as const
const EVENTS = ['flight', 'mars', 'wave']
const REVISIONS = 300

const keyOf = (event: string, index: number): string => `/tmp/${event}/${String(index).padStart(4, '0')}`
const put = (key: string, value = 'x'.repeat(150)): StoreOperation => ({
  kind: 'put',
  key: toBytes(key),
  value: toBytes(value),
})

const putNew = (key: string): StoreOperation => put(key, 'new')

/** An open store of three event types, of which the page that holds a text is destroyed on disk. */
async function openDamaged(context: TestContext, leaf: keyof typeof LEAF, text: string) {
  const folder = await newFolder(context)
  const path = join(folder, DATABASE)
  const database = openSqlite(path)
  const lines: string[] = []
  const store = openEmbeddedStore(database, {
    clock: systemClock,
    logger: (level, message, fields) => lines.push(`${level} ${message} ${String(fields?.['reason'])}`),
  })
  context.after(() => store.close())
  for (let index = 0; index < REVISIONS; index++)
    await store.txn({ compare: [], success: EVENTS.map((event) => put(keyOf(event, index))) })
  // What is read from now on comes from the file.
  database.all('PRAGMA wal_checkpoint(TRUNCATE)')
  database.all('PRAGMA shrink_memory')
  const bytes = await readFile(path)
  const page = pagesOf(bytes).find((page) => page[0] === LEAF[leaf] && page.includes(text))
  assert.ok(page !== undefined, `a page has ${text}`)
  const file = await openFile(path, 'r+')
  await file.write(new Uint8Array(16).fill(0xff), 0, 16, page.byteOffset - bytes.byteOffset)
  await file.close()
  const put1 = (key: string): Promise<unknown> => store.txn({ compare: [], success: [putNew(key)] })
  return { folder, store, lines, put: put1 }
}

function pagesOf(bytes: Buffer): readonly Buffer[] {
  return Array.from({ length: bytes.length / PAGE_BYTES }, (_, page) =>
    bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES),
  )
}

async function damageOf(call: Promise<unknown>): Promise<AvisoError> {
  const error = await call.then(
    () => undefined,
    (error: unknown) => error,
  )
  assert.ok(isAvisoError(error, 'ERR_STORE_DAMAGED'), String(error))
  return error
}

describe('openEmbeddedStore() with a damaged page of events', () => {
  const LOST = keyOf('mars', 150)
  const MESSAGE =
    /^The embedded store cannot read "(\/tmp\/\w+\/\d+)" of revision (\d+): a page of its file is damaged, and with it some or all of what was written at revisions (\d+) to (\d+), of any event type\. The rest is served\. Restore a backup with "aviso admin restore FILE", or start once with --accept-loss$/

  it('names the key, what is lost beside it, and the remedy, for a key and for a range', async (context) => {
    const { store, lines } = await openDamaged(context, 'table', LOST)
    const single = await damageOf(store.range({ key: toBytes(LOST) }))
    const [, key, revision, first, last] = MESSAGE.exec(single.message) ?? []
    assert.deepEqual([key, revision], [LOST, '152'], single.message)
    assert.deepEqual(single.details, { damaged_key: LOST, damaged_revision: '152' })
    assert.ok(Number(first) <= 152 && 152 <= Number(last) && Number(last) - Number(first) < 15)
    assert.match(lines.join('\n'), /error The store is damaged .*"\/tmp\/mars\/0150" of revision 152/)
    for (const event of EVENTS) {
      const ranged = await damageOf(store.range(prefixRange(`/tmp/${event}/`)))
      const [, key = '', revision, ...span] = MESSAGE.exec(ranged.message) ?? []
      assert.ok(key.startsWith(`/tmp/${event}/`), ranged.message)
      assert.ok(Number(revision) >= Number(first) && Number(revision) <= Number(last))
      assert.deepEqual(span, [first, last])
    }
    // What it says is lost, and nothing else.
    const readable: number[] = []
    for (let index = 0; index < REVISIONS; index++) {
      const keys = EVENTS.map((event) => ({ key: toBytes(keyOf(event, index)) }))
      const read = await Promise.allSettled(keys.map((range) => store.range(range)))
      if (read.every(({ status }) => status === 'fulfilled')) readable.push(index + 2)
    }
    const isLost = (revision: number): boolean => revision >= Number(first) && revision <= Number(last)
    const all = Array.from({ length: REVISIONS }, (_, index) => index + 2)
    for (const revision of all.filter((one) => !isLost(one))) assert.ok(readable.includes(revision))
    assert.ok(all.filter(isLost).filter((revision) => readable.includes(revision)).length <= 1)
  })

  it('serves what does not lie there, and counts, and is written', async (context) => {
    const { store, put } = await openDamaged(context, 'table', LOST)
    const requests: RangeRequest[] = [
      { ...prefixRange('/tmp/mars/'), countOnly: true },
      { ...prefixRange('/tmp/mars/'), limit: 10 },
      { ...prefixRange('/tmp/mars/'), limit: 10, sortTarget: 'KEY', sortOrder: 'DESCEND' },
      { ...prefixRange('/tmp/mars/'), minModRevision: 250n },
    ]
    for (const request of requests) assert.equal((await store.range(request)).count, BigInt(REVISIONS))
    await put(keyOf('mars', 1))
    await put(keyOf('new', 1))
    assert.equal((await store.range({ key: toBytes(keyOf('mars', 1)) })).kvs[0]?.version, 2n)
  })

  it('stops only the writes that need it, of those that are committed together', async (context) => {
    const { store, put } = await openDamaged(context, 'table', LOST)
    const [before, lost, after] = await Promise.allSettled([
      put(keyOf('flight', 1)),
      put(LOST),
      put(keyOf('wave', 1)),
    ])
    assert.deepEqual([before.status, lost.status, after.status], ['fulfilled', 'rejected', 'fulfilled'])
    assert.match((await damageOf(put(LOST))).message, MESSAGE)
    const parts = [keyOf('wave', 2), LOST].map((key) => ({ compare: [], success: [putNew(key)] }))
    assert.match((await damageOf(store.txn({ compare: [], success: [], parts }))).message, MESSAGE)
    assert.equal((await store.range({ key: toBytes(keyOf('wave', 1)) })).kvs[0]?.version, 2n)
  })

  it('names what lies there when a backup is asked for, and makes none', async (context) => {
    const { folder, store, lines } = await openDamaged(context, 'table', LOST)
    assert.ok(store.snapshot !== undefined)
    const { message, details } = await damageOf(store.snapshot())
    const [, key = '', others = '', first = '', last = ''] =
      /^The store cannot be copied, because its file is damaged: "(\/tmp\/\w+\/\d+)" of revision \d+ cannot be read, nor (\d+) other events, at revisions (\d+) to (\d+)\. Restore a backup with "aviso admin restore FILE", or start once with --accept-loss$/.exec(
        message,
      ) ?? []
    assert.deepEqual(details, { damaged_key: key, damaged_revision: first }, message)
    assert.ok(Number(first) <= 152 && 152 <= Number(last) && Number(others) < 45)
    assert.ok(lines.some((line) => line.includes(message)))
    assert.ok(!(await readdir(folder)).includes('aviso.copy'))
  })

  it('undoes a transaction that reads it, and no other', async (context) => {
    const { store } = await openDamaged(context, 'table', LOST)
    const { revision } = await store.status()
    const read: StoreOperation = { kind: 'range', range: { key: toBytes(LOST) } }
    const [reads, writes, other] = await Promise.allSettled([
      store.txn({ compare: [], success: [read, put('half')] }),
      store.txn({ compare: [], success: [put('half'), read] }),
      store.txn({ compare: [], success: [put('whole')] }),
    ])
    for (const refused of [reads, writes]) {
      assert.ok(refused.status === 'rejected')
      assert.match((await damageOf(Promise.reject(refused.reason))).message, MESSAGE)
    }
    assert.equal(other.status, 'fulfilled')
    assert.equal((await store.range({ key: toBytes('half') })).count, 0n)
    assert.equal((await store.range({ key: toBytes('whole') })).kvs[0]?.modRevision, revision + 1n)
  })
})

describe('openEmbeddedStore() with a damaged page of its index', () => {
  it('names the range, and a backup that is restored has everything', async (context) => {
    const { folder, store, put } = await openDamaged(context, 'index', keyOf('mars', 150))
    const whole = await store.range(prefixRange('/tmp/flight/'))
    assert.equal(whole.kvs.length, REVISIONS)
    const { message } = await damageOf(store.range(prefixRange('/tmp/mars/')))
    assert.match(
      message,
      /^A page of the embedded store's index is damaged, and the keys from "\/tmp\/mars\/\d*" to "\/tmp\/mars0" cannot be found\. Nothing that is stored is lost: make a backup now with "aviso admin backup FILE", stop the service, and restore that backup/,
    )
    assert.match(
      (await damageOf(put(keyOf('mars', 150)))).message,
      /, and "\/tmp\/mars\/0150" cannot be found/,
    )
    assert.ok(store.snapshot !== undefined)
    const pieces: Uint8Array[] = []
    for await (const piece of (await store.snapshot()).bytes) pieces.push(piece)
    const [file, dataFolder] = [join(folder, 'saved'), await newFolder(context)]
    await writeFile(file, Buffer.concat(pieces))
    const logger = (): void => undefined
    await restoreEmbedded(file, { platform: await detectPlatform(), dataFolder, clock: systemClock, logger })
    const again = await open(dataFolder)
    for (const event of EVENTS) {
      const { kvs } = await again.range(prefixRange(`/tmp/${event}/`))
      assert.equal(kvs.length, REVISIONS)
      assert.equal(toText(kvs[150]?.key ?? new Uint8Array()), keyOf(event, 150))
    }
    await again.close()
  })
})
