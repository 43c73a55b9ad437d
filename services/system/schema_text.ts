/**
 * Parses the text of a schema file: JSON, or YAML as aviso 2.x has it.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'

/** Most aliases, because aliases can expand a small text into large data. */
const MAX_ALIASES = 100

/**
 * Parses a schema file. JSON is tried first, because the YAML parser takes a while to load, and is only loaded for YAML.
 *
 * @param source Name of the file in messages.
 * @throws {AvisoError} `ERR_CONFIG` with line and column for a text that is neither.
 */
export async function parseSchemaText(source: string, text: string): Promise<unknown> {
  try {
    return JSON.parse(text)
  } catch (cause) {
    // No mapping of YAML's own style begins with a brace, so what is wrong is told in JSON's words.
    if (/^\s*[[{]/.test(text))
      throw new AvisoError('ERR_CONFIG', `Schema file "${source}" is not JSON: ${textOf(cause)}`, { cause })
  }
  return parseYaml(source, text)
}

async function parseYaml(source: string, text: string): Promise<unknown> {
  const { LineCounter, parseDocument } = await import('yaml')
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false, schema: 'core', merge: true })
  const [error] = document.errors
  if (error !== undefined) {
    const { line, col } = lineCounter.linePos(error.pos[0])
    throw new AvisoError(
      'ERR_CONFIG',
      `Schema file "${source}" is not YAML, ${line}:${col}: ${error.message}`,
    )
  }
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES })
  } catch (cause) {
    throw new AvisoError('ERR_CONFIG', `Schema file "${source}" uses too many aliases`, { cause })
  }
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : 'it cannot be parsed'
}
