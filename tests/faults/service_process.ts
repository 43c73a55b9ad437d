/**
 * One of our services as a process of its own, started by the launcher, that can be killed and comes back on the same port.
 *
 * @module
 */

import process from 'node:process'
import { startServer, type StartServerOptions, type TestServer } from '../support/server.ts'

/** A service. */
export interface ServiceProcess {
  readonly name: string
  /** The same over all restarts. */
  readonly port: number
  readonly url: string
  readonly isRunning: boolean
  /** Process id; `undefined` while it does not run. */
  readonly pid: number | undefined
  /** Sends a signal and waits until it has gone. @returns Its exit code. */
  stop(signal: NodeJS.Signals): Promise<number | null>
  /** Sends a signal, and does not wait. */
  signal(signal: NodeJS.Signals): void
  /** @param more Arguments for this start alone. @throws {Error} With what it printed, when it ends instead. */
  start(more?: readonly string[]): Promise<void>
  /** What it has logged so far, over all restarts. */
  log(): string
}

/** Starts one. `argv` is the launcher's command line without the port. */
export async function startService(
  name: string,
  argv: readonly string[],
  { environment = {} }: Pick<StartServerOptions, 'environment'> = {},
): Promise<ServiceProcess> {
  let server: TestServer | undefined = await startServer({ environment, arguments: argv })
  const { url } = server
  const port = Number(new URL(url).port)
  let earlier = ''
  // Not left behind, however this process ends; a paused one, too.
  const kill = (): void => void server?.child.kill('SIGKILL')
  process.on('exit', kill)
  return {
    name,
    port,
    url,
    get isRunning() {
      return server !== undefined
    },
    get pid() {
      return server?.child.pid
    },
    stop: async (signal) => {
      process.off('exit', kill)
      const code = await server?.stop(signal)
      earlier += server?.output() ?? ''
      server = undefined
      return code ?? null
    },
    signal: (signal) => {
      server?.child.kill(signal)
    },
    start: async (more = []) => {
      process.on('exit', kill)
      server ??= await startServer({ environment, arguments: [...argv, ...more], port })
    },
    log: () => earlier + (server?.output() ?? ''),
  }
}
