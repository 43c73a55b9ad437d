import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import {
  checkAlarms,
  checkClusterStatus,
  checkFileSize,
  checkStoreSize,
  checkTotalKeys,
} from '#services/monitoring/checks/etcd_checks.ts'
import { readEtcdHealth, type EtcdHealth } from '#services/monitoring/checks/etcd_health.ts'
import { systemClock } from '#shared/time/clock.ts'
import { opsviewOutput } from '#services/monitoring/opsview.ts'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import { eventually } from '../support/waiting.ts'

const QUOTA_BYTES = 16 * 1024 * 1024

describe('readEtcdHealth()', { skip: await etcdMissing() }, () => {
  let etcd: EtcdCluster
  beforeEach(async () => {
    etcd = await startTestEtcd({ members: 3, flags: [`--quota-backend-bytes=${QUOTA_BYTES}`] })
  })
  afterEach(() => etcd.close())

  const read = (urls: readonly string[] = etcd.endpoints): Promise<EtcdHealth> =>
    readEtcdHealth({ urls, fetch: (url, init) => fetch(url, init), clock: systemClock })
  const post = (path: string, body: unknown): Promise<Response> =>
    fetch(`${etcd.endpoints[0]}${path}`, { method: 'POST', body: JSON.stringify(body) })
  const base64 = (text: string): string => Buffer.from(text).toString('base64')

  it('reads what a cluster is like', async () => {
    for (let index = 0; index < 20; index++) {
      await (await post('/v3/kv/put', { key: base64(`/k${index}`), value: base64('v') })).text()
    }
    const health = await read()
    assert.equal(health.memberCount, 3)
    assert.deepEqual(health.alarms, [])
    assert.ok(
      health.members.every(
        ({ isHealthy, isMeasured, hasLeader }) => isHealthy && isMeasured && hasLeader === true,
      ),
    )
    assert.equal(health.members.filter(({ isLeader }) => isLeader).length, 1)
    for (const { keys, quotaBytes, sizeBytes = 0, sizeInUseBytes = 0, leaderChanges } of health.members) {
      assert.ok((keys ?? 0) >= 19 && (keys ?? 0) <= 20, `${keys} keys`)
      assert.equal(quotaBytes, QUOTA_BYTES)
      assert.ok(sizeBytes >= sizeInUseBytes && sizeInUseBytes > 0)
      assert.ok(leaderChanges !== undefined)
    }
    assert.equal(checkClusterStatus(health, 3).status, 0)
    assert.equal(checkStoreSize(health).status, 0)
    assert.equal(checkTotalKeys(health).status, 0)
  })

  it('says when it is full', async () => {
    // Small beside the quota: a value leaves as much of the file unused while it is written, and the alarm comes by the file.
    const value = base64('x'.repeat(100_000))
    for (let index = 0; index < 400; index++) {
      const response = await post('/v3/kv/put', { key: base64(`/big${index}`), value })
      await response.text()
      if (!response.ok) break
    }
    await eventually('the alarm is raised', async () => (await read()).alarms?.includes('NOSPACE') === true)
    // etcd measures its size when it has written, which may be after the alarm.
    const isMeasured = async (): Promise<boolean> => {
      const health = await read()
      return checkStoreSize(health).status === 2 && checkFileSize(health).status === 2
    }
    await eventually('its size says so', isMeasured)
    const health = await read()
    assert.equal(checkAlarms(health).message, 'Alarms are raised: NOSPACE')
    // Room inside the file does not help: etcd counts the file.
    assert.equal(checkFileSize(health).status, 2, opsviewOutput(checkFileSize(health)))
    // With an alarm no member says that it is healthy.
    assert.equal(checkClusterStatus(health, 3).status, 2)
  })

  it('says which member is gone, and what is not known when all are', async () => {
    const [first, ...others] = etcd.members
    await first?.kill('SIGKILL')
    await eventually('the others have a leader', async () =>
      (await read()).members.slice(1).every(({ isHealthy, hasLeader }) => isHealthy && hasLeader === true),
    )
    const health = await read()
    assert.equal(checkClusterStatus(health, 3).message, `Cluster member ${etcd.endpoints[0]} not healthy`)
    assert.equal(health.members[0]?.isMeasured, false)
    await Promise.all(others.map((member) => member.kill('SIGKILL')))
    const gone = await read()
    assert.deepEqual([gone.memberCount, gone.alarms], [undefined, undefined])
    assert.equal(checkClusterStatus(gone, 3).message, 'Not able to get cluster info')
  })
})

describe('readEtcdHealth(), hostile members', () => {
  const answers: Readonly<Record<string, () => Promise<Response>>> = {
    html: () => Promise.resolve(new Response('<html>')),
    'not healthy': () => Promise.resolve(Response.json({ health: 'false' })),
    proto: () => Promise.resolve(new Response('{"__proto__":{"health":"true"}}')),
    redirect: () => Promise.resolve(new Response(null, { status: 302 })),
    reset: () => Promise.reject(new TypeError('reset')),
    endless: () =>
      Promise.resolve(
        new Response(
          new ReadableStream({
            pull: (controller) => controller.enqueue(new Uint8Array(1024 * 1024).fill(0x61)),
          }),
        ),
      ),
  }
  for (const [name, answer] of Object.entries(answers)) {
    it(`takes ${name} for no answer`, async () => {
      const health = await readEtcdHealth({ urls: ['http://127.0.0.1:1'], fetch: answer, clock: systemClock })
      assert.equal(health.members[0]?.isHealthy, false)
      assert.equal(health.members[0]?.sizeBytes, undefined)
      assert.equal(health.memberCount, undefined)
    })
  }
})
