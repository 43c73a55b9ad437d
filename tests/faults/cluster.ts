/**
 * Three real etcd members on loopback whose connections to each other can be cut.
 *
 * @module
 */

import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { etcdVersion, findEtcd } from '../../scripts/etcd/binary.ts'
import { createMember, freePort, type EtcdMember, type MemberPlan } from '../../scripts/etcd/member.ts'
import { startPeerProxy, type PeerProxy } from './peer_proxy.ts'

/** Raft's clock: an election takes a second or two on a machine that is busy with tests. */
const HEARTBEAT_MS = 100
const ELECTION_MS = 1_000
const PROGRESS_MS = 1_000
const MEMBERS = 3
/** A port may be taken between the moment it was found free and the start of etcd. */
const START_ATTEMPTS = 3
/** Longest wait for one question to a member that may be paused. */
const ASK_MS = 500
/** Longest wait for leases of a few seconds; a new leader gives each its whole time again. */
const LEASES_MS = 30_000
/** Longest wait for a leader. */
const LEADER_MS = 15_000

/** The cluster. */
export interface FaultCluster {
  readonly members: readonly EtcdMember[]
  /** e.g. `3.4.23` */
  readonly version: string
  /** Index of the member that leads. @throws {Error} When none does for long. */
  leader(): Promise<number>
  /** Waits until no lease is left, so that nothing ends by itself any more. @throws {Error} When one stays for long. */
  leasesEnded(): Promise<void>
  /** Cuts a member off from the others; clients still reach it. */
  isolate(index: number): void
  /** Raises the alarm that there is no room, or takes it back. It counts for all members. @throws {Error} When no member does for long. */
  alarm(isRaised: boolean): Promise<void>
  /** Ends every isolation. */
  reunite(): void
  close(): Promise<void>
}

/** Starts it and waits until every member answers. */
export async function startFaultCluster(): Promise<FaultCluster> {
  for (let attempt = 1; ; attempt++) {
    const cluster = await prepareCluster()
    try {
      // All at once: none answers before most of them run.
      await Promise.all(cluster.members.map((member) => member.restart()))
      await cluster.learnIds()
      return cluster
    } catch (error) {
      await cluster.close()
      if (attempt === START_ATTEMPTS) throw error
    }
  }
}

async function prepareCluster(): Promise<FaultCluster & { learnIds(): Promise<void> }> {
  const binary = await findEtcd()
  const version = await etcdVersion(binary)
  const folder = await mkdtemp(join(tmpdir(), 'aviso-faults-'))
  const isolated = new Set<number>()
  /** Indices of members by id. */
  const ids = new Map<string, number>()
  const isCut = (target: number, from: string): boolean => {
    const source = ids.get(from)
    return isolated.size > 0 && (isolated.has(target) || (source !== undefined && isolated.has(source)))
  }
  const plans: { readonly plan: MemberPlan; readonly proxy: PeerProxy }[] = []
  for (let index = 0; index < MEMBERS; index++) {
    const plan = { name: `aviso-${randomUUID()}`, clientPort: await freePort(), peerPort: await freePort() }
    const proxy = await startPeerProxy({ targetPort: plan.peerPort, isCut: (from) => isCut(index, from) })
    plans.push({ plan, proxy })
  }
  const token = randomUUID()
  const peers = plans.map(({ plan, proxy }) => `${plan.name}=${proxy.url}`).join(',')
  const members = plans.map(({ plan, proxy }, index) =>
    createMember({
      binary,
      plan,
      folder: join(folder, `member${index + 1}`),
      arguments: [
        // Named again: etcd takes the last one.
        ['--initial-advertise-peer-urls', proxy.url],
        ['--initial-cluster', peers],
        ['--initial-cluster-token', token],
        ['--heartbeat-interval', String(HEARTBEAT_MS)],
        ['--election-timeout', String(ELECTION_MS)],
        ['--experimental-watch-progress-notify-interval', `${PROGRESS_MS}ms`],
      ].flat(),
    }),
  )
  const review = (): void => {
    for (const { proxy } of plans) proxy.review()
  }
  return {
    members,
    version,
    learnIds: async () => {
      for (const { ID, name } of (await ask(members[0], '/v3/cluster/member/list')).members ?? []) {
        const index = plans.findIndex(({ plan }) => plan.name === name)
        ids.set(BigInt(ID).toString(16), index)
      }
    },
    leader: () => findLeader(members, ids),
    leasesEnded: () => waitForLeases(members),
    isolate: (index) => {
      isolated.add(index)
      review()
    },
    alarm: (isRaised) => setAlarm(members, [...ids.keys()], isRaised),
    reunite: () => {
      isolated.clear()
      review()
    },
    close: async () => {
      await Promise.all(members.map((member) => member.kill('SIGKILL')))
      await Promise.all(plans.map(({ proxy }) => proxy.close()))
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** The parts of etcd's answers that are read here. */
interface Answer {
  readonly members?: readonly { readonly ID: string; readonly name: string }[]
  readonly leases?: readonly unknown[]
  readonly alarms?: readonly unknown[]
  readonly leader?: string
  readonly raftTerm?: string
}

async function ask(member: EtcdMember | undefined, path: string, question: object = {}): Promise<Answer> {
  if (member === undefined) throw new Error('There is no such member')
  const signal = AbortSignal.timeout(ASK_MS)
  const body = JSON.stringify(question)
  const response = await fetch(member.url + path, { method: 'POST', body, signal })
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
  return (await response.json()) as Answer
}

/** Asks one member after the other until one has done it: others may be struck at the same time. */
async function setAlarm(
  members: readonly EtcdMember[],
  ids: readonly string[],
  isRaised: boolean,
): Promise<void> {
  const [id = '0'] = ids
  const alarm = { memberID: BigInt(`0x${id}`).toString(), alarm: 'NOSPACE' }
  const action = isRaised ? 'ACTIVATE' : 'DEACTIVATE'
  let failure: unknown
  for (let turn = 0, limit = performance.now() + LEADER_MS; performance.now() < limit; turn++) {
    try {
      const member = members[turn % members.length]
      await ask(member, '/v3/maintenance/alarm', { action, ...alarm })
      const { alarms = [] } = await ask(member, '/v3/maintenance/alarm', { action: 'GET' })
      if (alarms.length > 0 === isRaised) return
    } catch (error) {
      failure = error
    }
    await new Promise((done) => setTimeout(done, 50))
  }
  throw new Error('No member takes an alarm', { cause: failure })
}

/** The leader of the newest term, for a member that was cut off may still think that it leads. */
async function findLeader(members: readonly EtcdMember[], ids: ReadonlyMap<string, number>): Promise<number> {
  for (const limit = performance.now() + LEADER_MS; performance.now() < limit;) {
    const answers = await Promise.all(
      members.map((member) => ask(member, '/v3/maintenance/status').catch((): Answer => ({}))),
    )
    const led = answers
      .filter(({ leader = '0' }) => leader !== '0')
      .toSorted((a, b) => Number(b.raftTerm ?? 0) - Number(a.raftTerm ?? 0))
    const index = ids.get(BigInt(led[0]?.leader ?? 0).toString(16))
    if (index !== undefined && members[index]?.pid !== undefined) return index
    await new Promise((done) => setTimeout(done, 50))
  }
  throw new Error('No member leads')
}

async function waitForLeases(members: readonly EtcdMember[]): Promise<void> {
  for (const limit = performance.now() + LEASES_MS; performance.now() < limit;) {
    const { leases = [] } = await ask(members[0], '/v3/lease/leases').catch((): Answer => ({ leases: [0] }))
    if (leases.length === 0) return
    await new Promise((done) => setTimeout(done, 100))
  }
  throw new Error('A lease does not end')
}
