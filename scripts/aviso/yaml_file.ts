/**
 * Parses YAML as people mean it: numbers keep the text that was written, and every error names line and column.
 *
 * @module
 */

import {
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
} from 'yaml'
import { ClientError } from '#shared/client/client_error.ts'
import type { PathStep } from './issue_path.ts'

/** A parsed file. */
export interface YamlFile {
  readonly value: unknown
  /** The place of a path, or of its closest parent in the file, such as `listener.yaml:9:20 listeners.0.event`. */
  locate(path: readonly PathStep[]): string
  /** Whether a list stands there. */
  isList(path: readonly PathStep[]): boolean
  /** What 1.x's parser makes of the plain text there, where it is another value than that text: of `0010` the number 8. */
  readingOf1x(path: readonly PathStep[]): string | undefined
}

/** Far larger than any configuration, so a larger file is the wrong file. */
const MAX_CHARACTERS = 4_000_000
/** Most aliases, because aliases can expand a small text into large data. */
const MAX_ALIASES = 100
/** Most problems of a malformed file that are shown: behind these, the parser has lost its place. */
const MAX_PROBLEMS = 10
const MERGE_KEY = '<<'
/** In place of the parser's text, which tells a programmer which function to call. */
const SECOND_DOCUMENT = 'A second document begins here (---): put everything into one'

/**
 * Parses one YAML document.
 *
 * Plain scalars that look like numbers stay text: `expver: 0010` is "0010" (YAML 1.1 reads octal 8) and `date: 20210101` is a date.
 * `yes`, `no`, `12:30` and `2021-01-01` are text, too. `true`, `false` and `null` keep their meaning. `<<` merges mappings, as in YAML 1.1.
 *
 * @param name Name of the file in messages.
 * @throws {ClientError} with file, line and column.
 */
export function parseYamlFile(text: string, name: string): YamlFile {
  if (text.length > MAX_CHARACTERS) throw new ClientError(`${name} is too large for a configuration file`)
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false, schema: 'core', merge: true })
  if (document.errors.length > 0) throw new ClientError(problemsOf(document, name, lineCounter))
  const unknown: string[] = []
  visit(document, {
    Alias(_key, node) {
      if (node.resolve(document) !== undefined) return
      const { line, col } = lineCounter.linePos(node.range?.[0] ?? 0)
      unknown.push(`${name}:${line}:${col} *${node.source}: no anchor &${node.source} stands before it`)
    },
    Scalar(_key, node) {
      if (typeof node.value === 'number' && node.source !== undefined) node.value = node.source
    },
  })
  if (unknown.length > 0) throw new ClientError(unknown.slice(0, MAX_PROBLEMS).join('\n'))
  return {
    value: toPlain(document, name),
    isList: (path) => isSeq(nodeAt(document, path)),
    readingOf1x(path) {
      const node = nodeAt(document, path)
      return isScalar(node) && node.type === 'PLAIN' ? pythonReading(node.source ?? '') : undefined
    },
    locate(path) {
      const offset = offsetOf(document, path)
      if (offset === undefined) return [name, path.join('.')].filter(Boolean).join(' ')
      const { line, col } = lineCounter.linePos(offset)
      return [`${name}:${line}:${col}`, path.join('.')].filter(Boolean).join(' ')
    },
  }
}

/** The problems, one for each line of the file: the others of a line follow from the first. */
function problemsOf(document: Document.Parsed, name: string, lineCounter: LineCounter): string {
  const byLine = new Map<number, string>()
  for (const { pos, code, message } of document.errors) {
    const { line, col } = lineCounter.linePos(pos[0])
    const said = code === 'MULTIPLE_DOCS' ? SECOND_DOCUMENT : message
    if (!byLine.has(line)) byLine.set(line, `${name}:${line}:${col} ${said}`)
  }
  return [...byLine.values()].slice(0, MAX_PROBLEMS).join('\n')
}

/** The node at a path, behind aliases and merges. */
function nodeAt(document: Document.Parsed, path: readonly PathStep[]): unknown {
  let node: unknown = document.contents
  for (const step of path) node = memberOf(document, resolved(document, node), step)
  return resolved(document, node)
}

function memberOf(document: Document.Parsed, node: unknown, step: PathStep): unknown {
  if (!isCollection(node)) return undefined
  const own: unknown = node.get(step, true)
  if (own !== undefined || !isMap(node)) return own
  const merge = node.items.find(({ key }) => isScalar(key) && key.source === MERGE_KEY)
  const merged: unknown = resolved(document, merge?.value)
  const sources: readonly unknown[] = isSeq(merged) ? merged.items : [merged]
  for (const source of sources) {
    const found = memberOf(document, resolved(document, source), step)
    if (found !== undefined) return found
  }
  return undefined
}

function resolved(document: Document.Parsed, node: unknown): unknown {
  return isAlias(node) ? node.resolve(document) : node
}

/** YAML 1.1 as PyYAML reads plain scalars: octal numbers, numbers to the base 60, and more words for booleans. */
function pythonReading(text: string): string | undefined {
  if (/^[-+]?0[0-7_]+$/.test(text)) {
    const digits = text.replaceAll('_', '')
    const number = Number.parseInt(digits, 8)
    return number === Number(digits) ? undefined : `the number ${number}`
  }
  if (/^[-+]?[1-9]\d*(?::[0-5]?\d)+$/.test(text)) {
    const number = text.split(':').reduce((sum, part) => sum * 60 + Number(part), 0)
    return `the number ${number}`
  }
  if (/^(?:yes|Yes|YES|on|On|ON)$/.test(text)) return 'True'
  if (/^(?:no|No|NO|off|Off|OFF)$/.test(text)) return 'False'
  return undefined
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
    node = resolved(document, node)
    const pair = isMap(node) ? node.items.find(({ key }) => isScalar(key) && key.value === step) : undefined
    node = memberOf(document, node, step)
    const place: unknown = pair?.key ?? node
    if (!isNode(place)) return offset
    offset = place.range?.[0]
  }
  return offset
}
