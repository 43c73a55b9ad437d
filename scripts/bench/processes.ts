/**
 * Starts the processes under measurement on their own processor, reads their figures from `/proc`, and ends them.
 *
 * @module
 */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { createInterface } from 'node:readline'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BIN = `${ROOT}node_modules/.bin`
/** Module that makes a process collect garbage on request. */
const COLLECT = 'scripts/bench/servers/collect_garbage.ts'
/** Units per second in which Linux counts processor time, on every architecture that matters here. */
const CLOCK_TICKS_PER_SECOND = 100
const START_LIMIT_MS = 30_000
/** Longer than the launcher's own limit to stop. */
const STOP_LIMIT_MS = 20_000
/** Wait after a collection, because freed pages go back to the system a little later. */
const COLLECT_WAIT_MS = 400

/** Runtimes that the rows about listeners are measured on. */
export const BENCH_RUNTIMES = ['node', 'deno', 'bun'] as const

export type BenchRuntime = (typeof BENCH_RUNTIMES)[number]

/** A running server process. */
export interface BenchProcess {
  readonly url: string
  readonly pid: number
  /** Milliseconds from the start to the line with the address. */
  readonly startMs: number
  /** User and system time so far, in seconds. */
  cpuSeconds(): number
  /** How long its main thread was ready to run and had no processor, in milliseconds so far. NaN where the system does not tell. */
  processorWaitMs(): number
  /** Resident memory in MiB. */
  residentMebibytes(): number
  /** Makes the process collect garbage, and waits for that. */
  collectGarbage(): Promise<void>
  stop(): Promise<void>
}

/** Whether processes can be pinned: there are two processors and the program `taskset`. */
export const CAN_PIN = cpus().length > 1 && spawnSync('taskset', ['-V']).status === 0

/** The processors of the servers and of the load generator. */
const SERVER_CORE = 0
const LOAD_CORE = 1
const BOTH_CORES = `${SERVER_CORE},${LOAD_CORE}`

/**
 * Where processes run. `apart`: servers on one processor, the load generator and the stores that it starts on the other. `together`: all on
 * both processors, for figures of the whole system and not of one process.
 */
export type Placement = 'apart' | 'together'

let placement: Placement = 'together'

/** Places this process and those that are started later. */
export function place(next: Placement): void {
  placement = next
  const processors = next === 'apart' ? String(LOAD_CORE) : BOTH_CORES
  if (CAN_PIN) spawnSync('taskset', ['-a', '-cp', processors, String(process.pid)])
}

/** What stands before the command of a server, so that it runs where {@link place} chose. @param isPlain Whether it may run anywhere. */
export function pinOf(isPlain = false): readonly string[] {
  const processors = isPlain || placement === 'together' ? BOTH_CORES : String(SERVER_CORE)
  return CAN_PIN ? ['taskset', '-c', processors] : []
}

/** Whether figures of processes can be read, which needs Linux. */
export const HAS_PROC = existsSync('/proc/self/stat')

/** Command line of a script on a runtime, as `npm start` uses it. */
export function runtimeCommand(runtime: BenchRuntime): readonly string[] {
  switch (runtime) {
    case 'node':
      return [
        process.execPath,
        '--import',
        './scripts/check_node.mjs',
        '--disable-warning=ExperimentalWarning',
      ]
    case 'deno':
      return [`${BIN}/deno`, 'run', '-A', '--no-check', '--quiet']
    case 'bun':
      return [`${BIN}/bun`]
  }
}

/** Arguments that {@link BenchProcess.collectGarbage} needs. */
function collectArguments(runtime: BenchRuntime): readonly string[] {
  switch (runtime) {
    case 'node':
      return ['--import', `./${COLLECT}`]
    case 'deno':
      return ['--v8-flags=--expose-gc', '--preload', `./${COLLECT}`]
    case 'bun':
      return ['--preload', `./${COLLECT}`]
  }
}

const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/**
 * Starts a script that prints `Listening on <url>` or, as wrangler does, `Ready on <url>`, on the processor that {@link place} chose, if processes can be pinned.
 *
 * @param isPlain Whether to start it as a user would: on any processor, without modules loaded before it.
 * @param environment Variables added to those of this process.
 */
export async function startProcess(
  runtime: BenchRuntime,
  argv: readonly string[],
  isPlain = false,
  environment: Readonly<Record<string, string>> = {},
): Promise<BenchProcess> {
  const pin = pinOf(isPlain)
  const collect = isPlain ? [] : collectArguments(runtime)
  const [command = '', ...rest] = [...pin, ...runtimeCommand(runtime), ...collect, ...argv]
  const startedAt = performance.now()
  const child = spawn(command, rest, {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', ...environment },
  })
  running.add(child)
  const exited = new Promise<void>((done) => {
    const finish = (): void => {
      running.delete(child)
      done()
    }
    child.once('exit', finish)
    child.once('error', finish)
  })
  const url = await listeningUrl(child)
  const pid = child.pid ?? 0
  return {
    url,
    pid,
    startMs: performance.now() - startedAt,
    cpuSeconds: () => cpuSeconds(pid),
    processorWaitMs: () => processorWaitMs(pid),
    residentMebibytes: () => residentMebibytes(pid),
    collectGarbage: async () => {
      child.kill('SIGUSR2')
      await new Promise((done) => setTimeout(done, COLLECT_WAIT_MS))
    },
    stop: async () => {
      child.kill('SIGTERM')
      const limit = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS)
      await exited
      clearTimeout(limit)
    },
  }
}

function listeningUrl(child: ChildProcess): Promise<string> {
  return new Promise((found, failed) => {
    let output = ''
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      failed(new Error(`A server did not start: ${output}`))
    }, START_LIMIT_MS)
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue
      createInterface({ input: stream }).on('line', (line) => {
        // Further output is read and dropped, so that the process does not block on a full pipe.
        if (output.length < 10_000) output += `${line}\n`
        const url = /(?:^Listening|Ready) on (http:\S+)$/.exec(line)?.[1]
        if (url === undefined) return
        clearTimeout(timer)
        found(url)
      })
    }
    child.once('error', failed)
    child.once('exit', (code) => {
      clearTimeout(timer)
      failed(new Error(`A server ended with ${code}: ${output}`))
    })
  })
}

/** User and system time of a process with all its threads, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The second field may hold spaces, but the fields after its closing parenthesis do not.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND
}

function processorWaitMs(pid: number): number {
  const path = `/proc/${pid}/schedstat`
  // Time on a processor, time in the queue for one, both in nanoseconds, and how often it ran.
  return existsSync(path) ? Number(readFileSync(path, 'latin1').split(' ')[1]) / 1e6 : Number.NaN
}

/** Resident memory of a process, in MiB. */
export function residentMebibytes(pid: number): number {
  const kibibytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
  return Number(kibibytes) / 1024
}

/** Memory that a process alone has and has written, in MiB: what it takes from the machine beside others that run the same program. */
export function privateMebibytes(pid: number): number {
  const kibibytes = /Private_Dirty:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1]
  return Number(kibibytes) / 1024
}

/** The number of files and sockets that a process may open. */
export function fileLimit(): number {
  const most = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1]
  return Number(most ?? Number.POSITIVE_INFINITY)
}
