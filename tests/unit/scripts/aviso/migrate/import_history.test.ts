import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { importHistory, type ImportParts } from '../../../../../scripts/aviso/migrate/import_history.ts'
import { boundsOf } from '../../../../../scripts/aviso/migrate/source.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { AvisoError } from '#shared/errors.ts'
import { silentLogger } from '#shared/logger.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { openStore } from '#shared/store/open/open.ts'
import type { Revision, Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { createMemoryStore } from '../../../../support/memory_store.ts'
import { rejects } from '../../../../contract/store_support.ts'

const EVERYTHING = { key: new Uint8Array([0]), end: new Uint8Array([0]) }
/** As etcd gives them out: larger than 2^53. */
const LEASE = 7_587_886_000_000_000_001n

async function newSource(): Promise<Store> {
  const source = createMemoryStore({ clock: systemClock })
  for (let index = 0; index < 30; index++) {
    const success = [`/k/${index % 7}`, '/last', `/once/${index}`].map(
      (key) => ({ kind: 'put', key: toBytes(key), value: toBytes(`${index}`) }) as const,
    )
    await source.txn({ compare: [], success })
    if (index % 5 === 0)
      await source.txn({
        compare: [],
        success: [{ kind: 'delete', range: { key: toBytes(`/k/${index % 7}`) } }],
      })
  }
  return source
}

/** The same keys, one of them with a lease. */
function leased(store: Store): Store {
  return {
    ...store,
    range: async (request) => {
      const result = await store.range(request)
      const kvs = result.kvs.map((kv) => (toText(kv.key) === '/once/1' ? { ...kv, lease: LEASE } : kv))
      return { ...result, kvs }
    },
  }
}

async function partsOf(
  context: TestContext,
  source: Store,
  more: Partial<ImportParts> = {},
): Promise<ImportParts> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'aviso-import-'))
  context.after(() => rm(dataFolder, { recursive: true }))
  const platform = await detectPlatform()
  return {
    source,
    bounds: await boundsOf(source),
    leases: () => Promise.resolve(100),
    target: { platform, dataFolder, clock: systemClock, logger: silentLogger },
    onProgress: () => undefined,
    verify: () => Promise.resolve(),
    ...more,
  }
}

async function stateAt(store: Store, revision: Revision) {
  const { kvs } = await store.range({ ...EVERYTHING, revision })
  return kvs.map(({ lease: _lease, ...kv }) => ({ ...kv, key: toText(kv.key), value: toText(kv.value) }))
}

describe('importHistory()', () => {
  it('keeps revisions, generations and versions from the oldest revision on', async (context) => {
    const source = await newSource()
    await source.compact(15n)
    const parts = await partsOf(context, leased(source))
    const { dataFolder } = parts.target
    // What a run that was killed left there.
    await mkdir(join(dataFolder, 'migrating'))
    await writeFile(join(dataFolder, 'migrating', 'aviso.sqlite'), 'half')
    await importHistory(parts)
    assert.deepEqual(await readdir(dataFolder), ['aviso.sqlite'])
    assert.equal((await stat(join(dataFolder, 'aviso.sqlite'))).mode & 0o777, 0o600)
    const copy = await openStore('embedded:', parts.target)
    const { base, head } = parts.bounds
    assert.equal((await copy.status()).revision, head)
    for (let revision = base; revision <= head; revision++)
      assert.deepEqual(await stateAt(copy, revision), await stateAt(source, revision), `${revision}`)
    await rejects(copy.range({ ...EVERYTHING, revision: base - 1n }), 'ERR_HISTORY_COMPACTED')
    const [once] = (await copy.range({ key: toBytes('/once/1') })).kvs
    assert.equal(once?.lease, 1n)
    assert.equal(await copy.grantLease(10), 2n)
    await copy.compact(head)
    const put = { kind: 'put', key: toBytes('/k/1'), value: toBytes('x') } as const
    assert.equal((await copy.txn({ compare: [], success: [put] })).revision, head + 1n)
    await copy.close()
  })

  it('leaves nothing where the copy is not what it has to be', async (context) => {
    const verify = () => Promise.reject(new AvisoError('ERR_CONFLICT', 'it differs'))
    const parts = await partsOf(context, await newSource(), { verify })
    await assert.rejects(importHistory(parts), /it differs/)
    assert.deepEqual(await readdir(parts.target.dataFolder), [])
  })

  it('refuses a folder that holds a store, or the rest of one', async (context) => {
    for (const name of ['aviso.sqlite', 'aviso.sqlite-wal', 'aviso.witness']) {
      const parts = await partsOf(context, await newSource())
      await writeFile(join(parts.target.dataFolder, name), '')
      await assert.rejects(importHistory(parts), /The target is not empty/)
      assert.deepEqual(await readdir(parts.target.dataFolder), [name])
    }
  })

  it('refuses revisions that do not fit', async (context) => {
    const source = await newSource()
    const far: Store = {
      ...source,
      range: async (request) => {
        const result = await source.range(request)
        return { ...result, kvs: result.kvs.map((kv) => ({ ...kv, modRevision: 2n ** 43n })) }
      },
    }
    await source.compact(10n)
    await assert.rejects(importHistory(await partsOf(context, far)), /does not fit into an embedded store/)
  })
})
