/**
 * The command `aviso config import`: writes our configuration of services from that of aviso-server 2.x. It asks no server.
 *
 * @module
 */

import { open, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { ClientError, EXIT_USAGE } from '#shared/client/client_error.ts'
import { isAvisoError } from '#shared/errors.ts'
import { SERVE_CALL } from '../released.ts'
import { printAnswer } from './answer.ts'
import { mergeDocuments } from './import_2x/document.ts'
import {
  findConfig2x,
  notOf2x,
  readFile2x,
  takeOver,
  type Given2x,
  type Sources2x,
} from './import_2x/given.ts'
import { refuseUnusable } from './import_2x/judge.ts'
import type { Output } from './output.ts'

/** What the command line asks. */
export interface ImportTask {
  /** Files of 2.x, each over the one before; none: where 2.x looks for them. */
  readonly files: readonly string[]
  /** The file to write. */
  readonly output: string
}

interface Parts extends Sources2x {
  readonly home: string
  readonly json: boolean
  readonly output: Pick<Output, 'log' | 'result'>
}

/** The schema stays in the form of 2.x, beside the configuration. */
const SCHEMA_FILE = 'notification_schema.json'

/**
 * Writes the configuration and the schema, and says what has no counterpart.
 *
 * @throws {ClientError} for a configuration that cannot be taken over, or with which the services would not start, and for a file that is
 *   there already. Nothing is written then.
 */
export async function importServices({ files, output }: ImportTask, parts: Parts): Promise<void> {
  const schemaFile = join(dirname(output), SCHEMA_FILE)
  try {
    const given = files.length === 0 ? await findConfig2x(parts, parts.home) : await readFiles(files, parts)
    if (given === undefined) throw usage('No configuration of aviso-server 2.x is found: name its file')
    // Paths in a configuration begin in the working folder of the services, which may be another one than this command's.
    const imported = takeOver(given, resolve(schemaFile))
    const { config, schema, secrets, notes } = imported
    refuseUnusable(imported, given.source)
    await writeNew([
      { path: output, content: config, remedy: 'name another file with --output' },
      { path: schemaFile, content: schema, remedy: 'name a file in another folder with --output' },
    ])
    for (const note of notes) parts.output.log('WARNING', note)
    const names = [...secrets.keys()]
    for (const name of names)
      parts.output.log(
        'WARNING',
        `Give the services the secret ${name} in their environment: it was not copied`,
      )
    // A clone's npm start begins in its own folder, whatever the caller's is.
    const text = `Wrote ${output} and ${schemaFile}. Start with: ${SERVE_CALL} --config ${resolve(output)}`
    printAnswer(
      { text, json: { config: output, schema: schemaFile, secrets: names, notes: [...notes] } },
      parts,
    )
  } catch (error) {
    throw isAvisoError(error) ? usage(error.message, error) : error
  }
}

async function readFiles(files: readonly string[], parts: Parts): Promise<Given2x> {
  const all: Given2x[] = []
  for (const path of files) {
    const given = await readFile2x(path, parts)
    if (given === undefined) throw notOf2x(path)
    all.push(given)
  }
  return { source: files.join(', '), document: mergeDocuments(all.map(({ document }) => document)) }
}

interface NewFile {
  readonly path: string
  readonly content: object
  /** What to do where there is such a file already. */
  readonly remedy: string
}

/** Writes all of the files or none. @throws {ClientError} for a file that is there already or cannot be written. */
async function writeNew(files: readonly NewFile[]): Promise<void> {
  const made: string[] = []
  for (const { path, content, remedy } of files) {
    try {
      const file = await open(path, 'wx')
      // From here on the file is ours, whether or not its content comes to be in it.
      made.push(path)
      await file.writeFile(`${JSON.stringify(content, null, 2)}\n`).finally(() => file.close())
    } catch (cause) {
      for (const ours of made) await rm(ours, { force: true })
      const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
      throw usage(
        code === 'EEXIST'
          ? `${path} is there already: move it, or ${remedy}`
          : `Cannot write ${path}${code === '' ? '' : ` (${code})`}`,
        cause,
      )
    }
  }
}

function usage(message: string, cause?: unknown): ClientError {
  return new ClientError(message, { exitCode: EXIT_USAGE, cause })
}
