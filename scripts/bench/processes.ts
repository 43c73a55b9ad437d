/**
 * The processes under measurement: started pinned to one core, read through `/proc`, ended at the end.
 *
 * @module
 */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BIN = `${ROOT}node_modules/.bin`
/** Linux counts processor time in these per second on every architecture that matters here. */
const CLOCK_TICKS_PER_SECOND = 100
const START_LIMIT_MS = 30_000

export type BenchRuntime = 'node' | 'deno' | 'bun'

/** A running server process. */
export interface BenchProcess {
  readonly url: string
  readonly pid: number
  /** User and system time so far, in seconds. */
  cpuSeconds(): number
  /** Resident memory in MiB. */
  residentMebibytes(): number
  stop(): Promise<void>
}

/** Whether processes can be pinned here. */
export const CAN_PIN = spawnSync('taskset', ['-V']).status === 0

/** Command line of a script on a runtime. */
export function runtimeCommand(runtime: BenchRuntime): readonly string[] {
  switch (runtime) {
    case 'node':
      return [process.execPath, '--disable-warning=ExperimentalWarning']
    case 'deno':
      return [`${BIN}/deno`, 'run', '-A', '--no-check', '--quiet']
    case 'bun':
      return [`${BIN}/bun`]
  }
}

/** Starts a script that prints `Listening on <url>`, on processor `core` where pinning is possible. */
export async function startProcess(
  runtime: BenchRuntime,
  argv: readonly string[],
  core = 0,
): Promise<BenchProcess> {
  const line = [...(CAN_PIN ? ['taskset', '-c', String(core)] : []), ...runtimeCommand(runtime), ...argv]
  const [command = '', ...rest] = line
  const child = spawn(command, rest, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
  const url = await listeningUrl(child)
  const pid = child.pid ?? 0
  return {
    url,
    pid,
    cpuSeconds: () => cpuSeconds(pid),
    residentMebibytes: () => residentMebibytes(pid),
    stop: async () => {
      const exited = new Promise<void>((done) => child.once('exit', () => done()))
      child.kill('SIGTERM')
      await exited
    },
  }
}

function listeningUrl(child: ChildProcess): Promise<string> {
  return new Promise((found, failed) => {
    let output = ''
    const timer = setTimeout(() => failed(new Error(`did not start: ${output}`)), START_LIMIT_MS)
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue
      createInterface({ input: stream }).on('line', (line) => {
        output += `${line}\n`
        const url = /^Listening on (http:\S+)$/.exec(line)?.[1]
        if (url === undefined) return
        clearTimeout(timer)
        found(url)
      })
    }
    child.once('exit', (code) => failed(new Error(`ended with ${code}: ${output}`)))
  })
}

/** User and system time of a process, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The second field may hold spaces; what follows its closing parenthesis does not.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND
}

/** Resident memory of a process, in MiB. */
export function residentMebibytes(pid: number): number {
  const kibibytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
  return Number(kibibytes) / 1024
}
