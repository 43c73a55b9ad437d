/**
 * Worker modules that something else than our launcher serves: `deno serve`, `bun FILE`, an adapter.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../scripts/etcd/member.ts'
import { runCommand } from '../../scripts/run_command.ts'
import { QUIET, wrangler, wranglerDev } from '../../scripts/wrangler_dev.ts'
import type { TestServer } from '../support/server.ts'
import { eventually } from '../support/waiting.ts'

/** The repository's folder. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const entry = (name: string, routes: readonly string[]): object => ({
  name: `aviso-${name}`,
  main: `services/${name}/worker.ts`,
  routes,
})

/** The configuration of both services, as a binding. */
export const MODULE_CONFIG = JSON.stringify({
  name: 'aviso',
  vars: { store: 'embedded:memory' },
  workers: {
    rest: entry('rest', ['/', '/api/v1/notification']),
    auth: entry('auth', ['/v3/*', '/api/v1/watch', '/api/v1/replay', '/api/v1/schema']),
  },
})

/** Bindings as environment variables: both services in one process. */
export const MODULE_ENVIRONMENT = { AVISO_CONFIG: MODULE_CONFIG, AVISO_SERVICES: 'rest auth' }

/** A notification that is accepted. */
export const NOTIFICATION = {
  specversion: '1.0',
  id: '1',
  source: '/tests',
  type: 'aviso',
  data: {
    event: 'mars',
    request: {
      class: 'od',
      date: '20260810',
      domain: 'g',
      expver: '1',
      stream: 'oper',
      time: '0',
      step: '1',
    },
    location: 's3://bucket/1',
  },
}

/** @returns exit code and output of `aviso build wrangler` */
export function buildWrangler(out: string, ...more: readonly string[]): ReturnType<typeof runCommand> {
  const script = join(ROOT, 'scripts/aviso.ts')
  const argv = ['--disable-warning=ExperimentalWarning', script, 'build', 'wrangler', '--out', out, ...more]
  return runCommand(process.execPath, argv, { folder: ROOT })
}

/** Starts a program that serves on a port, and waits until it answers. */
export async function startProgram(
  command: (port: string) => readonly [string, ...string[]],
  environment: Readonly<Record<string, string>> = MODULE_ENVIRONMENT,
): Promise<TestServer> {
  const port = String(await freePort())
  const url = `http://127.0.0.1:${port}`
  const [program, ...argv] = command(port)
  const child = spawn(program, argv, {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', PORT: port, ...environment },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += String(text)))
  const exited = new Promise<number | null>((done) => child.once('exit', (code) => done(code)))
  let isGone = false
  void exited.then(() => (isGone = true))
  const answers = async (): Promise<boolean> => {
    if (isGone) throw new Error(`The program ended:\n${output}`)
    return fetch(`${url}/health`).then(
      async (response) => (await response.arrayBuffer()).byteLength > 0,
      () => false,
    )
  }
  await eventually('the program answers', answers, 50).catch((error: unknown) => {
    child.kill('SIGKILL')
    throw new Error(output, { cause: error })
  })
  return {
    url,
    child,
    output: () => output,
    stop: async () => {
      child.kill('SIGTERM')
      const code = await exited
      // A runtime without a system of ours in it ends by the signal.
      return child.signalCode === 'SIGTERM' ? 0 : code
    },
  }
}

/** Starts `wrangler dev`. @param configs The first worker has the port; the others are called by it. @param state Folder of the store. */
export async function startWranglerDev(configs: readonly string[], state: string): Promise<TestServer> {
  const cli = await wrangler()
  const server = await startProgram(
    (port) => [process.execPath, ...wranglerDev(cli, { configs, port, state })],
    { ...QUIET, HOME: state },
  )
  const stop = async (): Promise<number> => {
    await server.stop()
    // wrangler ends by a signal with a code of its own.
    return 0
  }
  return { ...server, stop }
}
