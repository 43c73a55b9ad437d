/**
 * Programs of others that talk to our services, run as they are: what they print is what their users see.
 *
 * They come with pip, into `.cache/python` (see `tests/support/python_packages.ts`): the first run on a machine downloads them.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { missing } from '../support/missing.ts'
import { findPythonPackage, type PythonPackage } from '../support/python_packages.ts'

/** What is installed for a client: exactly these versions. */
const CLIENTS = {
  pyaviso1: { name: 'pyaviso-1.0.2', requirements: ['pyaviso==1.0.2'] },
  // Needs Python 3.10.
  pyaviso2: { name: 'pyaviso-2.4.2', requirements: ['pyaviso==2.4.2'] },
} as const satisfies Record<string, PythonPackage>

/** The beginning of a command line. */
export type Program = readonly [string, ...string[]]

/** A client that is installed, or why it is not. */
export interface Installed {
  /** Reason for `describe`'s `skip`; false where the client is there. */
  readonly skip: string | false
  /** One of its commands, or its `python`. */
  command(name: string): Program
}

/** Installs a client where it is not. @throws {Error} Where it cannot be had and `CI` is set. */
export async function findClient(client: keyof typeof CLIENTS): Promise<Installed> {
  let bin = ''
  const skip = await missing(async () => {
    bin = await findPythonPackage(CLIENTS[client])
  })
  const python = join(bin, 'python')
  return { skip, command: (name) => (name === 'python' ? [python] : [python, join(bin, name)]) }
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
  /** Called with each line of both streams. */
  readonly onLine?: (line: string) => void
}

/** A Python program takes a second to start on a busy machine, and 1.x clients poll; twenty are a hang. */
const DEADLINE_MS = 20_000

/** Starts a client with nothing of this process's own environment that could change what it does. */
export function startClient(
  [program, ...first]: Program,
  argv: readonly string[],
  { home, environment = {}, onLine }: ClientOptions,
): Client {
  const child = spawn(program, [...first, ...argv], {
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
      onLine?.(line)
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
