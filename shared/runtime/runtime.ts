/**
 * The runtime port: the powers that differ between Node, Deno, Bun and workerd. Only this folder knows which one it is on.
 *
 * @module
 */

import type { Handler } from '#shared/handler.ts'
import type { FetchLike } from './fetch_like.ts'

/** A listening server. */
export interface RunningServer {
  /** e.g. `http://127.0.0.1:8080` */
  readonly url: string
  /** Stops listening and ends open connections. */
  close(): Promise<void>
}

/** A value SQLite stores and returns. */
export type SqlValue = string | number | bigint | null | Uint8Array

/** A row, by column name. */
export type SqlRow = Readonly<Record<string, SqlValue>>

/** Synchronous SQLite, as `node:sqlite` and a Durable Object's `ctx.storage.sql` both offer it. */
export interface SqlDatabase {
  /** Runs one statement; integers come back as `number`. Statements are cached by text. */
  all(sql: string, ...parameters: SqlValue[]): SqlRow[]
  /** Runs one statement for its effect. */
  run(sql: string, ...parameters: SqlValue[]): void
  /** Runs `work` in one durable transaction: on disk when it returns, undone when it throws. */
  transaction<Result>(work: () => Result): Result
  /** Bytes of the database file; 0 in memory. */
  sizeBytes(): number
  /** Gives free pages back to the file system, a bounded amount at a time; no-op where the host does it. */
  reclaim(): void
  close(): void
}

/** Where to listen. */
export interface ListenOptions {
  readonly host: string
  /** 0 for a free one. */
  readonly port: number
}

/** A UDP socket that sends to one address. */
export interface UdpSender {
  /** @param done Called once, with `false` where the datagram certainly did not leave. */
  send(datagram: Uint8Array, done: (sent: boolean) => void): void
  close(): void
}

/** A UDP socket that receives. */
export interface UdpReceiver {
  readonly port: number
  close(): Promise<void>
}

/** UDP. */
export interface UdpPower {
  /** Never throws for a destination: datagrams may be lost. It does not keep the process alive. */
  openSender(address: ListenOptions): UdpSender
  /** Rejects where the address cannot be had. `onDatagram` must not throw. */
  openReceiver(address: ListenOptions, onDatagram: (datagram: Uint8Array) => void): Promise<UdpReceiver>
}

/** What a process uses. */
export interface ProcessUsage {
  readonly residentBytes: number
  readonly cpuSeconds: number
}

/** Everything the launcher needs of a runtime. */
export interface Platform {
  readonly name: 'node' | 'deno' | 'bun' | 'workerd'
  /** e.g. `node 24.21.0` */
  readonly version: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly serve: (handler: Handler, options: ListenOptions) => Promise<RunningServer>
  /** Opens (and makes) the embedded store's database in `folder`; `undefined`: in memory. */
  readonly openDatabase: (folder: string | undefined) => Promise<SqlDatabase>
  readonly readText: (path: string) => Promise<string>
  /** `fetch` for calls to the store: `unary` for short calls, `watch` for answers that may last and be silent for hours. */
  readonly storeFetch: { readonly unary: FetchLike; readonly watch: FetchLike }
  /** Absent on workerd, which has no outgoing UDP. */
  readonly udp?: UdpPower
  /** Absent where the runtime does not tell. */
  readonly usage?: () => ProcessUsage
  /** 128 random bits as text. */
  readonly random: () => string
  /** Writes one log line. */
  readonly log: (line: string) => void
  readonly identity: { readonly unixUser: string; readonly hostname: string }
}
