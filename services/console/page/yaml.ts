/**
 * Reads listener files: the part of YAML that they use. Anything else is refused with its line, so that nothing is understood wrongly.
 *
 * @module
 */

import { valueText } from './text.ts'

/** A value of a file. */
export type YamlValue =
  | string
  | number
  | boolean
  | null
  | readonly YamlValue[]
  | { readonly [name: string]: YamlValue }

interface Line {
  readonly indent: number
  readonly text: string
  readonly number: number
}

/** A fault of a file. */
export class YamlFault extends Error {
  constructor(line: number, reason: string) {
    super(`Line ${line}: ${reason}`)
    this.name = 'YamlFault'
  }
}

/** Deeper files are no listener files. */
const MOST_DEPTH = 20
const KEY =
  /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s"'[\]{},#&*!|>%@`-][^:#]*?|[^\s"'[\]{},#&*!|>%@`:-]+)\s*:(?:\s+(.*))?$/

/** @throws {YamlFault} */
export function parseYaml(text: string): YamlValue {
  const lines = readLines(text)
  const reader = new Reader(lines)
  if (lines.length === 0) return null
  const value = reader.block(lines[0]?.indent ?? 0, 0)
  const left = reader.peek()
  if (left !== undefined) throw new YamlFault(left.number, 'the indentation fits nothing above it')
  return value
}

function readLines(text: string): readonly Line[] {
  const lines: Line[] = []
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const number = index + 1
    if (/^\s*\t/.test(raw)) throw new YamlFault(number, 'indent with spaces, not with tabs')
    const content = withoutComment(raw).trimEnd()
    if (content.trim() === '' || content === '---') continue
    lines.push({ indent: content.length - content.trimStart().length, text: content.trim(), number })
  }
  return lines
}

/** A comment begins with a # at the beginning, or behind a space, and outside of quotes. */
function withoutComment(text: string): string {
  let quote = ''
  for (let index = 0; index < text.length; index++) {
    const character = text[index] ?? ''
    if (quote !== '') {
      if (character === '\\' && quote === '"') index++
      else if (character === quote) quote = ''
    } else if ((character === '"' || character === "'") && /^$|[\s[{,:-]$/.test(text.slice(0, index)))
      quote = character
    else if (character === '#' && (index === 0 || /\s/.test(text[index - 1] ?? '')))
      return text.slice(0, index)
  }
  return text
}

class Reader {
  readonly #lines: Line[]
  #next = 0

  constructor(lines: readonly Line[]) {
    this.#lines = [...lines]
  }

  peek(): Line | undefined {
    return this.#lines[this.#next]
  }

  /** The list or the mapping that begins at the next line. */
  block(indent: number, depth: number): YamlValue {
    const line = this.peek()
    if (line === undefined) return null
    if (depth > MOST_DEPTH) throw new YamlFault(line.number, 'this is nested too deeply')
    if (/^-(?:\s|$)/.test(line.text)) return this.#list(indent, depth)
    if (KEY.test(line.text)) return this.#mapping(indent, depth)
    this.#next++
    return scalar(line.text, line.number)
  }

  #list(indent: number, depth: number): YamlValue {
    const items: YamlValue[] = []
    for (let line = this.peek(); line !== undefined && line.indent === indent; line = this.peek()) {
      const match = /^-(\s+)?(.*)$/.exec(line.text)
      if (match === null || (match[1] === undefined && match[2] !== '')) break
      const rest = match[2] ?? ''
      if (rest === '') {
        this.#next++
        items.push(this.#below(indent, depth))
        continue
      }
      // What follows the dash is the first line of a block that is further in.
      const inner = indent + 1 + (match[1]?.length ?? 0)
      this.#lines[this.#next] = { indent: inner, text: rest, number: line.number }
      items.push(this.block(inner, depth + 1))
    }
    return items
  }

  #mapping(indent: number, depth: number): YamlValue {
    const members = new Map<string, YamlValue>()
    for (let line = this.peek(); line !== undefined && line.indent === indent; line = this.peek()) {
      const [, key, rest] = KEY.exec(line.text) ?? []
      if (key === undefined)
        throw new YamlFault(line.number, `"${line.text.slice(0, 40)}" is no "name: value"`)
      const name = valueText(scalar(key, line.number))
      if (members.has(name)) throw new YamlFault(line.number, `${name} is there twice`)
      this.#next++
      const value = rest === undefined || rest === '' ? this.#below(indent, depth) : scalar(rest, line.number)
      members.set(name, value)
    }
    return Object.fromEntries(members)
  }

  /** What is further in than a line; a list may also stand right below its name. */
  #below(indent: number, depth: number): YamlValue {
    const line = this.peek()
    if (line === undefined) return null
    const isList = line.indent === indent && /^-(?:\s|$)/.test(line.text)
    return line.indent > indent || isList ? this.block(line.indent, depth + 1) : null
  }
}

function scalar(text: string, line: number): YamlValue {
  if (/^[&*!|>%@`]/.test(text))
    throw new YamlFault(
      line,
      `the console does not read "${text.slice(0, 20)}": use the program aviso explain`,
    )
  if (text.startsWith('[') || text.startsWith('{')) return new Flow(text, line).whole()
  return plain(text, line)
}

function plain(text: string, line: number): YamlValue {
  if (text.startsWith('"')) {
    try {
      return JSON.parse(text) as string
    } catch {
      throw new YamlFault(line, `${text.slice(0, 40)} is no text between double quotes`)
    }
  }
  if (text.startsWith("'")) {
    if (!/^'(?:[^']|'')*'$/.test(text))
      throw new YamlFault(line, `${text.slice(0, 40)} is no text between single quotes`)
    return text.slice(1, -1).replaceAll("''", "'")
  }
  if (/: |:$/.test(text)) throw new YamlFault(line, `put "${text.slice(0, 40)}" between quotes`)
  if (/^(?:true|false)$/i.test(text)) return text.toLowerCase() === 'true'
  if (/^(?:null|~)$/i.test(text)) return null
  // Leading zeros count in dates and steps.
  return /^-?(?:0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text
}

/** Lists and mappings in one line. */
class Flow {
  readonly #text: string
  readonly #line: number
  #at = 0

  constructor(text: string, line: number) {
    this.#text = text
    this.#line = line
  }

  whole(): YamlValue {
    const value = this.#value(0)
    this.#space()
    if (this.#at < this.#text.length) throw this.#fault()
    return value
  }

  #fault(): YamlFault {
    return new YamlFault(this.#line, `"${this.#text.slice(0, 40)}" is no list such as [a, b], in one line`)
  }

  #space(): void {
    while (this.#text[this.#at] === ' ') this.#at++
  }

  #take(character: string): boolean {
    this.#space()
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  #value(depth: number): YamlValue {
    if (depth > MOST_DEPTH) throw this.#fault()
    if (this.#take('[')) {
      const items: YamlValue[] = []
      while (!this.#take(']')) {
        items.push(this.#value(depth + 1))
        if (!this.#take(',') && this.#text[this.#at] !== ']') throw this.#fault()
      }
      return items
    }
    if (this.#take('{')) {
      const members: [string, YamlValue][] = []
      while (!this.#take('}')) {
        const name = valueText(this.#word(/^[^,[\]{}:]+/))
        if (!this.#take(':')) throw this.#fault()
        members.push([name, this.#value(depth + 1)])
        if (!this.#take(',') && this.#text[this.#at] !== '}') throw this.#fault()
      }
      return Object.fromEntries(members)
    }
    return this.#word(/^[^,[\]{}]+/)
  }

  #word(pattern: RegExp): YamlValue {
    this.#space()
    const rest = this.#text.slice(this.#at)
    const [found] = /^"(?:[^"\\]|\\.)*"|^'(?:[^']|'')*'/.exec(rest) ?? pattern.exec(rest) ?? []
    if (found === undefined) throw this.#fault()
    this.#at += found.length
    return plain(found.trim(), this.#line)
  }
}
