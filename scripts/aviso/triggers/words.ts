/**
 * Splits a command line into words as a shell does. It handles only quotes and backslashes, and expands nothing.
 *
 * @module
 */

/** A command line that needs a shell, or is malformed. */
export class CommandLineError extends Error {}

/** `*` stands for names of files. `?` does so, too, but stands in addresses, so it goes to the program as it is. */
const OPERATORS = '|&;<>()*\n'
/** `NAME=value` in front of a program. */
const ASSIGNMENT = /^([A-Za-z_]\w*)=/
/** Characters that a backslash protects inside double quotes. */
const ESCAPABLE_IN_QUOTES = '"\\$`'
/** The one variable that is replaced: it is in the paths of most listener files. */
const HOME = /\$(?:HOME(?!\w)|\{HOME\})/y
/** Texts that a shell would replace: `$HOME`, `$(…)`, `$1`, `$?`, `${x:-y}`, backticks. `${name}` is not included: we replace it. */
const SHELL_EXPANSION = /`|\$(?:[\w(?#@*!$-]|\{(?![\w.]+\}))/y

/**
 * The words of a command line. `~/` at the start of an unquoted word is the home folder, and so is `$HOME`, except in single quotes.
 *
 * @throws {CommandLineError} for open quotes, and for text that only a shell understands. Otherwise such text would reach the program
 *   unchanged, which the author of the listener file does not expect.
 */
export function splitWords(line: string, home: string): string[] {
  const source = line.trim()
  const variable = ASSIGNMENT.exec(source)?.[1]
  if (variable !== undefined)
    throw new CommandLineError(
      `the command sets ${variable} in front of its program, as only a shell does: put ${variable} into "environment"`,
    )
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let at = 0; at < source.length; at++) {
    const character = source[at] ?? ''
    const homeLength = quote === "'" ? 0 : homeLengthAt(source, at)
    if (homeLength > 0) {
      word = (word ?? '') + home
      at += homeLength - 1
      continue
    }
    if (quote !== "'" && isExpansion(source, at)) throw needsShell(source.slice(at, at + 2))
    const isComment = character === '#' && word === undefined
    if (quote === '' && (isComment || OPERATORS.includes(character))) throw needsShell(character)
    if (quote === '' && /\s/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (character === quote) {
      quote = ''
    } else if (quote === '' && (character === '"' || character === "'")) {
      quote = character
      word ??= ''
    } else if (character === '\\' && quote !== "'") {
      const next = source[++at]
      if (next === undefined) throw new CommandLineError('the command ends in a backslash')
      // A backslash at the end of a line joins it with the next one.
      if (next !== '\n')
        word = `${word ?? ''}${quote === '' || ESCAPABLE_IN_QUOTES.includes(next) ? '' : '\\'}${next}`
    } else if (
      character === '~' &&
      word === undefined &&
      quote === '' &&
      /^~(?:\/|\s|$)/.test(source.slice(at, at + 2))
    ) {
      word = home
    } else {
      word = (word ?? '') + character
    }
  }
  if (quote !== '') throw new CommandLineError(`the command has an open ${quote}`)
  if (word !== undefined) words.push(word)
  return words
}

/** Length of `$HOME` or `${HOME}` at a place; 0: neither stands there. */
function homeLengthAt(source: string, at: number): number {
  HOME.lastIndex = at
  return HOME.exec(source)?.[0].length ?? 0
}

function isExpansion(source: string, at: number): boolean {
  SHELL_EXPANSION.lastIndex = at
  return SHELL_EXPANSION.test(source)
}

function needsShell(text: string): CommandLineError {
  const shown = text === '\n' ? 'several lines' : text.trim()
  return new CommandLineError(
    `the command uses ${shown}, which only a shell understands: quote it, or add "shell: true" and take values from environment variables such as "$AVISO_PAYLOAD_JSON"`,
  )
}
