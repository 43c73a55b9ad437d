/**
 * Parses YAML as people mean it: numbers keep the text that was written, and every error names line and column.
 *
 * @module
 */

import { isCollection, isMap, isNode, isScalar, LineCounter, parseDocument, visit, type Document } from 'yaml'
import { ClientError } from '#shared/client/client_error.ts'
import type { PathStep } from './issue_path.ts'

/** A parsed file. */
export interface YamlFile {
  readonly value: unknown
  /** The place of a path, or of its closest parent in the file, such as `listener.yaml:9:20 listeners.0.event`. */
  locate(path: readonly PathStep[]): string
}

/** Far larger than any configuration, so a larger file is the wrong file. */
const MAX_CHARACTERS = 4_000_000
/** Most aliases, because aliases can expand a small text into large data. */
const MAX_ALIASES = 100

/**
 * Parses one YAML document.
 *
 * Plain scalars that look like numbers stay text: `expver: 0010` is "0010" (YAML 1.1 reads octal 8) and `date: 20210101` is a date.
 * `yes`, `no`, `12:30` and `2021-01-01` are text, too. `true`, `false` and `null` keep their meaning.
 *
 * @param name Name of the file in messages.
 * @throws {ClientError} with file, line and column.
 */
export function parseYamlFile(text: string, name: string): YamlFile {
  if (text.length > MAX_CHARACTERS) throw new ClientError(`${name} is too large for a configuration file`)
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false, schema: 'core' })
  const [problem] = document.errors
  if (problem !== undefined) {
    const { line, col } = lineCounter.linePos(problem.pos[0])
    throw new ClientError(`${name}:${line}:${col} ${problem.message}`)
  }
  visit(document, {
    Scalar(_key, node) {
      if (typeof node.value === 'number' && node.source !== undefined) node.value = node.source
    },
  })
  return {
    value: toPlain(document, name),
    locate(path) {
      const offset = offsetOf(document, path)
      if (offset === undefined) return [name, path.join('.')].filter(Boolean).join(' ')
      const { line, col } = lineCounter.linePos(offset)
      return [`${name}:${line}:${col}`, path.join('.')].filter(Boolean).join(' ')
    },
  }
}

function toPlain(document: Document.Parsed, name: string): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES })
  } catch (cause) {
    throw new ClientError(`${name} uses too many aliases`, { cause })
  }
}

/** The offset of the key of a mapping's member; otherwise of the value, or of the closest parent in the file. */
function offsetOf(document: Document.Parsed, path: readonly PathStep[]): number | undefined {
  let node: unknown = document.contents
  let offset = isNode(node) ? node.range?.[0] : undefined
  for (const step of path) {
    const pair = isMap(node) ? node.items.find(({ key }) => isScalar(key) && key.value === step) : undefined
    node = isCollection(node) ? node.get(step, true) : undefined
    const place: unknown = pair?.key ?? node
    if (!isNode(place)) return offset
    offset = place.range?.[0]
  }
  return offset
}
