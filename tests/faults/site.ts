/**
 * A whole installation on loopback for the chaos run: three etcd members, two ingests, two listening services, each a process of its own, and a proxy that misbehaves
 * on every edge between a service and a member, and between clients and services.
 *
 * @module
 */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startFaultCluster, type FaultCluster } from './cluster.ts'
import type { Dice } from '../support/dice.ts'
import { createFakeClock, fakeClockMissing, type FakeClock } from './fake_clock.ts'
import { startService, type ServiceProcess } from './service_process.ts'
import { startTcpProxy, type TcpProxy } from './tcp_proxy.ts'

/** A service and the proxies around it. */
export interface SiteService {
  readonly process: ServiceProcess
  /** To the members, in their order. */
  readonly edges: readonly TcpProxy[]
  /** From clients that are disturbed; others go to the service itself. */
  readonly front: TcpProxy
  /** Its wall clock; absent: it cannot be moved on this machine. */
  readonly clock?: FakeClock
}

/** Everything that runs. */
export interface Site {
  readonly cluster: FaultCluster
  readonly ingests: readonly [SiteService, SiteService]
  readonly listening: readonly [SiteService, SiteService]
  /** Why the clocks of services cannot be moved, or `false`. */
  readonly clocksMissing: string | false
  close(): Promise<void>
}

/**
 * Small enough that faults of seconds meet the bounds: streams end by age, slow readers are ended, the ring is overtaken, and silence shows within a heartbeat.
 */
const AUTH_VARS = { heartbeatSeconds: 1, streamMaxAgeSeconds: 20, stallSeconds: 3, ringMebibytes: 1 }

/** How services reach the store: etcd's JSON gateway, or gRPC. */
export type Adapter = 'gateway' | 'grpc'

/** Starts it. */
export async function startSite(dice: Dice, adapter: Adapter = 'gateway'): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-site-'))
  const closers: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })]
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).toReversed()) await closer()
  }
  try {
    const config = await writeConfig(folder)
    const clocksMissing = await fakeClockMissing()
    const cluster = await startFaultCluster()
    closers.push(() => cluster.close())
    const start = async (kind: 'rest' | 'auth', number: number): Promise<SiteService> => {
      const name = `${kind}${number}`
      const edges: TcpProxy[] = []
      for (const { url } of cluster.members) {
        const edge = await startTcpProxy(Number(new URL(url).port), dice.fork(`${name} to ${edges.length}`))
        closers.push(() => edge.close())
        edges.push(edge)
      }
      const store = edges.map(({ url }) => url.replace('http:', `${adapter}:`)).join(',')
      const clock = clocksMissing === false ? await createFakeClock(join(folder, `${name}.clock`)) : undefined
      const argv = [kind, '--store', store, '--config', config]
      const process = await startService(name, argv, clock)
      closers.push(() => process.stop('SIGKILL'))
      const front = await startTcpProxy(process.port, dice.fork(`clients to ${name}`))
      closers.push(() => front.close())
      return { process, edges, front, ...(clock !== undefined && { clock }) }
    }
    const ingests = [await start('rest', 1), await start('rest', 2)] as const
    const listening = [await start('auth', 1), await start('auth', 2)] as const
    return { cluster, ingests, listening, clocksMissing, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Writes the configuration of the services into a folder. @returns its path. */
export async function writeConfig(folder: string): Promise<string> {
  const path = join(folder, 'config.json')
  await writeFile(path, JSON.stringify(await makeConfig()))
  return path
}

async function makeConfig(): Promise<unknown> {
  const file = new URL('../../wrangler-like.config.json', import.meta.url)
  const config = JSON.parse(await readFile(file, 'utf8')) as {
    readonly vars: object
    readonly workers: { readonly auth: { readonly vars: object } }
  }
  const { auth } = config.workers
  return {
    ...config,
    vars: { ...config.vars, logLevel: 'warn' },
    workers: { ...config.workers, auth: { ...auth, vars: { ...auth.vars, ...AUTH_VARS } } },
  }
}
