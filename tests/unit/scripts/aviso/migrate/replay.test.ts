import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compareContents } from '../../../../../scripts/aviso/migrate/compare.ts'
import { mappedValue } from '../../../../../scripts/aviso/migrate/mapped_value.ts'
import { replay, type Replayed } from '../../../../../scripts/aviso/migrate/replay.ts'
import { boundsOf } from '../../../../../scripts/aviso/migrate/source.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { AvisoError } from '#shared/errors.ts'
import { readEpoch, renewEpoch } from '#shared/journal/epoch.ts'
import { MAX_TXN_BYTES, type Revision, type Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { createMemoryStore } from '../../../../support/memory_store.ts'
import { rejects } from '../../../../contract/store_support.ts'

const EPOCH = '/_aviso/epoch'
const newStore = (): Store => createMemoryStore({ clock: systemClock })

async function put(store: Store, ...pairs: readonly (readonly [string, string])[]): Promise<Revision> {
  const success = pairs.map(
    ([key, value]) => ({ kind: 'put', key: toBytes(key), value: toBytes(value) }) as const,
  )
  return (await store.txn({ compare: [], success })).revision
}

async function newSource(): Promise<Store> {
  const source = newStore()
  await put(source, [EPOCH, 'old'])
  for (let index = 0; index < 20; index++)
    await put(source, [`/k/${index % 6}`, `v${index}`], ['/last', `${index}`])
  await source.txn({ compare: [], success: [{ kind: 'delete', range: { key: toBytes('/k/3') } }] })
  return source
}

async function run(source: Store, target: Store): Promise<Replayed> {
  return replay({
    source,
    bounds: await boundsOf(source),
    target,
    leases: () => Promise.resolve(undefined),
    random: () => 'new-epoch',
    onProgress: () => undefined,
  })
}

/** Key, value and revisions of all keys at a revision. */
async function stateAt(store: Store, revision: Revision): Promise<string[]> {
  const { kvs } = await store.range({ key: new Uint8Array([0]), end: new Uint8Array([0]), revision })
  return kvs.map(
    (kv) => `${toText(kv.key)}=${toText(kv.value)} ${kv.createRevision} ${kv.modRevision} ${kv.version}`,
  )
}

describe('replay()', () => {
  it('makes an exact copy where nothing was compacted', async () => {
    const source = await newSource()
    const target = newStore()
    const { isExact, finish, head } = await run(source, target)
    await finish()
    assert.ok(isExact)
    for (let revision = 1n; revision <= head; revision++)
      assert.deepEqual(await stateAt(target, revision), await stateAt(source, revision))
    assert.equal((await readEpoch(target))?.epoch, 'old')
  })

  it('keeps order and values where revisions change, and only then makes the copy usable', async () => {
    const source = await newSource()
    await source.compact(12n)
    const target = newStore()
    await put(target, [EPOCH, 'of the target'])
    const { isExact, map, finish, head } = await run(source, target)
    assert.equal(isExact, false)
    await rejects(readEpoch(target), 'ERR_STORE_PROTOCOL')
    const { head: newest } = await boundsOf(source)
    for (let revision = 12n; revision <= newest; revision++) {
      const strip = (lines: string[]): string[] =>
        lines.filter((line) => !line.startsWith(EPOCH)).map((line) => line.split(' ')[0] ?? '')
      assert.deepEqual(strip(await stateAt(target, map.at(revision))), strip(await stateAt(source, revision)))
    }
    await rejects(
      target.range({ key: toBytes('/last'), revision: map.at(12n) - 1n }),
      'ERR_HISTORY_COMPACTED',
    )
    await compareContents(
      { store: source, revision: newest, mapped: (kv) => mappedValue(kv, map.at) },
      { store: target, revision: head },
    )
    await finish()
    const epoch = await readEpoch(target)
    assert.deepEqual([epoch?.epoch, epoch?.isRenewed], ['new-epoch', false])
  })

  it('says that the epoch is a renewed one where that of the source was', async () => {
    const source = await newSource()
    await renewEpoch(source, 'old', () => 'renewed')
    await source.compact(12n)
    const target = newStore()
    await (await run(source, target)).finish()
    const epoch = await readEpoch(target)
    assert.deepEqual([epoch?.epoch, epoch?.isRenewed], ['r-new-epoch', true])
  })

  it('leaves a target that no service takes where it is interrupted, and refuses to go on there', async () => {
    const source = await newSource()
    await source.compact(12n)
    const target = newStore()
    let writes = 0
    const failing: Store = {
      ...target,
      txn: (request) => {
        if (++writes === 6) return Promise.reject(new AvisoError('ERR_STORE_UNAVAILABLE', 'gone'))
        return target.txn(request)
      },
    }
    await rejects(run(source, failing), 'ERR_STORE_UNAVAILABLE')
    await rejects(readEpoch(target), 'ERR_STORE_PROTOCOL')
    await assert.rejects(run(source, target), /target is not empty: .*interrupted/)
  })

  it('notices others who write to the target', async () => {
    for (const compactTo of [undefined, 12n]) {
      const source = await newSource()
      if (compactTo !== undefined) await source.compact(compactTo)
      const target = newStore()
      let writes = 0
      const shared: Store = {
        ...target,
        txn: async (request) => {
          if (++writes === 6) await put(target, ['/other', 'x'])
          return target.txn(request)
        },
      }
      await assert.rejects(run(source, shared), /Somebody else writes to the target/)
    }
  })

  it('refuses a value that etcd does not take before it writes anything', async () => {
    const source = newStore()
    await put(source, ['/small', 'x'])
    const target = newStore()
    await put(source, ['/large', 'x'.repeat(MAX_TXN_BYTES - 100)])
    await assert.rejects(run(source, target), /larger than etcd takes/)
    assert.equal((await target.status()).revision, 1n)
  })
})

describe('compareContents()', () => {
  it('tells a value, a key and a number of keys that differ', async () => {
    const source = await newSource()
    const { revision } = await source.status()
    for (const change of [
      ['/k/1', 'other'],
      ['/new', 'x'],
    ] as const) {
      const copy = await newSource()
      const head = await put(copy, change)
      await assert.rejects(
        compareContents({ store: source, revision }, { store: copy, revision: head }),
        /differs from its source/,
      )
    }
  })
})
