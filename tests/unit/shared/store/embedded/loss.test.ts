import assert from 'node:assert/strict'
import { appendFile, copyFile, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { prefixRange, toText } from '#shared/bytes/bytes.ts'
import {
  assertUntouched,
  copyFolder,
  DATABASE,
  EPOCH_KEY,
  epochOf,
  LOG,
  newFolder,
  open,
  put,
  WITNESS,
} from './files.ts'

const WRITES = 60
/** Revision of the epoch, and of the last write. */
const [FIRST, NEWEST] = [2n, BigInt(WRITES) + 2n]
const LEFT_OUT = 2n ** 30n

/** A folder as a killed process leaves it: 60 writes acknowledged, all of them in the log. */
async function crash(context: TestContext, writes = WRITES): Promise<string> {
  const live = await newFolder(context)
  const store = await open(live)
  await put(store, EPOCH_KEY, 'first-epoch')
  for (let index = 0; index < writes; index++) await put(store, `p/${index}`)
  const folder = await copyFolder(live, join(live, 'crashed'))
  await store.close()
  return folder
}

/** Changes one bit in the middle of a file. */
async function flipBit(path: string, share = 0.5): Promise<void> {
  const bytes = await readFile(path)
  const place = Math.floor(bytes.length * share)
  bytes[place] = (bytes[place] ?? 0) ^ 1
  await writeFile(path, bytes)
}

/** A store that was closed, and an older copy of its database in the folder `old`. */
async function closeTwice(context: TestContext): Promise<{ readonly folder: string; readonly old: string }> {
  const folder = await newFolder(context)
  const first = await open(folder)
  await put(first, EPOCH_KEY, 'first-epoch')
  await put(first, 'p/0')
  await first.close()
  const old = await copyFolder(folder, join(folder, 'old'))
  const second = await open(folder)
  for (let index = 0; index < 10; index++) await put(second, `p/new/${index}`)
  await second.close()
  return { folder, old }
}

/** Starts once more with the loss accepted. */
async function assertAccepted(folder: string, acknowledged: bigint): Promise<void> {
  const lines: string[] = []
  const store = await open(folder, { acceptLoss: true, lines })
  assert.match(
    lines.join('\n'),
    /warn The store lost acknowledged writes, as accepted: it goes on with a new epoch/,
  )
  const epoch = await epochOf(store)
  assert.ok(epoch !== undefined && epoch !== 'first-epoch', epoch)
  const { revision } = await store.status()
  assert.equal(revision, acknowledged + LEFT_OUT)
  await store.close()
  const again = await open(folder)
  assert.equal(await epochOf(again), epoch)
  assert.equal(await put(again, 'p/after'), revision + 1n)
  await again.close()
}

const damages: readonly [name: string, change: (folder: string) => Promise<void>, message: RegExp][] = [
  [
    'one bit flipped in the middle of its log',
    (folder) => flipBit(join(folder, LOG)),
    /\d+ revisions are missing/,
  ],
  [
    'its log cut short',
    async (folder) => truncate(join(folder, LOG), Math.floor((await stat(join(folder, LOG))).size / 2)),
    /revisions are missing: 62 was acknowledged, and the database ends with \d+/,
  ],
  ['no log', (folder) => rm(join(folder, LOG)), /is gone|revisions are missing/],
  [
    'neither database nor log',
    async (folder) => {
      await rm(join(folder, LOG))
      await rm(join(folder, DATABASE))
    },
    /The database is gone, with revisions up to 62/,
  ],
]

describe('openStore() of an embedded store that lost acknowledged writes', () => {
  for (const [name, change, message] of damages)
    it(`refuses ${name}, changes nothing, and goes on with a new epoch where that is accepted`, async (context) => {
      const folder = await crash(context)
      await change(folder)
      await assertUntouched(folder, () => open(folder), message)
      await assertUntouched(folder, () => open(folder), /aviso admin restore FILE.*--accept-loss/)
      await assertAccepted(folder, NEWEST)
    })

  it('refuses an older copy that was put back', async (context) => {
    const { folder, old } = await closeTwice(context)
    await copyFile(join(old, DATABASE), join(folder, DATABASE))
    await assertUntouched(folder, () => open(folder), /10 revisions are missing/)
    await assertAccepted(folder, FIRST + 11n)
  })

  it('refuses the database of another store', async (context) => {
    const { folder } = await closeTwice(context)
    const other = await newFolder(context)
    const store = await open(other)
    await put(store, EPOCH_KEY, 'other-epoch')
    for (let index = 0; index < 100; index++) await put(store, `p/${index}`)
    await store.close()
    await copyFile(join(other, DATABASE), join(folder, DATABASE))
    await assertUntouched(folder, () => open(folder), /it has another epoch/)
    await assertAccepted(folder, 102n)
  })

  it('refuses a database whose witness is gone, as a copy has none', async (context) => {
    const folder = await crash(context)
    await rm(join(folder, WITNESS))
    await assertUntouched(folder, () => open(folder), /witness file is gone/)
    await assertAccepted(folder, NEWEST)
  })

  it('refuses a database whose witness is damaged in both records', async (context) => {
    const folder = await crash(context)
    await flipBit(join(folder, WITNESS), 0.03)
    await flipBit(join(folder, WITNESS), 0.53)
    await assertUntouched(folder, () => open(folder), /witness file is damaged/)
    await assertAccepted(folder, NEWEST)
  })

  it('refuses a log whose database is gone', async (context) => {
    const folder = await crash(context)
    await rm(join(folder, DATABASE))
    await rm(join(folder, WITNESS))
    await assertUntouched(folder, () => open(folder), /is gone, but its log .* is there/)
  })

  it('refuses a database that was cut short', async (context) => {
    const { folder } = await closeTwice(context)
    const store = await open(folder)
    for (let index = 0; index < 20; index++) await put(store, `p/large/${index}`, 'x'.repeat(20_000))
    await store.close()
    for (const share of [0.9, 0.5, 0.1]) {
      await truncate(join(folder, DATABASE), Math.floor((await stat(join(folder, DATABASE))).size * share))
      await assertUntouched(folder, () => open(folder), /damaged|revisions are missing/)
    }
    await truncate(join(folder, DATABASE), 0)
    await assertUntouched(folder, () => open(folder), /The database is gone/)
  })
})

describe('openStore() of an embedded store after a crash', () => {
  const openWhole = async (folder: string): Promise<void> => {
    const lines: string[] = []
    const store = await open(folder, { lines })
    assert.deepEqual(lines, [])
    assert.equal((await store.status()).revision, NEWEST)
    assert.equal((await store.range(prefixRange('p/'))).count, BigInt(WRITES))
    assert.equal(await epochOf(store), 'first-epoch')
    await store.close()
  }

  it('has everything, and says nothing', async (context) => {
    await openWhole(await crash(context))
  })

  it('repairs a torn write that was not acknowledged', async (context) => {
    const folder = await crash(context)
    await appendFile(join(folder, LOG), new Uint8Array(1_000).fill(0xa5))
    await openWhole(folder)
  })

  it('takes a witness that is behind, as a power cut leaves it', async (context) => {
    const folder = await crash(context)
    const early = await crash(context, 5)
    await copyFile(join(early, WITNESS), join(folder, WITNESS))
    await openWhole(folder)
  })

  it('takes a witness of which one record is torn', async (context) => {
    const folder = await crash(context)
    await flipBit(join(folder, WITNESS), 0.53)
    await openWhole(folder)
    const other = await crash(context)
    await flipBit(join(other, WITNESS), 0.03)
    await openWhole(other)
  })

  it('says that a loss was accepted where there is none', async (context) => {
    const folder = await crash(context)
    const lines: string[] = []
    const store = await open(folder, { acceptLoss: true, lines })
    assert.match(lines.join('\n'), /Nothing of the store is lost/)
    assert.deepEqual([await epochOf(store), (await store.status()).revision], ['first-epoch', NEWEST])
    await store.close()
  })

  it('follows the epoch that is written, deleted and written again', async (context) => {
    const folder = await newFolder(context)
    const store = await open(folder)
    for (const epoch of ['one', 'two']) {
      await put(store, EPOCH_KEY, epoch)
      assert.match(toText(await readFile(join(folder, WITNESS))), new RegExp(` ${epoch} `))
    }
    await store.txn({ compare: [], success: [{ kind: 'delete', range: { key: EPOCH_KEY } }] })
    await put(store, 'p/0')
    await store.close()
    const again = await open(folder)
    assert.equal(await epochOf(again), undefined)
    await again.close()
  })
})
