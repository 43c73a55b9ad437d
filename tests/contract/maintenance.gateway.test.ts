import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { StoreMaintenance } from '#shared/store/maintenance.ts'
import { openStore } from '#shared/store/open/open.ts'
import { openMaintenance } from '#shared/store/open/maintenance.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import { rejects } from './store_support.ts'

/** Writes until etcd has a file worth defragmenting, then forgets nearly all of it. */
async function fill(store: Store, operations: number): Promise<void> {
  const value = new Uint8Array(4096).fill(7)
  let revision = 0n
  for (let count = 0; count < operations; count++) {
    const put = { kind: 'put', key: toBytes(`/fill/${count % 3}`), value } as const
    ;({ revision } = await store.txn({ compare: [], success: [put] }))
  }
  await store.compact(revision)
}

async function open(etcd: EtcdCluster) {
  const platform = await detectPlatform()
  const parts = { platform, clock: systemClock, logger: silentLogger }
  const maintenance = await openMaintenance(etcd.store, parts)
  assert.ok(maintenance)
  return { store: await openStore(etcd.store, { ...parts, dataFolder: '' }), maintenance }
}

describe('createGatewayMaintenance() on three members', { skip: await etcdMissing() }, () => {
  let etcd: EtcdCluster
  let store: Store
  let maintenance: StoreMaintenance
  before(async () => {
    etcd = await startTestEtcd({ members: 3 })
    ;({ store, maintenance } = await open(etcd))
  })
  after(async () => {
    await store.close()
    await etcd.close()
  })

  it('lists the members, one of them the leader', async () => {
    const members = await maintenance.members()
    assert.equal(members.length, 3)
    assert.equal(members.filter(({ isLeader }) => isLeader).length, 1)
    assert.ok(members.every(({ isReachable, sizeBytes }) => isReachable && sizeBytes > 0))
    assert.equal(new Set(members.map(({ name }) => name)).size, 3)
  })
  it('gives room back on the one member it is told, and on no other', async () => {
    await fill(store, 600)
    const waited = Date.now() + 10_000
    const sizes = async () => new Map((await maintenance.members()).map((member) => [member.id, member]))
    let before = await sizes()
    // The versions are dropped in the background.
    while ([...before.values()].some((member) => member.sizeInUseBytes * 4 > member.sizeBytes)) {
      assert.ok(Date.now() < waited, 'the versions are dropped')
      // Their pages are counted as free only by the next write.
      await store.txn({ compare: [], success: [{ kind: 'put', key: toBytes('/touch'), value: toBytes('') }] })
      before = await sizes()
    }
    const [follower] = [...before.values()].filter(({ isLeader }) => !isLeader)
    assert.ok(follower)
    await maintenance.defragment(follower.id)
    for (const [id, member] of await sizes()) {
      const was = before.get(id)?.sizeBytes ?? 0
      if (id === follower.id) assert.ok(member.sizeBytes < was / 4, `${member.sizeBytes} of ${was}`)
      else assert.equal(member.sizeBytes, was)
    }
  })
  it('tells of a member that does not answer', async () => {
    const [member] = etcd.members
    await member?.stop()
    const members = await maintenance.members()
    assert.equal(members.filter(({ isReachable }) => isReachable).length, 2)
    const gone = members.find(({ isReachable }) => !isReachable)
    await rejects(maintenance.defragment(gone?.id ?? ''), 'ERR_STORE_UNAVAILABLE')
    await member?.restart()
  })
})

describe('createGatewayMaintenance() on a full member', { skip: await etcdMissing() }, () => {
  it('shows the alarm, and takes it back once there is room', async () => {
    const etcd = await startTestEtcd({ flags: ['--quota-backend-bytes=4194304'] })
    const { store, maintenance } = await open(etcd)
    try {
      assert.deepEqual(await maintenance.alarms(), [])
      await rejects(fill(store, 2_000), 'ERR_STORE_FULL')
      const [alarm] = await maintenance.alarms()
      assert.equal(alarm?.kind, 'NOSPACE')
      const { revision } = await store.status()
      await store.compact(revision)
      for (const { id } of await maintenance.members()) await maintenance.defragment(id)
      assert.ok(alarm)
      await maintenance.disarm(alarm)
      assert.deepEqual(await maintenance.alarms(), [])
      await fill(store, 1)
    } finally {
      await store.close()
      await etcd.close()
    }
  })
})
