/** A closed store of which pages are damaged: what its start says, and what `--accept-loss` keeps. */

import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { createDice } from '../../../../support/dice.ts'
import { isAvisoError } from '#shared/errors.ts'
import { prefixRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import { openSqlite } from '#shared/runtime/sqlite.ts'
import type { Revision, Store, StoreOperation } from '#shared/store/store.ts'
import { assertUntouched, copyFolder, DATABASE, EPOCH_KEY, epochOf, newFolder, open, put } from './files.ts'

const PAGE_BYTES = 4_096
const [TABLE_LEAF, TABLE_INTERIOR, INDEX_LEAF] = [0x0d, 0x05, 0x0a]
const WRITES = 150
const LEFT_OUT = 2n ** 30n
const EVENTS = ['flight', 'mars', 'wave']
/** The deletion, and the value that it deletes, lie on different pages. */
const [DELETED, DELETED_BY] = [20, 100]

const keyOf = (event: string, index: number): string => `/tmp/${event}/${String(index).padStart(4, '0')}`
const valueOf = (key: string): string => `${key}=${'x'.repeat(150)}`
const SMALL = '/tmp/small'
const LARGE = '/tmp/large'
const LEASED = '/tmp/leased'
/** Keys of one revision: more than a page holds. */
const MANY = 60

/** What was written, in order. */
interface Written {
  readonly key: string
  readonly revision: Revision
  readonly value: string | undefined
}

/** A closed store. */
interface Base {
  readonly folder: string
  readonly written: readonly Written[]
  readonly newest: Revision
}

async function writeBase(folder: string): Promise<Base> {
  const store = await open(folder)
  const written: Written[] = []
  const write = async (values: Readonly<Record<string, string | undefined>>): Promise<void> => {
    const success = Object.entries(values).map(([name, value]): StoreOperation => {
      const key = toBytes(name)
      return value === undefined
        ? { kind: 'delete', range: { key } }
        : { kind: 'put', key, value: toBytes(value) }
    })
    const { revision } = await store.txn({ compare: [], success })
    for (const [key, value] of Object.entries(values)) written.push({ key, revision, value })
  }
  await write({ [toText(EPOCH_KEY)]: 'first-epoch' })
  for (let index = 0; index < WRITES; index++) {
    const puts = EVENTS.map((event) => [keyOf(event, index), valueOf(keyOf(event, index))])
    await write({
      ...Object.fromEntries(puts),
      [SMALL]: `small ${index}`,
      ...(index === DELETED_BY && { [keyOf('wave', DELETED)]: undefined }),
    })
  }
  const many = Array.from({ length: MANY }, (_, index) => keyOf('many', index))
  await write(Object.fromEntries(many.map((key) => [key, valueOf(key)])))
  await write({ [LARGE]: 'y'.repeat(20_000) })
  const lease = await store.grantLease(3_600)
  const value = 'for an hour'
  const leased = { kind: 'put', key: toBytes(LEASED), value: toBytes(value), lease } as const
  const { revision: newest } = await store.txn({ compare: [], success: [leased] })
  written.push({ key: LEASED, revision: newest, value })
  await store.close()
  return { folder, written, newest }
}

const pagesOf = (bytes: Buffer): readonly Buffer[] =>
  Array.from({ length: bytes.length / PAGE_BYTES }, (_, page) =>
    bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES),
  )

/** Which page. */
type Choose = (page: Buffer, number: number, all: readonly Buffer[]) => boolean
const tablePage =
  (text: string): Choose =>
  (page) =>
    page[0] === TABLE_LEAF && page.includes(`${text}=`)
const indexPage =
  (text: string): Choose =>
  (page) =>
    page[0] === INDEX_LEAF && page.includes(text)

/** What a store has now: its keys, and their values. */
async function contentsOf(store: Store): Promise<ReadonlyMap<string, string>> {
  const { kvs } = await store.range(prefixRange('/tmp/'))
  return new Map(kvs.map(({ key, value }) => [toText(key), toText(value)]))
}

/** What a store should have, of what was written and is not lost. */
function expectedOf(written: readonly Written[], isLost: (event: Written) => boolean): Map<string, string> {
  const expected = new Map<string, string>()
  for (const event of written) {
    if (!event.key.startsWith('/tmp/')) continue
    // A deletion stays one.
    if (event.value === undefined) expected.delete(event.key)
    else if (!isLost(event)) expected.set(event.key, event.value)
  }
  return expected
}

/** Revisions that a stream from one on gets; `gone` where history begins later. */
async function historyFrom(
  store: Store,
  from: Revision,
  last: Revision,
): Promise<readonly Revision[] | 'gone'> {
  const seen: Revision[] = []
  try {
    for await (const message of store.watch({ ...prefixRange('/'), from })) {
      if (message.kind !== 'revision') continue
      seen.push(message.revision)
      if (message.revision >= last) break
    }
  } catch (error) {
    if (isAvisoError(error, 'ERR_HISTORY_COMPACTED')) return 'gone'
    throw error
  }
  return seen
}

function assertWhole(folder: string): void {
  const database = openSqlite(join(folder, DATABASE))
  assert.deepEqual(
    database.all('PRAGMA integrity_check').map((row) => row['integrity_check']),
    ['ok'],
  )
  database.close()
}

/** The first page of a table, counted from 1. */
function rootOf(folder: string, table: string): number {
  const database = openSqlite(join(folder, DATABASE))
  const [row] = database.all('SELECT rootpage FROM sqlite_master WHERE name = ?', table)
  database.close()
  return Number(row?.['rootpage'])
}

describe('openStore() of an embedded store with damaged pages', () => {
  let base: Base
  before(async () => {
    base = await writeBase(await mkdtemp(join(tmpdir(), 'aviso-base-')))
  })
  after(() => rm(base.folder, { recursive: true }))

  /** A copy of the store of which pages are destroyed. */
  async function damage(context: TestContext, ...chosen: readonly Choose[]): Promise<string> {
    const folder = await copyFolder(base.folder, await newFolder(context))
    const bytes = await readFile(join(folder, DATABASE))
    const pages = pagesOf(bytes)
    const found = chosen.map((choose) => pages.find((page, number) => choose(page, number, pages)))
    for (const page of found) {
      assert.ok(page !== undefined, 'there is such a page')
      page.fill(0xff, 0, 16)
    }
    await writeFile(join(folder, DATABASE), bytes)
    return folder
  }

  /** Accepts the loss, and checks what must always hold. */
  async function accept(folder: string) {
    const damaged = await readFile(join(folder, DATABASE))
    const lines: string[] = []
    const store = await open(folder, { acceptLoss: true, lines })
    const log = lines.join('\n')
    const summary = /warn The store lost what lay on damaged pages, as accepted[^{]*(\{.*\})/.exec(log)?.[1]
    assert.ok(summary !== undefined, log)
    const told = JSON.parse(summary) as { kept: number; lost: number; revisions: string; damage: string }
    const [aside] = (await readdir(folder)).filter((name) => name.startsWith('damaged-'))
    assert.ok(aside !== undefined && log.includes(`"copy_of_the_damaged_store":"${folder}/${aside}"`), log)
    assert.deepEqual(await readFile(join(folder, aside, DATABASE)), damaged)
    const lost = [...log.matchAll(/An event that cannot be read is given up (\{.*\})/g)].map(
      ([, fields = '']) => JSON.parse(fields) as { key: string; revision: number },
    )
    const epoch = await epochOf(store)
    assert.ok(epoch !== undefined && epoch !== 'first-epoch', epoch)
    const { revision } = await store.status()
    assert.equal(revision, base.newest + LEFT_OUT)
    assert.equal(await put(store, '/tmp/after', 'new'), revision + 1n)
    const contents = await contentsOf(store)
    await store.close()
    assertWhole(folder)
    const again = await open(folder)
    assert.deepEqual(await contentsOf(again), contents)
    return { store: again, contents, told, lost, log }
  }

  const LOST = keyOf('mars', 60)
  const isNamed =
    (lost: readonly { readonly key: string; readonly revision: number }[]) =>
    ({ key, revision }: Written): boolean =>
      lost.some((event) => event.key === key && BigInt(event.revision) === revision)

  it('is refused by a sentence that names key, revision, the number of others and the remedies', async (context) => {
    const folder = await damage(context, tablePage(LOST))
    const message =
      /file is damaged: "\/tmp\/\w+(?:\/\d+)?" of revision \d+ cannot be read, nor \d+ other events, at revisions \d+ to \d+\. Restore a backup with "aviso admin restore FILE", or start once with --accept-loss, which keeps what can be read, and a copy of the damaged file\. Nothing was changed/
    await assertUntouched(folder, () => open(folder), message)
  })

  it('goes on without a page of events where that is accepted, and names each that is lost', async (context) => {
    const folder = await damage(context, tablePage(LOST))
    const { store, contents, told, lost } = await accept(folder)
    assert.ok(lost.some(({ key }) => key === LOST) && lost.length < 40, String(lost.length))
    assert.deepEqual([told.lost, told.lost + told.kept], [lost.length, base.written.length])
    const expected = expectedOf(base.written, isNamed(lost)).set('/tmp/after', 'new')
    assert.deepEqual(contents, expected)
    const revisions = lost.map(({ revision }) => BigInt(revision)).toSorted((a, b) => Number(a - b))
    const [first = 0n, last = 0n] = [revisions[0], revisions.at(-1)]
    assert.equal(told.revisions, `revisions ${first} to ${last}`)
    assert.equal(await historyFrom(store, first - 5n, base.newest), 'gone')
    assert.equal(await historyFrom(store, last, base.newest), 'gone')
    const rest = await historyFrom(store, last + 1n, base.newest)
    assert.deepEqual(
      rest,
      Array.from({ length: Number(base.newest - last) }, (_, index) => last + 1n + BigInt(index)),
    )
    await store.close()
  })

  it('leaves deleted what a deletion on a damaged page deleted', async (context) => {
    const deletedBy = base.written.find(({ value }) => value === undefined)
    assert.ok(deletedBy !== undefined)
    const folder = await damage(context, tablePage(keyOf('wave', DELETED_BY)))
    const { store, contents, lost } = await accept(folder)
    assert.ok(isNamed(lost)(deletedBy), 'the deletion is lost')
    assert.equal(contents.has(deletedBy.key), false)
    assert.equal(contents.has(keyOf('wave', DELETED - 1)), true)
    await store.compact((await store.status()).revision)
    assert.equal((await contentsOf(store)).has(deletedBy.key), false)
    await store.close()
  })

  it('loses nothing with a page of its index', async (context) => {
    const folder = await damage(context, indexPage(LOST))
    await assertUntouched(
      folder,
      () => open(folder),
      /file is damaged: a part of its index cannot be read, but every event can\. Restore .* --accept-loss/,
    )
    const { store, contents, told } = await accept(folder)
    assert.deepEqual([told.lost, told.kept, told.revisions], [0, base.written.length, 'none'])
    assert.deepEqual(contents, expectedOf(base.written, () => false).set('/tmp/after', 'new'))
    assert.equal((await historyFrom(store, 2n, base.newest)).length, Number(base.newest) - 1)
    await store.close()
  })

  it('keeps what can be read where the table and its index are damaged, and says that names are missing', async (context) => {
    const folder = await damage(context, tablePage(LOST), indexPage(LOST))
    const { store, contents, told, log } = await accept(folder)
    assert.match(log, /A part of the index is damaged, too/)
    const [, first = '', last = ''] = /^revisions (\d+) to (\d+)$/.exec(told.revisions) ?? []
    assert.ok(Number(last) - Number(first) < 15, told.revisions)
    for (const { key, revision, value } of base.written) {
      const isLost = revision >= BigInt(first) && revision <= BigInt(last)
      if (isLost || value === undefined || !key.startsWith('/tmp/')) continue
      if (key !== SMALL && key !== keyOf('wave', DELETED)) assert.equal(contents.get(key), value)
    }
    assert.equal(await historyFrom(store, BigInt(first), base.newest), 'gone')
    assert.ok((await historyFrom(store, BigInt(last) + 1n, base.newest)).length > 0)
    await store.close()
  })

  it('finds what lies between two damaged pages', async (context) => {
    const [one, two] = [keyOf('mars', 60), keyOf('mars', 80)]
    const folder = await damage(context, tablePage(one), tablePage(two))
    const { store, contents, told, lost } = await accept(folder)
    assert.equal(contents.get(keyOf('mars', 70)), valueOf(keyOf('mars', 70)))
    assert.match(told.revisions, /^revisions \d+ to \d+, \d+ to \d+$/)
    assert.deepEqual(contents, expectedOf(base.written, isNamed(lost)).set('/tmp/after', 'new'))
    await store.close()
  })

  it('finds what lies behind a damaged page in the same revision', async (context) => {
    const folder = await damage(context, tablePage(keyOf('many', 20)))
    const { store, contents, lost } = await accept(folder)
    assert.ok(contents.has(keyOf('many', 0)) && contents.has(keyOf('many', MANY - 1)))
    assert.deepEqual(contents, expectedOf(base.written, isNamed(lost)).set('/tmp/after', 'new'))
    await store.close()
  })

  it('loses one event where a page of its value is damaged', async (context) => {
    const folder = await damage(context, (page) => page.includes('y'.repeat(PAGE_BYTES - 100)))
    const event = base.written.find(({ key }) => key === LARGE)
    const { store, contents, told, lost } = await accept(folder)
    assert.deepEqual(lost, [{ key: LARGE, revision: Number(event?.revision) }])
    assert.equal(told.revisions, `revision ${event?.revision}`)
    assert.equal(contents.get(LEASED), 'for an hour')
    await store.close()
  })

  it('ends leases of which the end is lost', async (context) => {
    const root = rootOf(base.folder, 'leases')
    const folder = await damage(context, (_, number) => number === root - 1)
    const store = await open(folder, { acceptLoss: true })
    const { revision } = await store.status()
    for await (const message of store.watch({ key: toBytes(LEASED), from: revision + 1n })) {
      if (message.kind !== 'revision') continue
      assert.equal(message.events[0]?.kind, 'delete')
      break
    }
    assert.notEqual(await store.grantLease(60), 1n, 'the number of a lease is not given again')
    await store.close()
    await store.close()
  })

  it('gives no lost number again where the newest page is damaged', async (context) => {
    const folder = await damage(context, (page) => page[0] === TABLE_LEAF && page.includes(LEASED))
    await assertUntouched(folder, () => open(folder), /of revision \d+ cannot be read.* and later/)
    const { store, told } = await accept(folder)
    assert.match(told.revisions, /^revisions \d+ and later$/)
    assert.equal(await historyFrom(store, base.newest, base.newest), 'gone')
    await store.close()
  })

  it('notices another page in the place of the newest one', async (context) => {
    const folder = await copyFolder(base.folder, await newFolder(context))
    const bytes = await readFile(join(folder, DATABASE))
    const pages = pagesOf(bytes)
    const [newest, older] = [LEASED, `${LOST}=`].map((text) =>
      pages.find((page) => page[0] === TABLE_LEAF && page.includes(text)),
    )
    assert.ok(newest !== undefined && older !== undefined)
    newest.set(older)
    await writeFile(join(folder, DATABASE), bytes)
    const { store, contents, told, lost } = await accept(folder)
    assert.match(told.revisions, / and later$/)
    assert.ok(lost.some(({ key }) => key === LEASED) && !contents.has(LEASED))
    assert.equal(contents.get(LOST), valueOf(LOST))
    await store.close()
  })

  it('ends all history where the page that says what was compacted is damaged', async (context) => {
    const folder = await damage(context, (page) => page[0] === INDEX_LEAF && page.includes('compacted'))
    const { store, contents, told } = await accept(folder)
    assert.deepEqual([told.lost, told.kept], [0, base.written.length])
    assert.equal(contents.size, expectedOf(base.written, () => false).size + 1)
    assert.equal(await historyFrom(store, base.newest, base.newest), 'gone')
    await store.close()
  })

  it('keeps nothing of events where the root of their table is damaged, and says so before', async (context) => {
    const folder = await damage(context, (page) => page[0] === TABLE_INTERIOR)
    await assertUntouched(
      folder,
      () => open(folder),
      new RegExp(`nor ${base.written.length - 1} other events`),
    )
    const { store, contents, told } = await accept(folder)
    assert.deepEqual([told.kept, told.lost], [0, base.written.length])
    assert.deepEqual([...contents], [['/tmp/after', 'new']])
    await store.close()
  })

  it('is left as it is where SQLite cannot open it at all', async (context) => {
    const folder = await damage(context, (_, number) => number === 0)
    for (const acceptLoss of [false, true])
      await assertUntouched(
        folder,
        () => open(folder, { acceptLoss }),
        /cannot be opened at all: restore a backup/,
      )
  })

  it('is never half there, whatever pages are damaged', async (context) => {
    const dice = createDice(7)
    for (let round = 0; round < 8; round++) {
      const folder = await copyFolder(base.folder, await newFolder(context))
      const bytes = await readFile(join(folder, DATABASE))
      const pages = pagesOf(bytes)
      for (let count = 1 + dice.whole(0, 2); count > 0; count--) {
        const page = dice.pick(pages.slice(1))
        const start = dice.whole(0, PAGE_BYTES - 64)
        for (let index = 0; index < 64; index++) page.writeUInt8(dice.whole(0, 255), start + index)
      }
      await writeFile(join(folder, DATABASE), bytes)
      const store = await open(folder, { acceptLoss: true })
      const values = new Map(base.written.map(({ key, value }) => [`${key} ${value}`, true]))
      for (const [key, value] of await contentsOf(store)) assert.ok(values.has(`${key} ${value}`), key)
      await put(store, '/tmp/after', 'new')
      await store.close()
      assertWhole(folder)
      await (await open(folder)).close()
    }
  })
})
