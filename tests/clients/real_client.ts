/**
 * Programs of others that talk to our services, run as they are: what they print is what their users see.
 *
 * They are not npm packages, so these tests run where the environment variable `AVISO_CLIENTS` names a folder that holds them:
 *
 * ```sh
 * python3 -m venv FOLDER/pyaviso1 && FOLDER/pyaviso1/bin/pip install pyaviso==1.0.2
 * python3 -m venv FOLDER/pyaviso2 && FOLDER/pyaviso2/bin/pip install pyaviso==2.4.2   # Python 3.10 or newer
 * AVISO_CLIENTS=FOLDER node --test tests/clients/*.test.ts
 * ```
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** A client that is installed, or why it is not. */
export interface Installed {
  /** Reason for `describe`'s `skip`; false where the client is there. */
  readonly skip: string | false
  /** Path of one of its commands. */
  command(name: string): string
}

/** Looks for the virtual environment `name` in the folder of clients. */
export function findClient(name: 'pyaviso1' | 'pyaviso2'): Installed {
  const folder = process.env['AVISO_CLIENTS']
  const bin = join(folder ?? '', name, 'bin')
  const missing =
    folder === undefined
      ? `AVISO_CLIENTS names no folder with ${name} (see tests/clients/real_client.ts)`
      : `AVISO_CLIENTS has no ${name} (see tests/clients/real_client.ts)`
  return {
    skip: folder !== undefined && existsSync(join(bin, 'aviso')) ? false : missing,
    command: (command) => join(bin, command),
  }
}

/** A running client. */
export interface Client {
  /** The next line of either stream that holds `text`; others are skipped. Fails after the deadline or at the end. */
  line(text: string): Promise<string>
  /** Waits for the end. */
  ended(): Promise<{ readonly code: number | null; readonly lines: readonly string[] }>
  /** Ends it, and waits. */
  stop(): Promise<void>
}

/** How to run one. */
export interface ClientOptions {
  /** Its home: configuration and state are in there. */
  readonly home: string
  readonly environment?: Readonly<Record<string, string>>
}

/** A Python program takes a second to start on a busy machine, and 1.x clients poll; twenty are a hang. */
const DEADLINE_MS = 20_000

/** Starts a client with nothing of this process's own environment that could change what it does. */
export function startClient(
  command: string,
  argv: readonly string[],
  { home, environment = {} }: ClientOptions,
): Client {
  const child = spawn(command, argv, {
    cwd: home,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: home, PYTHONUNBUFFERED: '1', NO_COLOR: '1', ...environment },
  })
  const lines: string[] = []
  let read = 0
  let wake = (): void => undefined
  let code: number | null | undefined
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      wake()
    })
  }
  child.once('close', (ended) => {
    code = ended
    wake()
  })
  const change = async (what: string): Promise<void> => {
    let timer: ReturnType<typeof setTimeout> | undefined
    await new Promise<void>((resolve, reject) => {
      wake = resolve
      const late = (): void => {
        child.kill('SIGKILL')
        reject(new Error(`${what} did not come in ${DEADLINE_MS} ms. Output:\n${lines.join('\n')}`))
      }
      timer = setTimeout(late, DEADLINE_MS)
    }).finally(() => clearTimeout(timer))
  }
  const ended = async (): Promise<{ code: number | null; lines: readonly string[] }> => {
    while (code === undefined) await change('The end')
    return { code, lines }
  }
  return {
    line: async (text) => {
      for (;;) {
        const line = lines[read++]
        if (line?.includes(text) === true) return line
        if (line !== undefined) continue
        read--
        if (code !== undefined) throw new Error(`Ended with ${code} before "${text}":\n${lines.join('\n')}`)
        await change(`"${text}"`)
      }
    },
    ended,
    stop: async () => {
      if (code === undefined) child.kill('SIGTERM')
      await ended()
    },
  }
}
