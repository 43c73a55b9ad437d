/**
 * Finds the configuration of aviso-server 2.x that is given, where 2.x looks for it, and takes it over.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { refuseProblems } from '#shared/config/load.ts'
import {
  documentOf,
  FILE_VARIABLE,
  mergeDocuments,
  parseDocument2x,
  places2x,
  type Document2x,
} from './document.ts'
import { importConfig, type Imported } from './import_config.ts'

/** Files and environment. */
export interface Sources2x {
  /** @returns the text of a file; `undefined` where there is none */
  readonly readText: (path: string) => Promise<string | undefined>
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Default: {@link parseDocument2x}. */
  readonly parse?: typeof parseDocument2x
}

/** A configuration of 2.x, complete. */
export interface Given2x {
  /** The files that it is of, for messages. */
  readonly source: string
  readonly document: Document2x
}

/**
 * Reads the configuration of one file, over which the environment stands.
 *
 * @returns `undefined` where the file is not of 2.x
 * @throws {AvisoError} `ERR_CONFIG` for a file that is missing or damaged.
 */
export async function readFile2x(
  path: string,
  { readText, environment, parse = parseDocument2x }: Sources2x,
): Promise<Given2x | undefined> {
  const text = await readText(path)
  if (text === undefined) throw new AvisoError('ERR_CONFIG', `Cannot read the configuration file "${path}"`)
  const document = parse(text, path)
  return document && { source: path, document: mergeDocuments([document, documentOf(environment)]) }
}

/**
 * Reads the configuration as 2.x does: the file that `AVISOSERVER_CONFIG_FILE` names, otherwise the files of its places, each over the one
 * before, and the environment over all.
 *
 * @returns `undefined` where there is no such file
 */
export async function findConfig2x(sources: Sources2x, home: string): Promise<Given2x | undefined> {
  const { readText, environment, parse = parseDocument2x } = sources
  const named = environment[FILE_VARIABLE] ?? ''
  if (named !== '') {
    const given = await readFile2x(named, sources)
    if (given === undefined) throw notOf2x(named)
    return given
  }
  const found: { readonly path: string; readonly document: Document2x }[] = []
  for (const path of places2x(home)) {
    const text = await readText(path)
    if (text === undefined) continue
    const document = parse(text, path)
    if (document === undefined) throw notOf2x(path)
    found.push({ path, document })
  }
  if (found.length === 0) return undefined
  return {
    source: found.map(({ path }) => path).join(', '),
    document: mergeDocuments([...found.map(({ document }) => document), documentOf(environment)]),
  }
}

/**
 * A parser that remembers what it has read of each file, because a start asks for the configuration and for its schema, and a text of YAML
 * takes longer than both.
 */
export function createParser(): typeof parseDocument2x {
  const known = new Map<string, { readonly text: string; readonly document: Document2x | undefined }>()
  return (text, source) => {
    const last = known.get(source)
    if (last?.text === text) return last.document
    const document = parseDocument2x(text, source)
    known.set(source, { text, document })
    return document
  }
}

/** @throws {AvisoError} `ERR_CONFIG` that lists all that cannot be taken over. */
export function takeOver({ source, document }: Given2x, schemaFile: string): Imported {
  const imported = importConfig(document, schemaFile)
  refuseProblems(source, imported.problems)
  return imported
}

/** The refusal of a file that should be a configuration of 2.x. */
export function notOf2x(path: string): AvisoError {
  return new AvisoError(
    'ERR_CONFIG',
    `${path}: this is no configuration of aviso-server 2.x, which has sections such as application, notification_backend and notification_schema`,
  )
}
