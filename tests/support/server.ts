/**
 * Real servers for tests: `scripts/serve.ts` as a child process, on a free port, on any runtime.
 *
 * @module
 */

import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BIN = join(ROOT, 'node_modules', '.bin')
/** As in `package.json`. */
const NODE_OPTIONS = [
  '--import',
  join(ROOT, 'scripts/check_node.mjs'),
  '--disable-warning=ExperimentalWarning',
] as const
/** Bundling for workerd on a busy machine is the slowest start. */
const START_LIMIT_MS = 60_000
/** Attempts to remove a folder, a tenth of a second apart: a process that was ended may need them to be gone. */
const REMOVE_ATTEMPTS = 20

export type RuntimeName = 'node' | 'node22' | 'deno' | 'bun' | 'workerd'

/** Command line that runs the launcher on a runtime. */
export function serveCommand(
  runtime: RuntimeName,
  nodeBinary = process.execPath,
): readonly [string, ...string[]] {
  switch (runtime) {
    case 'node':
    case 'node22':
      return [nodeBinary, ...NODE_OPTIONS, join(ROOT, 'scripts/serve.ts')]
    case 'deno':
      return [join(BIN, 'deno'), 'run', '-A', '--no-check', '--quiet', join(ROOT, 'scripts/serve.ts')]
    case 'bun':
      return [join(BIN, 'bun'), join(ROOT, 'scripts/serve.ts')]
    case 'workerd':
      return [nodeBinary, join(ROOT, 'scripts/serve_workerd.ts')]
  }
}

/** A running server. */
export interface TestServer {
  readonly url: string
  readonly child: ChildProcess
  /** Everything it printed so far. */
  output(): string
  /** Sends a signal and waits for the exit. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

/** How to start one. */
export interface StartServerOptions {
  readonly runtime?: RuntimeName
  readonly nodeBinary?: string
  readonly arguments?: readonly string[]
  readonly port?: number
  /** Laid over this process's environment; `undefined` takes a variable away. */
  readonly environment?: Readonly<Record<string, string | undefined>>
}

/** Starts a server and waits until it says where it listens. */
export async function startServer(options: StartServerOptions = {}): Promise<TestServer> {
  const [command, ...prefix] = serveCommand(options.runtime ?? 'node', options.nodeBinary)
  const child = spawn(
    command,
    [...prefix, '--port', String(options.port ?? 0), ...(options.arguments ?? [])],
    {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1', ...options.environment },
    },
  )
  let output = ''
  const exited = new Promise<number | null>((done) => child.once('exit', (code) => done(code)))
  const url = await new Promise<string>((found, failed) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      failed(new Error(`Server did not start:\n${output}`))
    }, START_LIMIT_MS)
    const finish = (act: () => void): void => {
      clearTimeout(timer)
      act()
    }
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        output += `${line}\n`
        const match = /^Listening on (http:\S+)$/.exec(line)
        if (match?.[1] !== undefined) finish(() => found(match[1] ?? ''))
      })
    }
    child.once('error', (error) => finish(() => failed(error)))
    void exited.then((code) => finish(() => failed(new Error(`Server ended with ${code}:\n${output}`))))
  })
  return {
    url,
    child,
    output: () => output,
    stop: async (signal = 'SIGTERM') => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal)
      return exited
    },
  }
}

/** A folder that is gone after the test. */
export async function temporaryFolder(context: { after(task: () => Promise<void>): void }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-test-'))
  const removal = { recursive: true, force: true, maxRetries: REMOVE_ATTEMPTS, retryDelay: 100 } as const
  // A program of the test may still write into it. What cannot be removed is left: a failure here would keep the later hooks, which end
  // that program, from running, and the test's process would wait for it for ever.
  context.after(() => rm(folder, removal).catch(() => undefined))
  return folder
}
