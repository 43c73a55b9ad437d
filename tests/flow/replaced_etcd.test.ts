/** etcd's three members, wiped or put back to an older copy behind running services: nothing acknowledged afterwards is lost, all are told. */

import assert from 'node:assert/strict'
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { findEtcdctl } from '../../scripts/etcd/binary.ts'
import type { EtcdMember } from '../../scripts/etcd/member.ts'
import { outputOf } from '../../scripts/run_command.ts'
import { withSystem, type TestSystem } from '../service/auth_fixture.ts'
import { flight } from '../support/notifications.ts'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import { openGatewayStore } from '../support/etcd_stores.ts'
import { readEvents } from '../support/streams.ts'
import { eventually } from '../support/waiting.ts'

const MEMBERS = 3

/** A way to lose what was written since `save`. */
interface Loss {
  readonly name: string
  save(etcd: EtcdCluster): Promise<void>
  /** The members do not run. */
  restore(etcd: EtcdCluster): Promise<void>
}

const dataOf = ({ folder }: EtcdCluster, index: number): string => join(folder, `member${index + 1}`, 'data')
const savedOf = ({ folder }: EtcdCluster, index: number): string =>
  join(folder, `member${index + 1}`, 'saved')
const eachMember = (work: (index: number) => Promise<void>): Promise<unknown> =>
  Promise.all(Array.from({ length: MEMBERS }, (_, index) => work(index)))

async function restart(etcd: EtcdCluster, between: () => Promise<void>): Promise<void> {
  await etcd.stop()
  await between()
  // All at once: none answers before most of them run.
  await Promise.all(etcd.members.map((member) => member.restart()))
}

const WIPE: Loss = {
  name: 'wiped',
  save: async () => undefined,
  restore: async (etcd) => {
    await eachMember((index) => rm(dataOf(etcd, index), { recursive: true }))
  },
}

const COPY: Loss = {
  name: 'put back to older copies of their folders',
  save: (etcd) =>
    restart(etcd, async () => {
      await eachMember((index) => cp(dataOf(etcd, index), savedOf(etcd, index), { recursive: true }))
    }),
  restore: async (etcd) => {
    await eachMember(async (index) => {
      await rm(dataOf(etcd, index), { recursive: true })
      await cp(savedOf(etcd, index), dataOf(etcd, index), { recursive: true })
    })
  },
}

function snapshot(etcdctl: string): Loss {
  const file = ({ folder }: EtcdCluster): string => join(folder, 'snapshot.db')
  const run = (argv: readonly string[]): Promise<string> =>
    outputOf(etcdctl, ['snapshot', ...argv], { environment: { ETCDCTL_API: '3' } })
  return {
    name: 'put back to a snapshot',
    save: async (etcd) => {
      await run(['save', file(etcd), '--endpoints', etcd.endpoints[0] ?? ''])
    },
    restore: async (etcd) => {
      const peers = etcd.members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',')
      const restoreOne = async ({ name, peerUrl }: EtcdMember, index: number): Promise<void> => {
        const data = dataOf(etcd, index)
        await rm(data, { recursive: true })
        const cluster = ['--initial-cluster', peers, '--initial-cluster-token', 'restored']
        const own = ['--name', name, '--initial-advertise-peer-urls', peerUrl, '--data-dir', data]
        await run(['restore', file(etcd), ...own, ...cluster])
      }
      await Promise.all(etcd.members.map(restoreOne))
    },
  }
}

/** Other members are taken for the restored store after 15 s. */
async function eventuallyServed(what: string, holds: () => Promise<boolean>): Promise<void> {
  await eventually(what, holds).catch(() => eventually(what, holds))
}

async function publish(test: TestSystem, number: string): Promise<{ sequence: string; replayed: boolean }> {
  const body = JSON.stringify({
    specversion: '1.0',
    id: `id of ${number}`,
    source: '/tests',
    type: 'aviso',
    data: { event: 'flight', request: flight(number), payload: number },
  })
  let answer: { sequence: string } | undefined
  let replayed = false
  await eventuallyServed(`${number} is stored`, async () => {
    const response = await test.post('/api/v1/notification', body)
    if (response.status !== 200) return response.body?.cancel().then(() => false) ?? false
    answer = (await response.json()) as { sequence: string }
    replayed = response.headers.get('idempotent-replay') === 'true'
    return true
  })
  assert.ok(answer !== undefined)
  return { sequence: answer.sequence, replayed }
}

async function open(test: TestSystem, query: string): Promise<Response> {
  let response: Response | undefined
  await eventually('the service listens', async () => {
    response = await test.call(`/api/v1/watch?event=flight${query}`)
    if (response.status !== 503) return true
    await response.body?.cancel()
    return false
  })
  assert.ok(response !== undefined)
  return response
}

const etcdctl = await findEtcdctl()
const LOSSES = [WIPE, COPY, ...(etcdctl === undefined ? [] : [snapshot(etcdctl)])]

describe('etcd that lost what it had acknowledged', { skip: await etcdMissing() }, () => {
  for (const loss of LOSSES) {
    describe(loss.name, () => {
      let etcd: EtcdCluster
      before(async () => {
        etcd = await startTestEtcd({ members: MEMBERS })
      })
      after(() => etcd.close())

      it('stores anew what a provider repeats, and tells every listener', async () => {
        const store = await openGatewayStore(etcd.endpoints)
        await withSystem(
          async (test) => {
            await publish(test, 'kept')
            await loss.save(etcd)
            const stream = readEvents(await open(test, '&from_id=1'))
            const lost = await publish(test, 'lost')
            assert.equal((await publish(test, 'lost')).replayed, true)
            const { id: position } = await stream.next(({ data }) => data.includes('"payload":"lost"'))
            await restart(etcd, () => loss.restore(etcd))

            const again = await publish(test, 'lost')
            assert.equal(again.replayed, false, 'a notification that was lost is stored again')
            assert.ok(BigInt(again.sequence) > BigInt(lost.sequence), 'no number comes twice')
            const ended = await stream.next(({ event }) => event === 'connection-closing')
            assert.match(ended.data, /store_unavailable/)
            for (const name of ['n1', 'n2', 'n3', 'n4']) await publish(test, name)
            const refused = await open(test, `&from=${position}`)
            assert.equal(refused.status, 410, await refused.text())
            const fresh = readEvents(await open(test, `&from_id=${again.sequence}`))
            await fresh.next(({ data }) => data.includes('"payload":"n4"'))
            await fresh.close()
          },
          { store: () => store },
        )
      })
    })
  }
})
