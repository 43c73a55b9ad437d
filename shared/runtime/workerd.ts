/**
 * workerd: a Durable Object holds the whole system, because only there may one request wake another (a hub in a
 * plain Worker is cancelled as hung), and its SQL storage is the embedded store.
 *
 * @module
 */

import { crc32 } from '#shared/bytes/crc32.ts'
import type { FetchHandler, Handler } from '#shared/handler.ts'
import { plainFetch } from './plain_fetch.ts'
import type { Platform, SqlDatabase, SqlRow, SqlValue } from './runtime.ts'
import { respondTo, WebRequest } from './web_request.ts'

/** The parts of a Durable Object's state used here. */
export interface DurableObjectState {
  readonly storage: {
    readonly sql: {
      exec(
        sql: string,
        ...parameters: unknown[]
      ): { toArray(): Record<string, unknown>[]; raw(): { toArray(): unknown[][] } }
      readonly databaseSize: number
    }
    transactionSync<Result>(work: () => Result): Result
  }
}

/** The powers of workerd, inside a Durable Object. There is nothing to serve with: workerd calls us. */
export function createWorkerdPlatform(
  state: DurableObjectState,
  environment: Readonly<Record<string, string | undefined>>,
): Platform {
  const unavailable = (what: string) => (): never => {
    throw new TypeError(`workerd cannot ${what}`)
  }
  return {
    name: 'workerd',
    version: 'workerd',
    environment,
    serve: unavailable('open a port'),
    openDatabase: () => Promise.resolve(toSqlDatabase(state)),
    readText: unavailable('read files'),
    storeFetch: { unary: plainFetch, watch: plainFetch },
    random: () => crypto.randomUUID(),
    // A log line has no other way out.
    log: (line) => console.log(line),
    identity: { unixUser: 'workerd', hostname: 'workerd' },
  }
}

/** A handler whose answers reach clients that still send: workerd itself takes 64 KiB or one second more, and closes the connection. */
export function answeringSenders(handler: Handler): FetchHandler {
  return async (request) => {
    const received = new WebRequest(request, { isClosing: true })
    return withLength(await respondTo(received, await handler(received)))
  }
}

/** workerd's stream with a length: with any other it drops `Content-Length`, and the client waits for the end of the stream. */
declare const FixedLengthStream: new (length: number) => {
  readonly readable: ReadableStream<Uint8Array>
  readonly writable: WritableStream<Uint8Array>
}

function withLength(response: Response): Response {
  const length = response.headers.get('content-length')
  if (length === null || response.body === null) return response
  const { readable, writable } = new FixedLengthStream(Number(length))
  // It rejects when the client leaves before the end.
  response.body.pipeTo(writable).catch(() => undefined)
  return new Response(readable, response)
}

/** Integers beyond this are stored exactly by SQLite but not by workerd's binding, which takes numbers. */
function toParameter(value: SqlValue): unknown {
  return typeof value === 'bigint' ? Number(value) : value
}

function fromColumn(value: unknown): SqlValue {
  return value instanceof ArrayBuffer ? new Uint8Array(value) : (value as SqlValue)
}

/**
 * A Durable Object's SQL as {@link SqlDatabase}. Durability: workerd's output gate holds every answer back until the
 * writes before it are on disk.
 */
function toSqlDatabase(state: DurableObjectState): SqlDatabase {
  const { storage } = state
  const execute = (sql: string, parameters: SqlValue[]): SqlRow[] =>
    storage.sql
      .exec(sql, ...parameters.map(toParameter))
      .toArray()
      .map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, fromColumn(value)])))
  return {
    all: (sql, ...parameters) => execute(sql, parameters),
    lists: (sql, ...parameters) =>
      storage.sql
        .exec(sql, ...parameters.map(toParameter))
        .raw()
        .toArray()
        .map((values) => values.map(fromColumn)),
    run: (sql, ...parameters) => {
      execute(sql, parameters)
    },
    transaction: (work) => storage.transactionSync(work),
    sizeBytes: () => storage.sql.databaseSize,
    reclaim: () => undefined,
    crc32,
    close: () => undefined,
  }
}
