/**
 * One etcd process on loopback: start, stop, kill, pause, start again on the same ports and data.
 *
 * @module
 */

import { spawn, type ChildProcess } from 'node:child_process'
import { mkdir, open, readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import { systemClock } from '#shared/time/clock.ts'
import { within } from '#shared/time/deadline.ts'

/** How long a member may need until it answers, on a machine that is busy with tests. */
const START_LIMIT_MS = 60_000
/** etcd waits some 7 s for open watches when it is asked to stop. */
const STOP_LIMIT_MS = 12_000
const POLL_MS = 30
/** What of its log an error shows. */
const LOG_TAIL_CHARACTERS = 2_000

/**
 * Kills etcd when the pipe to this process breaks, however this process ended. The shell becomes etcd, so its process id
 * is etcd's.
 */
const KILL_WITH_PARENT = 'exec 3<&0; (cat <&3 >/dev/null; kill -9 $$ 2>/dev/null) & exec "$@" </dev/null 3<&-'

/** Where a member listens and under which name. */
export interface MemberPlan {
  readonly name: string
  readonly clientPort: number
  readonly peerPort: number
}

/** A process of a member. */
interface Running {
  readonly child: ChildProcess
  readonly exited: Promise<void>
}

/** What a member is started with. */
export interface MemberOptions {
  readonly binary: string
  readonly plan: MemberPlan
  /** Folder for its data and its log. */
  readonly folder: string
  readonly arguments: readonly string[]
}

/** A member of a cluster. */
export interface EtcdMember {
  readonly name: string
  /** e.g. `http://127.0.0.1:2379` */
  readonly url: string
  /** Process id; `undefined` while it does not run. */
  readonly pid: number | undefined
  /** Sends a signal (`SIGSTOP`, `SIGCONT`, …); resolves at once, after `SIGKILL` when it has gone. */
  kill(signal: NodeJS.Signals): Promise<void>
  /** Asks it to stop, and kills it when it does not. */
  stop(): Promise<void>
  /** Starts it again on the same ports and data and waits until it answers. Without a quorum it does not: see `start`. */
  restart(): Promise<void>
  /** Starts it without waiting. */
  start(): Promise<void>
  /** Waits until it answers as itself and sees a leader. @throws {Error} With the tail of its log. */
  ready(): Promise<void>
}

/** A member that does not run yet. */
export function createMember(options: MemberOptions): EtcdMember {
  const { plan, folder } = options
  const url = `http://127.0.0.1:${plan.clientPort}`
  const logFile = join(folder, 'etcd.log')
  let running: Running | undefined

  const start = async (): Promise<void> => {
    if (running !== undefined) throw new Error(`etcd member ${plan.name} runs already`)
    await mkdir(folder, { recursive: true })
    const log = await open(logFile, 'a')
    const argv = [options.binary, ...memberArguments(options, url)]
    const started = spawn('sh', ['-c', KILL_WITH_PARENT, 'etcd', ...argv], {
      stdio: ['pipe', log.fd, log.fd],
    })
    // A broken pipe to a member that has gone is no news.
    started.stdin?.on('error', () => undefined)
    const exited = new Promise<void>((done) => {
      const finish = (): void => {
        if (running?.child === started) running = undefined
        started.stdin?.destroy()
        done()
      }
      started.once('exit', finish)
      started.once('error', finish)
    })
    running = { child: started, exited }
    await log.close()
  }
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    const { child, exited } = running ?? {}
    send(child?.pid, signal)
    if (signal === 'SIGKILL') await exited
  }
  const stop = async (): Promise<void> => {
    const { child, exited } = running ?? {}
    send(child?.pid, 'SIGCONT')
    send(child?.pid, 'SIGTERM')
    if (exited !== undefined) {
      await within(exited, { clock: systemClock, ms: STOP_LIMIT_MS, late: () => undefined })
    }
    await kill('SIGKILL')
  }
  const ready = async (): Promise<void> => {
    const deadline = performance.now() + START_LIMIT_MS
    while (running !== undefined && performance.now() < deadline) {
      if (await isHealthy(url)) {
        if (running !== undefined && (await memberNames(url)).includes(plan.name)) return
        throw new Error(`Another etcd answers at ${url}: port ${plan.clientPort} was taken`)
      }
      await new Promise((done) => setTimeout(done, POLL_MS))
    }
    const log = await readFile(logFile, 'utf8').catch(() => '')
    throw new Error(`etcd did not start at ${url}:\n${log.slice(-LOG_TAIL_CHARACTERS)}`)
  }
  return {
    name: plan.name,
    url,
    get pid() {
      return running?.child.pid
    },
    kill,
    stop,
    start,
    ready,
    restart: async () => {
      await start()
      await ready()
    },
  }
}

/** Not `child.kill()`: on Deno its second call does nothing. */
function send(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(pid, signal)
  } catch {
    // It has just ended by itself, as the exit event will tell.
  }
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const server = createServer()
    server.once('error', failed)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => done(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

function memberArguments({ plan, folder, arguments: more }: MemberOptions, url: string): readonly string[] {
  const peer = `http://127.0.0.1:${plan.peerPort}`
  return [
    ['--name', plan.name],
    ['--data-dir', join(folder, 'data')],
    ['--listen-client-urls', url],
    ['--advertise-client-urls', url],
    ['--listen-peer-urls', peer],
    ['--initial-advertise-peer-urls', peer],
    more,
  ].flat()
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(START_LIMIT_MS / 10) })
    const { health } = (await response.json()) as { health?: unknown }
    return health === 'true'
  } catch {
    return false
  }
}

/** Names of the members of the cluster that answers there. */
async function memberNames(url: string): Promise<readonly string[]> {
  const response = await fetch(`${url}/v3/cluster/member/list`, { method: 'POST', body: '{}' })
  const { members = [] } = (await response.json()) as { members?: readonly { readonly name?: string }[] }
  return members.map(({ name = '' }) => name)
}
