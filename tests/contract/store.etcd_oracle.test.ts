/**
 * What our adapters write, npm etcd3 reads by its own means, and the other way round.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Etcd3 } from 'etcd3'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { KeyValue, RangeRequest, Store } from '#shared/store/store.ts'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import { commit, createKeyspace, deleteOperation, putOperation, startWatch } from './store_support.ts'
import { within } from '../support/waiting.ts'
import { openEtcd3Store, openGatewayStore, openGrpcStore } from '../support/etcd_stores.ts'

/** All byte values, an empty value, text, and more than one message of gRPC's default size. */
const VALUES = [
  Uint8Array.from({ length: 256 }, (_, index) => index),
  new Uint8Array(),
  toBytes('é𝄞'),
  new Uint8Array(1_300_000).fill(0xfe),
]

describe('etcd3 as an oracle', { skip: await etcdMissing() }, () => {
  let etcd: EtcdCluster
  let oracle: Etcd3
  let gateway: Store
  let grpc: Store
  let etcd3: Store
  before(async () => {
    etcd = await startTestEtcd()
    gateway = await openGatewayStore(etcd.endpoints)
    grpc = await openGrpcStore(etcd.endpoints)
    etcd3 = await openEtcd3Store(etcd.endpoints)
    oracle = new Etcd3({ hosts: [...etcd.endpoints], grpcOptions: { 'grpc.max_receive_message_length': -1 } })
  })
  after(async () => {
    oracle.close()
    await Promise.all([gateway.close(), grpc.close(), etcd3.close()])
    await etcd.close()
  })

  it('reads what the adapters write', async () => {
    for (const [name, store] of Object.entries({ gateway, grpc, etcd3 })) {
      const space = createKeyspace(`/oracle-${name}/`)
      const lease = await store.grantLease(600)
      for (const [index, value] of VALUES.entries())
        await commit(store, putOperation(space.key(`${index}`), value, index === 0 ? lease : 0n))
      for (const [index, value] of VALUES.entries()) {
        const key = `${space.prefix}${index}`
        assert.deepEqual(new Uint8Array((await oracle.get(key).buffer()) ?? []), value)
        const [kv] = (await oracle.get(key).exec()).kvs
        assert.equal(kv?.lease, index === 0 ? lease.toString() : '0')
      }
      await commit(store, deleteOperation(space.all))
      assert.deepEqual(await oracle.getAll().prefix(space.prefix).keys(), [])
    }
  })

  it('writes what the adapters read and watch, and both see the same', async () => {
    const space = createKeyspace('/oracle-theirs/')
    const watches = await Promise.all([gateway, grpc, etcd3].map((store) => startWatch(store, space)))
    for (const [index, value] of VALUES.entries())
      await oracle.put(`${space.prefix}${index}`).value(Buffer.from(value))
    await oracle
      .if(`${space.prefix}1`, 'Version', '==', 1)
      .then(oracle.put(`${space.prefix}x`).value('1'), oracle.put(`${space.prefix}y`).value('2'))
      .commit()
    await oracle.delete().key(`${space.prefix}0`)
    const [left, ...others] = await Promise.all(watches.map((watch) => watch.take(VALUES.length + 2)))
    for (const other of others) assert.deepEqual(left, other)
    assert.deepEqual(left?.at(-2)?.events, ['+x=1', '+y=2'])
    assert.deepEqual(left?.at(-1)?.events, ['-0'])
    await Promise.all(watches.map((watch) => watch.stop()))
    const { revision } = await gateway.range(space.all)
    const requests: readonly Partial<RangeRequest>[] = [
      {},
      { limit: 2 },
      { revision: revision - 1n, sortTarget: 'MOD', sortOrder: 'DESCEND' },
      { sortTarget: 'VALUE', sortOrder: 'ASCEND', keysOnly: true },
      { countOnly: true },
      { minModRevision: revision - 1n },
    ]
    for (const request of requests) {
      const read = (store: Store): Promise<unknown> => store.range({ ...space.all, ...request })
      assert.deepEqual(await read(grpc), await read(etcd3))
      assert.deepEqual(await read(grpc), await read(gateway))
    }
    const theirs = (await oracle.getAll().prefix(space.prefix).exec()).kvs
    const ours = (await grpc.range(space.all)).kvs
    assert.deepEqual(
      ours.map(describeKeyValue),
      theirs.map((kv) => [
        kv.key.toString(),
        kv.create_revision,
        kv.mod_revision,
        kv.version,
        kv.value.length,
      ]),
    )
  })

  it('watches what the adapters write', async () => {
    const space = createKeyspace('/oracle-watch/')
    const watcher = await oracle.watch().prefix(space.prefix).create()
    const seen: string[] = []
    const complete = new Promise<void>((done) => {
      const see = (text: string): void => {
        if (seen.push(text) === 4) done()
      }
      watcher.on('put', ({ key, mod_revision: revision }) => see(`+${key.toString()} ${revision}`))
      watcher.on('delete', ({ key, mod_revision: revision }) => see(`-${key.toString()} ${revision}`))
    })
    const first = await commit(gateway, putOperation(space.key('a')), putOperation(space.key('b')))
    const second = await commit(grpc, deleteOperation({ key: space.key('a') }), putOperation(space.key('c')))
    await within('four events', complete)
    await watcher.cancel()
    const key = (name: string): string => `${space.prefix}${name}`
    assert.deepEqual(seen, [
      `+${key('a')} ${first.revision}`,
      `+${key('b')} ${first.revision}`,
      `-${key('a')} ${second.revision}`,
      `+${key('c')} ${second.revision}`,
    ])
  })
})

function describeKeyValue(kv: KeyValue): unknown {
  return [
    new TextDecoder().decode(kv.key),
    kv.createRevision.toString(),
    kv.modRevision.toString(),
    kv.version.toString(),
    kv.value.length,
  ]
}
