/**
 * Defines another message system as the benchmark sees it, and runs its server.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { freePort } from '../../etcd/member.ts'
import type { ListenLoad, PostLoad, WireLoad } from '../generator.ts'
import { cpuSeconds, pinOf } from '../processes.ts'
import type { Installed } from './install.ts'

/** A message system. */
export interface Peer {
  readonly name: string
  /** Whether an acknowledged single survives a loss of power. */
  readonly isDurable: boolean
  /** @throws {MissingPeerError} When it cannot be had or does not start. */
  start(): Promise<PeerServer>
}

/** A message system cannot be had on this machine. */
export class MissingPeerError extends Error {}

export interface Publishes {
  readonly connections: number
  readonly ratePerSecond?: number
}

/** A running server, and the loads that it takes. */
export interface PeerServer {
  /** Address for the generator. */
  readonly url: string
  cpuSeconds(): number
  stop(): Promise<void>
  /** Single notifications, each acknowledged. */
  publish(load: Publishes): PostLoad | WireLoad
  /** Streams of what is published from now on. Absent: it has none. */
  readonly listen?: (connections: number) => ListenLoad | WireLoad
  /** What {@link listen} gets, when it is something else than {@link publish}. */
  readonly publishLive?: (load: Publishes) => PostLoad | WireLoad
  /** Stores a number of notifications, and gives a stream of all of them. Absent: it keeps none. */
  readonly replay?: (count: number) => Promise<ListenLoad | WireLoad>
}

/** A program that was looked for. @throws {MissingPeerError} When it cannot be had. */
export async function found(program: Promise<Installed>): Promise<Installed> {
  try {
    return await program
  } catch (cause) {
    throw new MissingPeerError(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

/** How to run a program. */
export interface ServerPlan {
  readonly program: Installed
  /** Arguments, after whatever files it needs are written into its folder. */
  readonly prepare: (folder: string, port: number) => Promise<readonly string[]>
  /** Further environment. */
  readonly environment?: (folder: string) => Readonly<Record<string, string>>
}

/** A running program. */
export type RunningServer = Pick<PeerServer, 'url' | 'cpuSeconds' | 'stop'>

const START_LIMIT_MS = 20_000
const STOP_LIMIT_MS = 10_000

/** Starts a program on a free port with a new folder, and waits until it takes connections. */
export async function startServer({ program, prepare, environment }: ServerPlan): Promise<RunningServer> {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-bench-'))
  const port = await freePort()
  const [command = '', ...argv] = [...pinOf(), program.path, ...(await prepare(folder, port))]
  const child = spawn(command, argv, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...program.environment, ...environment?.(folder) },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (part: Buffer) => (output = `${output}${part.toString()}`.slice(-2_000)))
  const exited = new Promise<void>((done) => {
    child.once('exit', () => done())
    child.once('error', () => done())
  })
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    const limit = setTimeout(kill, STOP_LIMIT_MS)
    await exited
    clearTimeout(limit)
    process.off('exit', kill)
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await untilListening(port, exited)
  } catch (error) {
    await stop()
    throw new MissingPeerError(`it did not start: ${output}`, { cause: error })
  }
  const pid = child.pid ?? 0
  return { url: `http://127.0.0.1:${port}`, cpuSeconds: () => cpuSeconds(pid), stop }
}

async function untilListening(port: number, exited: Promise<void>): Promise<void> {
  let hasExited = false
  void exited.then(() => (hasExited = true))
  const limit = performance.now() + START_LIMIT_MS
  while (!hasExited && performance.now() < limit) {
    if (await canConnect(port)) return
    await new Promise((next) => setTimeout(next, 20))
  }
  throw new Error(hasExited ? 'it ended' : 'it takes no connections')
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => (socket.destroy(), done(true)))
    socket.once('error', () => done(false))
  })
}

/** Sends text to a server and waits for an answer that holds `expected`. @throws {Error} With what came instead. */
export function exchange(
  url: string,
  text: string,
  expected: RegExp,
  limitMs = START_LIMIT_MS,
): Promise<void> {
  const { hostname, port } = new URL(url)
  return new Promise((done, failed) => {
    const socket = connect(Number(port), hostname)
    let received = ''
    const fail = (): void => {
      socket.destroy()
      failed(new Error(`A server answered: ${received.slice(-500)}`))
    }
    const limit = setTimeout(fail, limitMs)
    socket.setEncoding('latin1')
    socket.once('error', fail)
    socket.on('data', (part: string) => {
      received += part
      if (!expected.test(received)) return
      clearTimeout(limit)
      socket.destroy()
      done()
    })
    socket.write(text)
  })
}
