/**
 * Runs one etcd process on loopback: starts, stops, kills and pauses it, and starts it again on the same ports and data.
 *
 * @module
 */

import { spawn, type ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdir, open, readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import { systemClock } from '#shared/time/clock.ts'
import { within } from '#shared/time/deadline.ts'

/** Longest wait until a member answers, on a machine that is busy with tests. */
const START_LIMIT_MS = 60_000
/** Longest wait for a stop. etcd waits about 7 s for open watches. */
const STOP_LIMIT_MS = 12_000
const POLL_MS = 30
/** Ports that Linux (from 32768) and others (from 49152) do not give out by themselves, and above those of well-known services. */
const OWN_PORTS = { first: 10_100, end: 32_700 }
/** How much of the log an error shows. */
const LOG_TAIL_CHARACTERS = 2_000

/**
 * Shell command that runs etcd and kills it when the pipe to this process breaks, however this process ends. The shell becomes etcd, so
 * both have the same process id.
 */
const KILL_WITH_PARENT = 'exec 3<&0; (cat <&3 >/dev/null; kill -9 $$ 2>/dev/null) & exec "$@" </dev/null 3<&-'

/** The name of a member and the ports on which it listens. */
export interface MemberPlan {
  readonly name: string
  readonly clientPort: number
  readonly peerPort: number
}

/** The running process of a member. */
interface Running {
  readonly child: ChildProcess
  readonly exited: Promise<void>
}

/** Options of a member. */
export interface MemberOptions {
  readonly binary: string
  readonly plan: MemberPlan
  /** Folder of data and log. */
  readonly folder: string
  readonly arguments: readonly string[]
}

/** A member of a cluster. */
export interface EtcdMember {
  readonly name: string
  /** Address such as `http://127.0.0.1:2379`. */
  readonly url: string
  /** Address for the other members. */
  readonly peerUrl: string
  /** Where its data is. */
  readonly dataFolder: string
  /** Process id; `undefined` while the member does not run. */
  readonly pid: number | undefined
  /** Sends a signal (`SIGSTOP`, `SIGCONT`, …). Resolves at once; for `SIGKILL` when the process has ended. */
  kill(signal: NodeJS.Signals): Promise<void>
  /** Asks the member to stop, and kills it when it does not. */
  stop(): Promise<void>
  /** Starts the member on the same ports and data, and waits until it answers. Without a quorum it never does: use `start` then. */
  restart(): Promise<void>
  /** Starts the member without waiting. */
  start(): Promise<void>
  /** Waits until the member answers under its own name and sees a leader. @throws {Error} When it does not; with the end of its log. */
  ready(): Promise<void>
}

/** Makes a member that does not run yet. */
export function createMember(options: MemberOptions): EtcdMember {
  const { plan, folder } = options
  const url = `http://127.0.0.1:${plan.clientPort}`
  const peerUrl = `http://127.0.0.1:${plan.peerPort}`
  const logFile = join(folder, 'etcd.log')
  let running: Running | undefined

  const start = async (): Promise<void> => {
    if (running !== undefined) throw new Error(`etcd member ${plan.name} runs already`)
    await mkdir(folder, { recursive: true })
    const log = await open(logFile, 'a')
    const argv = [options.binary, ...memberArguments(options, { url, peerUrl })]
    const started = spawn('sh', ['-c', KILL_WITH_PARENT, 'etcd', ...argv], {
      stdio: ['pipe', log.fd, log.fd],
    })
    // A broken pipe only means that the member has ended, which the exit event reports.
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
    peerUrl,
    dataFolder: join(folder, 'data'),
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

/** Sends a signal. `child.kill()` is not used, because its second call does nothing on Deno. */
function send(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(pid, signal)
  } catch {
    // The process has just ended by itself, and the exit event will report it.
  }
}

/**
 * A port that was free at the time of the call. It is not one of those that the system gives out by itself, to servers and to connections: one of
 * them could be in use a moment later.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(OWN_PORTS.first, OWN_PORTS.end)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer()
    server.once('error', () => done(false))
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)))
  })
}

function memberArguments(
  { plan, folder, arguments: more }: MemberOptions,
  { url, peerUrl: peer }: Pick<EtcdMember, 'url' | 'peerUrl'>,
): readonly string[] {
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

/** The names of the members of the cluster that answers at an address. */
async function memberNames(url: string): Promise<readonly string[]> {
  const response = await fetch(`${url}/v3/cluster/member/list`, { method: 'POST', body: '{}' })
  const { members = [] } = (await response.json()) as { members?: readonly { readonly name?: string }[] }
  return members.map(({ name = '' }) => name)
}
