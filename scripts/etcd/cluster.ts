/**
 * Starts a real etcd of one or three members on loopback, for development and tests.
 *
 * @module
 */

import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { etcdVersion, findEtcd } from './binary.ts'
import { createMember, freePort, type EtcdMember, type MemberPlan } from './member.ts'

/** Most attempts to start, because another program may take a free port before etcd does. */
const START_ATTEMPTS = 3
/** File with ports and names of a cluster whose data is kept, because members know each other by their peer addresses. */
const PLAN_FILE = 'cluster.json'

/** Options of a cluster. */
export interface EtcdOptions {
  /** Default: 1. */
  readonly members?: number
  /** Client port of the first member. The others take the next ports. Default: free ports. */
  readonly port?: number
  /** Folder that keeps the data; absent: the data is temporary. */
  readonly dataFolder?: string
  /** Path of the binary. Default: see {@link findEtcd}. */
  readonly binary?: string
  /** Further command line arguments of every member, e.g. `--quota-backend-bytes=16777216`. */
  readonly flags?: readonly string[]
  /** Heartbeat interval of Raft. Default: etcd's 100 ms. */
  readonly heartbeatMs?: number
  /** Election timeout of Raft. Default: etcd's 1,000 ms. */
  readonly electionMs?: number
  /** Interval of progress messages on watches. Default: 1,000 ms. etcd's 10 minutes are too long to tell a quiet watch from a dead one. */
  readonly progressMs?: number
}

/** A running cluster. */
export interface EtcdCluster {
  /** Client addresses, one per member. */
  readonly endpoints: readonly string[]
  /** The endpoints as `--store` takes them. */
  readonly store: string
  /** Version of etcd, such as `3.4.23`. */
  readonly version: string
  readonly members: readonly EtcdMember[]
  /** Folder of data and logs. */
  readonly folder: string
  /** Stops all members cleanly. */
  stop(): Promise<void>
  /** Kills all members and removes temporary data. */
  close(): Promise<void>
}

/**
 * Starts a cluster and waits until every member has answered under its own random name. So no test writes into another server on the same
 * port.
 *
 * @throws {Error} When there is no etcd, or it does not start.
 */
export async function startEtcd(options: EtcdOptions = {}): Promise<EtcdCluster> {
  const binary = options.binary ?? (await findEtcd())
  const version = await etcdVersion(binary)
  for (let attempt = 1; ; attempt++) {
    const cluster = await prepareCluster(options, binary, version)
    try {
      await Promise.all(cluster.members.map((member) => member.restart()))
      return cluster
    } catch (error) {
      await cluster.close()
      if (attempt === START_ATTEMPTS || options.port !== undefined || options.dataFolder !== undefined)
        throw error
    }
  }
}

async function prepareCluster(options: EtcdOptions, binary: string, version: string): Promise<EtcdCluster> {
  const { dataFolder } = options
  if (dataFolder !== undefined) await mkdir(dataFolder, { recursive: true })
  const folder = dataFolder ?? (await mkdtemp(join(tmpdir(), 'aviso-etcd-')))
  const plans = await planMembers(options, folder)
  const flags = clusterFlags(options, plans, version)
  const members = plans.map((plan, index) =>
    createMember({ binary, plan, folder: join(folder, `member${index + 1}`), arguments: flags }),
  )
  const endpoints = members.map(({ url }) => url)
  return {
    endpoints,
    store: endpoints.join(','),
    version,
    members,
    folder,
    stop: async () => {
      await Promise.all(members.map((member) => member.stop()))
    },
    close: async () => {
      await Promise.all(members.map((member) => member.kill('SIGKILL')))
      if (dataFolder === undefined) await rm(folder, { recursive: true, force: true })
    },
  }
}

async function planMembers(
  { members = 1, port, dataFolder }: EtcdOptions,
  folder: string,
): Promise<readonly MemberPlan[]> {
  const known = dataFolder === undefined ? undefined : await readPlan(join(folder, PLAN_FILE))
  if (known !== undefined && known.length !== members)
    throw new Error(`${folder} holds an etcd of ${known.length} members, not ${members}`)
  const plans: MemberPlan[] = []
  for (let index = 0; index < members; index++) {
    const before = known?.[index]
    plans.push({
      name: before?.name ?? `aviso-${randomUUID()}`,
      clientPort: port === undefined ? (before?.clientPort ?? (await freePort())) : port + index,
      peerPort: before?.peerPort ?? (await freePort()),
    })
  }
  if (dataFolder !== undefined) await writeFile(join(folder, PLAN_FILE), JSON.stringify(plans, undefined, 2))
  return plans
}

async function readPlan(path: string): Promise<readonly MemberPlan[] | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as readonly MemberPlan[])
}

function clusterFlags(
  { heartbeatMs = 100, electionMs = 1_000, progressMs = 1_000, flags = [] }: EtcdOptions,
  plans: readonly MemberPlan[],
  version: string,
): readonly string[] {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  // The flag is no longer called experimental from 3.6 on.
  const trial = major === 3 && minor < 6 ? 'experimental-' : ''
  return [
    [
      '--initial-cluster',
      plans.map(({ name, peerPort }) => `${name}=http://127.0.0.1:${peerPort}`).join(','),
    ],
    ['--initial-cluster-token', plans.map(({ name }) => name).join('+')],
    ['--heartbeat-interval', String(heartbeatMs)],
    ['--election-timeout', String(electionMs)],
    [`--${trial}watch-progress-notify-interval`, `${progressMs}ms`],
    flags,
  ].flat()
}
