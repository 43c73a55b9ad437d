/**
 * Keeps the latest errors and warnings of each service's log. Their number is bounded; 1.x keeps all of them until they are read.
 *
 * @module
 */

import type { LogApp, LogLevel, LogLine } from './syslog.ts'

/** Errors and warnings of one service since a time. */
export interface LogExtract {
  readonly errors: readonly string[]
  readonly warnings: readonly string[]
}

/** The received log lines of all services. */
export interface LogBook {
  add(line: LogLine, at: number): void
  since(app: LogApp, at: number): LogExtract
  /** Number of lines received since the start. */
  count(app: LogApp, level: LogLevel): number
}

/** Every service whose lines are kept. */
export const LOG_APPS: readonly LogApp[] = ['rest', 'auth', 'etcd']
/** Every level that is counted. */
export const LOG_LEVELS: readonly LogLevel[] = ['error', 'warning', 'other']
/** Most lines kept per service: more than a report quotes. */
export const MAX_LINES = 100

interface Kept {
  readonly at: number
  readonly level: LogLevel
  readonly text: string
}

/** Makes an empty log book. */
export function createLogBook(): LogBook {
  const lines = new Map<LogApp, Kept[]>()
  const counts = new Map<string, number>()
  return {
    add({ app, level, text }, at) {
      const name = `${app} ${level}`
      counts.set(name, (counts.get(name) ?? 0) + 1)
      if (level === 'other') return
      const kept = lines.get(app) ?? []
      lines.set(app, kept)
      kept.push({ at, level, text })
      if (kept.length > MAX_LINES) kept.shift()
    },
    since(app, at) {
      const recent = (lines.get(app) ?? []).filter((line) => line.at >= at)
      const textsOf = (level: LogLevel): readonly string[] =>
        recent.filter((line) => line.level === level).map(({ text }) => text)
      return { errors: textsOf('error'), warnings: textsOf('warning') }
    },
    count: (app, level) => counts.get(`${app} ${level}`) ?? 0,
  }
}
