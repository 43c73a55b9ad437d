/**
 * Reads syslog lines of services: which service wrote a line, and its level.
 *
 * @see RFC 5424; reference/aviso-v1.md §4.2 and §4.4 for the substrings that decide
 * @module
 */

/** The service that wrote the log. */
export type LogApp = 'etcd' | 'auth' | 'rest'

/** Level of a line. Only errors and warnings are reported. */
export type LogLevel = 'error' | 'warning' | 'other'

/** One received line. */
export interface LogLine {
  readonly app: LogApp
  readonly level: LogLevel
  readonly text: string
}

/** Substrings by which a service is recognised, in the order in which 1.x tries them. */
const APPS: readonly (readonly [substring: string, app: LogApp])[] = [
  ['aviso-etcd', 'etcd'],
  ['aviso-auth', 'auth'],
  ['aviso-rest', 'rest'],
]
/** `<priority>1 time host application …` */
const HEADER = /^<\d{1,3}>1 \S+ (\S+) (\S+) /
const MAX_TEXT_CHARACTERS = 2_048
/** The line for a listener that mistypes an address. As in 1.x, it is not an error of the auth service. */
const NOT_FOUND = '404 Not Found: The requested URL was not found on the server'

/** Whether a datagram is a log line: it begins with `<`. */
export function isSyslog(datagram: Uint8Array): boolean {
  return datagram[0] === 0x3c
}

/** Reads a line; `undefined` when it belongs to none of the services. */
export function parseSyslog(text: string): LogLine | undefined {
  const app = appOf(text)
  if (app === undefined) return undefined
  return { app, level: levelOf(app, text), text: text.slice(0, MAX_TEXT_CHARACTERS) }
}

/**
 * The service that wrote a line. Host and application of the header decide first. 1.x searches the whole line, so it attributes a line
 * that mentions another service to that service.
 */
function appOf(text: string): LogApp | undefined {
  const [, host = '', application = ''] = HEADER.exec(text) ?? []
  return find(`${host} ${application}`) ?? find(text)
}

function find(text: string): LogApp | undefined {
  return APPS.find(([substring]) => text.includes(substring))?.[1]
}

function levelOf(app: LogApp, text: string): LogLevel {
  if (app === 'etcd') {
    if (/level":"(?:error|fatal|panic)"/.test(text)) return 'error'
    return text.includes('level":"warn"') ? 'warning' : 'other'
  }
  if (app === 'auth' && text.includes(NOT_FOUND)) return 'other'
  if (text.includes('ERROR')) return 'error'
  return text.includes('WARNING') ? 'warning' : 'other'
}
