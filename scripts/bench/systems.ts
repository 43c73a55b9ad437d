/**
 * Starts the system under measurement, and the servers that it is compared with, as processes.
 *
 * @module
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openConnection } from './http_load.ts'
import { LIVE_PATH } from './listeners.ts'
import { startProcess, type BenchProcess, type BenchRuntime } from './processes.ts'

/** Content of a configuration file. */
export type Configuration = Readonly<Record<string, unknown>>

/** How to start the system. */
export interface AvisoOptions {
  readonly runtime?: BenchRuntime
  /** Store as for `npm start`. Default: the embedded store in a new folder. */
  readonly store?: string
  /** Default: all services. */
  readonly services?: readonly string[]
  /** Default: one. */
  readonly workers?: number
  /** Content of the configuration file, or what makes it beside further files in a folder. Default: the project's. */
  readonly config?: Configuration | ((folder: string) => Promise<Configuration>)
  /** Options of Node, before the script. */
  readonly nodeOptions?: readonly string[]
  /** Fills the folder of the embedded store before the start. */
  readonly prepare?: (folder: string) => Promise<void>
}

/** Path to which a provider posts. */
export const PUBLISH_PATH = '/api/v1/notification'
const READY_LIMIT_MS = 20_000

/** Starts the launcher as a user would, on a free port, and waits until the store has answered. */
export async function startAviso(options: AvisoOptions = {}): Promise<BenchProcess> {
  const { runtime = 'node', store = 'embedded:', services = [], workers = 1, config, prepare } = options
  const { nodeOptions = [] } = options
  const folder = await mkdtemp(join(tmpdir(), 'aviso-bench-'))
  const argv = [
    ...nodeOptions,
    'scripts/serve.ts',
    ...services,
    '--port',
    '0',
    '--store',
    store,
    '--data',
    folder,
  ]
  if (workers > 1) argv.push('--workers', String(workers))
  const started = (async () => {
    await prepare?.(folder)
    if (config === undefined) return startProcess(runtime, argv)
    const file = join(folder, 'config.json')
    const content = typeof config === 'function' ? await config(folder) : config
    await writeFile(file, JSON.stringify(content))
    return startProcess(runtime, [...argv, '--config', file])
  })()
  const process = await started.catch(async (error: unknown) => {
    await rm(folder, { recursive: true, force: true })
    throw error
  })
  const stop = async (): Promise<void> => {
    await process.stop()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await untilReady(process.url)
  } catch (error) {
    await stop()
    throw error
  }
  return { ...process, stop }
}

/** Options of the plain server. */
export interface BareOptions {
  /** Default: Node. */
  readonly runtime?: BenchRuntime
  readonly paddingBytes?: number
  /** `raw` (the default) writes to the sockets, `write` goes through the responses as most servers do. */
  readonly mode?: 'raw' | 'write'
}

/** Starts the plain server that writes what is posted to all sockets. */
export function startBareFanOut(options: BareOptions = {}): Promise<BenchProcess> {
  const { runtime = 'node', paddingBytes = 0, mode = 'raw' } = options
  return startProcess(runtime, ['scripts/bench/servers/bare_fan_out.ts', String(paddingBytes), mode])
}

/** Waits until a system says that it is ready. */
export async function untilReady(url: string): Promise<void> {
  const limit = performance.now() + READY_LIMIT_MS
  while (performance.now() < limit) {
    const response = await fetch(`${url}/readyz`)
    await response.body?.cancel()
    if (response.status === 200) return
    await new Promise((next) => setTimeout(next, 20))
  }
  throw new Error(`A server was not ready within ${READY_LIMIT_MS / 1_000} s`)
}

/** Posts one body and waits for its success. */
export async function postOnce(url: string, body: string): Promise<void> {
  const connection = await openConnection(url)
  const { status, body: answer } = await connection.post(body)
  connection.close()
  if (status !== 200) throw new Error(`${url} answered ${status}: ${answer.slice(0, 300)}`)
}

/** The cursor of the newest notification. With it in `from`, a stream begins after that notification. */
export async function currentCursor(url: string): Promise<string> {
  const response = await fetch(`${url}${LIVE_PATH}`, { headers: { Accept: 'application/x-ndjson' } })
  let text = ''
  for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += part
    if (text.includes('\n')) break
  }
  const { id } = JSON.parse(text.split('\n')[0] ?? '') as { readonly id?: string }
  if (id === undefined) throw new Error('A stream does not say where it begins')
  return id
}

/** Runs `use` with a process, and stops the process in any case. */
export async function withProcess<Result>(
  start: Promise<BenchProcess>,
  use: (process: BenchProcess) => Promise<Result>,
): Promise<Result> {
  const process = await start
  try {
    return await use(process)
  } finally {
    await process.stop()
  }
}
