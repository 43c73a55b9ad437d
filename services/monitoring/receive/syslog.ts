/**
 * Syslog lines of services: which service wrote one, and how bad it is.
 *
 * @see RFC 5424; reference/aviso-v1.md §4.2 and §4.4 for the substrings that decide
 * @module
 */

/** Whose log. */
export type LogApp = 'etcd' | 'auth' | 'rest'

/** How bad a line is, of the grades that anybody reports. */
export type LogLevel = 'error' | 'warning' | 'other'

/** One received line. */
export interface LogLine {
  readonly app: LogApp
  readonly level: LogLevel
  readonly text: string
}

/** In the order in which 1.x tries them. */
const APPS: readonly (readonly [substring: string, app: LogApp])[] = [
  ['aviso-etcd', 'etcd'],
  ['aviso-auth', 'auth'],
  ['aviso-rest', 'rest'],
]
/** `<priority>1 time host application …` */
const HEADER = /^<\d{1,3}>1 \S+ (\S+) (\S+) /
const MAX_TEXT_CHARACTERS = 2_048
/** What a listener that mistypes an address causes; 1.x leaves it out of the errors of the auth service. */
const NOT_FOUND = '404 Not Found: The requested URL was not found on the server'

/** Whether a datagram is a log line at all. */
export function isSyslog(datagram: Uint8Array): boolean {
  return datagram[0] === 0x3c
}

/** Reads a line; `undefined` for one that belongs to none of the services. */
export function parseSyslog(text: string): LogLine | undefined {
  const app = appOf(text)
  if (app === undefined) return undefined
  return { app, level: levelOf(app, text), text: text.slice(0, MAX_TEXT_CHARACTERS) }
}

/**
 * By host and application of the header first: 1.x looks at the whole line, and so takes a line that mentions another service for
 * a line of that service.
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
