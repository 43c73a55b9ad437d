/**
 * Hands parts of a notification to a program. What cannot be an argument or an environment variable is handed over in another form: a value
 * that is too long by the path of a file that holds it, and a value with a NUL as JSON text.
 *
 * @module
 */

import { randomUUID } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** How a value was handed over that could not go as it is. */
export interface HandedOver {
  /** Name of the value, such as `payload`. */
  readonly name: string
  readonly as: 'file' | 'json'
}

/** The values of one run of a program. */
export interface Handover {
  /** What to give to the program in place of a value. */
  give(name: string, value: string): string
  /** The path of a file that will hold this content. */
  file(name: string, content: string): string
  /** The values that do not go as they are, each once. */
  handedOver(): readonly HandedOver[]
  /** Writes the files. Only the user may read them. */
  write(): Promise<void>
  /** Removes the files. */
  remove(): Promise<void>
}

/** A handover in which longer values go by file. @param mostBytes Longest value that goes as it is, UTF-8 bytes. */
export function createHandover(mostBytes: number): Handover {
  // One folder for each run, because runs of several listeners overlap.
  const folder = join(tmpdir(), `aviso-${randomUUID()}`)
  const files = new Map<string, string>()
  const changed = new Map<string, HandedOver['as']>()

  function file(name: string, content: string): string {
    files.set(name, content)
    return join(folder, name)
  }

  return {
    give(name, value) {
      if (Buffer.byteLength(value) > mostBytes) {
        changed.set(name, 'file')
        return file(`${name.replaceAll(/\W/g, '_')}.txt`, value)
      }
      if (!value.includes('\0')) return value
      changed.set(name, 'json')
      return JSON.stringify(value)
    },
    file,
    handedOver: () => [...changed].map(([name, as]) => ({ name, as })),
    async write() {
      if (files.size === 0) return
      await mkdir(folder, { mode: 0o700 })
      for (const [name, content] of files) await writeFile(join(folder, name), content, { mode: 0o600 })
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
