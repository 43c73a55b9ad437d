/**
 * The client program as a child process: `scripts/aviso.ts` with arguments, in a folder of its own.
 *
 * @module
 */

import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import type { Readable } from 'node:stream'
import { after, before } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startServer, type TestServer } from './server.ts'

/** The program's file. */
export const PROGRAM = fileURLToPath(new URL('../../scripts/aviso.ts', import.meta.url))

/** What became of a run. */
export interface ClientRun {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** How to run it. */
export interface ClientOptions {
  /** Home and working folder, so that nothing of the machine's user counts. */
  readonly home: string
  /** Address of the service. */
  readonly url?: string
  readonly environment?: Readonly<Record<string, string>>
}

/** Starts the program. */
export function spawnClient(
  argv: readonly string[],
  { home, url, environment = {} }: ClientOptions,
): ChildProcessByStdio<null, Readable, Readable> {
  return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', PROGRAM, ...argv], {
    cwd: home,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: home,
      NO_COLOR: '1',
      ...(url !== undefined && { AVISO_BASE_URL: url }),
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Runs the program to its end. */
export async function runClient(argv: readonly string[], options: ClientOptions): Promise<ClientRun> {
  const child = spawnClient(argv, options)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => (stdout += String(chunk)))
  child.stderr.on('data', (chunk) => (stderr += String(chunk)))
  await once(child, 'close')
  return { code: child.exitCode, stdout, stderr }
}

/** What the tests of a suite share: a service with a store in memory, and a home for its clients. */
export interface ClientSite {
  readonly home: string
  readonly url: string
  /** Runs the program to its end, against the service. */
  aviso(...argv: readonly string[]): Promise<ClientRun>
}

/** Gives the suite that calls it a site, from before its first test until after its last one. */
export function clientSite(): ClientSite {
  let server: TestServer | undefined
  let home = ''
  before(async () => {
    server = await startServer({ arguments: ['--store', 'embedded:memory'] })
    home = await mkdtemp(join(tmpdir(), 'aviso-test-'))
  })
  after(async () => {
    await server?.stop()
    await rm(home, { recursive: true, force: true })
  })
  const url = (): string => {
    if (server === undefined) throw new TypeError('The service runs only during tests')
    return server.url
  }
  return {
    get home() {
      return home
    },
    get url() {
      return url()
    },
    aviso: (...argv) => runClient(argv, { home, url: url() }),
  }
}
