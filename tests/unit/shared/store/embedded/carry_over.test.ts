import assert from 'node:assert/strict'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import { openSqlite } from '#shared/runtime/sqlite.ts'
import type { SqlDatabase } from '#shared/runtime/runtime.ts'
import { END_OF_KEYS, toBytes, toText } from '#shared/bytes/bytes.ts'
import { openEmbeddedStore } from '#shared/store/embedded/store.ts'
import type { KeyValue, Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
/** What the program of version 1 answered about `version_1.sqlite`, which it wrote. */
import expected from './version_1.json' with { type: 'json' }

const EVERYTHING = { key: new Uint8Array([0]), end: END_OF_KEYS }
const FILE = new URL('version_1.sqlite', import.meta.url)

const show = (kv: KeyValue): (string | number)[] => [
  toText(kv.key),
  toText(kv.value),
  Number(kv.createRevision),
  Number(kv.modRevision),
  Number(kv.version),
  Number(kv.lease),
]

async function read(store: Store): Promise<unknown> {
  const [newest, compacted] = [BigInt(expected.newest), BigInt(expected.compacted)]
  const now = await store.range(EVERYTHING)
  const then = await store.range({ ...EVERYTHING, revision: compacted })
  const history: unknown[] = []
  for await (const message of store.watch({ ...EVERYTHING, from: compacted })) {
    if (message.kind !== 'revision') continue
    history.push([Number(message.revision), message.events.map(({ kind, kv }) => [kind, ...show(kv)])])
    if (message.revision === newest) break
  }
  await assert.rejects(store.range({ ...EVERYTHING, revision: compacted - 1n }), (error) =>
    isAvisoError(error, 'ERR_HISTORY_COMPACTED'),
  )
  return {
    newest: Number(now.revision),
    compacted: Number(compacted),
    now: now.kvs.map(show),
    past: then.kvs.map(show),
    history,
  }
}

describe('openEmbeddedStore() with a store of version 1', () => {
  let folder = ''
  let files = 0
  const copy = async (): Promise<string> => {
    const path = join(folder, `${++files}.sqlite`)
    await copyFile(FILE, path)
    return path
  }
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'aviso-carry-'))
  })
  after(async () => {
    await rm(folder, { recursive: true })
  })

  it('carries over all that it held, once, and goes on with it', async () => {
    const path = await copy()
    const lines: string[] = []
    const parts = { clock: systemClock, logger: (_: unknown, message: string) => lines.push(message) }
    const store = openEmbeddedStore(openSqlite(path), parts)
    assert.deepEqual(await read(store), expected)
    assert.match(lines.join('\n'), /was carried over/)
    const put = { kind: 'put', key: toBytes('/a/1'), value: toBytes('of version 2') } as const
    assert.equal((await store.txn({ compare: [], success: [put] })).revision, BigInt(expected.newest) + 1n)
    assert.ok((await store.grantLease(60)) > 1n)
    await store.compact(BigInt(expected.newest))
    await store.close()
    lines.length = 0
    const again = openEmbeddedStore(openSqlite(path), parts)
    assert.deepEqual(lines, [])
    const [kv] = (await again.range({ key: toBytes('/a/1') })).kvs
    assert.equal(kv && toText(kv.value), 'of version 2')
    await again.close()
  })

  it('goes on where it was cut short', async () => {
    const path = await copy()
    const inner = openSqlite(path)
    let transactions = 0
    // The second carries rows over in two halves of a revision, and then the machine stops.
    const cutting: SqlDatabase = {
      ...inner,
      all: (sql, ...parameters) => inner.all(sql.replace('LIMIT 10000', 'LIMIT 7'), ...parameters),
      transaction: (work) => {
        if (++transactions === 6) throw new Error('power cut')
        return inner.transaction(work)
      },
    }
    assert.throws(
      () => openEmbeddedStore(cutting, { clock: systemClock }),
      (error) => isAvisoError(error, 'ERR_CONFIG'),
    )
    assert.equal(transactions, 6)
    const store = openEmbeddedStore(openSqlite(path), { clock: systemClock })
    assert.deepEqual(await read(store), expected)
    await store.close()
  })
})
