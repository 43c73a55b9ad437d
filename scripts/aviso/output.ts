/**
 * The output of the client: results on stdout, everything else on stderr, as in pyaviso.
 *
 * @module
 */

import { appendFileSync } from 'node:fs'
import { messageOf } from '#shared/client/client_error.ts'
import type { Level, MessageLog } from '#shared/client/message_log.ts'
import { pythonTimestamp } from './python_text.ts'

/** Takes results and messages. */
export interface Output extends MessageLog {
  /** Prints a result: whole lines on stdout. */
  result(text: string): void
  /** Replaces the status line of a terminal. Does nothing when stderr is not a terminal. */
  status(text: string): void
  /** Removes the status line. */
  clearStatus(): void
  /** Whether the status line is seen. */
  readonly isStatusShown?: boolean
  /** The terminal to which results go; absent: a file or a pipe. */
  readonly screen?: Screen | undefined
}

/** A terminal for results. */
export interface Screen {
  /** Its size now, in characters. */
  size(): { readonly columns: number; readonly rows: number }
  readonly isColoured: boolean
  /** Shows a text in place of everything that is on it. */
  show(text: string): void
}

/** The part of a stream that the output uses. */
export interface Sink {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  readonly rows?: number | undefined
  write(text: string): unknown
}

export interface OutputOptions {
  readonly stdout: Sink
  readonly stderr: Sink
  readonly debug: boolean
  readonly quiet: boolean
  /** Whether a terminal gets colours: warnings and errors on stderr, tables on stdout. */
  readonly colour?: boolean
  /** File to which every message is also appended. */
  readonly logFile?: string | undefined
  readonly now: () => number
}

const LEVELS: readonly Level[] = ['DEBUG', 'INFO', 'WARNING', 'ERROR']
/** Escape sequence that erases the line, whatever its length. */
const ERASE_LINE = '\r\u001B[2K'
/** Escape sequences that move to the first line, and erase everything. What scrolled away stays. */
const ERASE_SCREEN = '\u001B[H\u001B[2J'
const DEFAULT_COLUMNS = 80
const DEFAULT_ROWS = 24
const COLOURS: Readonly<Partial<Record<Level, string>>> = { WARNING: '\u001B[33m', ERROR: '\u001B[31m' }
const PLAIN = '\u001B[0m'

/** Makes an output. A log file that cannot be written is reported once and does not end the client. */
export function createOutput(options: OutputOptions): Output {
  const { stdout, stderr, debug, quiet, logFile, now } = options
  const lowest = LEVELS.indexOf(quiet ? 'ERROR' : debug ? 'DEBUG' : 'INFO')
  const terminal = stderr.isTTY === true && !quiet
  const isColoured = stderr.isTTY === true && options.colour !== false
  let shown = ''
  let logBroken = false

  function withoutStatus(write: () => void): void {
    if (shown !== '') stderr.write(ERASE_LINE)
    write()
    if (shown !== '') stderr.write(shown)
  }

  function paint(level: Level, message: string): string {
    const colour = isColoured ? COLOURS[level] : undefined
    return colour === undefined ? message : `${colour}${message}${PLAIN}`
  }

  function appendToFile(level: Level, message: string): void {
    if (logFile === undefined || logBroken) return
    try {
      appendFileSync(logFile, `${pythonTimestamp(now())} - aviso - ${level} - ${message}\n`)
    } catch (error) {
      logBroken = true
      withoutStatus(() => stderr.write(`Cannot write to the log file ${logFile}: ${messageOf(error)}\n`))
    }
  }

  return {
    result: (text) => withoutStatus(() => stdout.write(`${text}\n`)),
    log(level, message) {
      if (LEVELS.indexOf(level) < lowest) return
      const printable = toPrintable(message)
      withoutStatus(() => stderr.write(`${paint(level, printable)}\n`))
      appendToFile(level, printable)
    },
    status(text) {
      if (!terminal) return
      shown = text.slice(0, (stderr.columns ?? DEFAULT_COLUMNS) - 1)
      stderr.write(`${ERASE_LINE}${shown}`)
    },
    clearStatus() {
      if (shown === '') return
      shown = ''
      stderr.write(ERASE_LINE)
    },
    isStatusShown: terminal,
    screen:
      stdout.isTTY === true
        ? {
            size: () => ({
              columns: sizeOr(stdout.columns, DEFAULT_COLUMNS),
              rows: sizeOr(stdout.rows, DEFAULT_ROWS),
            }),
            isColoured: options.colour !== false,
            show: (text) => withoutStatus(() => stdout.write(`${ERASE_SCREEN}${text}\n`)),
          }
        : undefined,
  }
}

/** Some terminals do not know their size, and say 0. */
function sizeOr(size: number | undefined, standard: number): number {
  return size === undefined || size === 0 ? standard : size
}

/** Replaces control characters, because texts of servers and notifications must not control the terminal. */
function toPrintable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  return text.replaceAll(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g, '\uFFFD')
}
