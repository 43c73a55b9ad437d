/**
 * The runtime port: the powers that differ between Node, Deno, Bun and workerd. Only this folder knows which one it is on.
 *
 * @module
 */

import type { NewSha256 } from '#shared/bytes/sha256.ts'
import type { Handler } from '#shared/handler.ts'
import type { FetchLike } from './fetch_like.ts'
import type { LocalClient } from './local_client.ts'
import type { ConnectHttp2 } from './http2_like.ts'
import type { FindStoreTls } from './store_tls.ts'

/** A listening server. */
export interface RunningServer {
  /** e.g. `http://127.0.0.1:8080`, or `unix:/run/aviso.sock` */
  readonly url: string
  /** Stops listening and ends open connections. */
  close(): Promise<void>
}

/** A value SQLite stores and returns. */
export type SqlValue = string | number | bigint | null | Uint8Array

/** A row, by column name. */
export type SqlRow = Readonly<Record<string, SqlValue>>

/** A row, its values in the order of the columns. */
export type SqlList = readonly SqlValue[]

/** A database that is looked at. */
export interface SqlView {
  /** Runs one statement; integers come back as `number`. Statements are cached by text. */
  all(sql: string, ...parameters: SqlValue[]): SqlRow[]
  /** The same, each row as its values in the order of the columns: on Node, many small rows take a third of the time. */
  lists(sql: string, ...parameters: SqlValue[]): SqlList[]
  /** CRC-32 (as of zip and PNG) of bytes. @param before That of the bytes before them. */
  crc32(bytes: Uint8Array, before?: number): number
}

/** A small file beside a database. It is written without being synced, so after a power cut it may be older than the database. */
export interface WitnessFile {
  /** @returns its bytes; `undefined` where there is none. */
  read(): Uint8Array | undefined
  /** Makes it with these bytes, on disk when it returns. */
  create(bytes: Uint8Array): void
  /** Overwrites a part of it. */
  write(bytes: Uint8Array, position: number): void
}

/** A database in a temporary file beside another one, to copy that one into. It is written in one transaction, and not synced. */
export interface DatabaseCopy extends SqlView {
  /** Runs one statement for its effect. */
  run(sql: string, ...parameters: SqlValue[]): void
  /** Has what was written so far put on the disk, off this thread, and waits for it. */
  flush(): Promise<void>
  /** Ends the writing. @returns Bytes of the file. */
  finish(): number
  /** The bytes of the finished file, in pieces. */
  bytes(): AsyncIterable<Uint8Array>
  /** Deletes it. Idempotent. */
  remove(): Promise<void>
}

/** What is to be found out about a database before it is opened, because opening one repairs it and so changes its files. */
export interface DatabaseLook {
  /** As it would be after the repair; `undefined` where there is none, or nothing in it. */
  readonly view: SqlView | undefined
  /** Bytes of the witness file; `undefined` where there is none. */
  readonly witness: Uint8Array | undefined
  /** What SQLite says of damaged pages; `undefined` where it was not looked for, or none were found. */
  readonly damage: string | undefined
}

/** How a database is opened. */
export interface DatabaseOptions {
  /** Called before anything is changed on disk. What it throws refuses the database. */
  readonly check?: (look: DatabaseLook) => void
  /** Told what should be put right but does not stop anything, such as files that others may read. */
  readonly warn?: (message: string) => void
}

/** What a restore puts in place of a database. */
export interface RestoreSteps {
  /** Looks at what is there now; no view where it cannot be read at all. It is called first. */
  readonly look: (old: DatabaseLook) => void
  /**
   * Checks the copy of the file that is restored, and makes it ready.
   *
   * @returns The bytes of its witness file.
   */
  readonly prepare: (copy: SqlDatabase) => Promise<Uint8Array>
  /** Name of the folder, inside the data folder, that what was there is moved to. */
  readonly aside: string
}

/** How a damaged database is salvaged. */
export interface SalvageSteps {
  /**
   * Fills a new, empty database with what can be read of the damaged one.
   *
   * @returns The bytes of its witness file.
   */
  readonly fill: (old: DatabaseLook & { readonly view: SqlView }, copy: SqlDatabase) => Promise<Uint8Array>
  /** Name of the folder, inside the data folder, that what was there is moved to. */
  readonly aside: string
}

/** Synchronous SQLite, as `node:sqlite` and a Durable Object's `ctx.storage.sql` both offer it. */
export interface SqlDatabase extends SqlView {
  /** Runs one statement for its effect. */
  run(sql: string, ...parameters: SqlValue[]): void
  /** Runs `work` in one durable transaction: on disk when it returns, undone when it throws. */
  transaction<Result>(work: () => Result): Result
  /** Bytes of the database file; 0 in memory. */
  sizeBytes(): number
  /** Gives free pages back to the file system, a bounded amount at a time; no-op where the host does it. */
  reclaim(): void
  /** Absent in memory, and where the host keeps the database. */
  readonly witness?: WitnessFile
  /**
   * Keeps a copy of the database as it is now beside it, on disk when this returns. One of the same name is replaced. Absent in memory, and
   * where the host keeps the database.
   *
   * @param name Part of the name of its file.
   * @returns Path of the copy.
   * @throws Where there is no room for it.
   */
  readonly keepCopy?: (name: string) => string
  /**
   * Makes an empty database to copy this one into, one at a time. Absent in memory, and where the host keeps the database.
   *
   * @throws {AvisoError} `ERR_CONFLICT` while there is one.
   */
  readonly newCopy?: () => DatabaseCopy
  close(): void
}

/** An address of this machine. */
export interface ListenOptions {
  readonly host: string
  /** 0 for a free one. */
  readonly port: number
}

/** Where a server listens. */
export type ListenPlace =
  /** `isShared`: other processes of this user may listen there too, and the system spreads connections over them. */
  | (ListenOptions & { readonly isShared?: boolean })
  /** A Unix socket. One that a process has left behind is replaced. `mode`: who may connect, as of a file. */
  | { readonly path: string; readonly mode: number }
  /** A socket that is listened on already: the number that this process has for it. Not on Bun. */
  | { readonly descriptor: number }

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
  readonly serve: (handler: Handler, place: ListenPlace) => Promise<RunningServer>
  /** For calls to a server of this machine at a Unix socket. Absent on workerd. */
  readonly connectLocal?: (path: string) => LocalClient
  /** Opens (and makes) the embedded store's database in `folder`; `undefined`: in memory. */
  readonly openDatabase: (folder: string | undefined, options?: DatabaseOptions) => Promise<SqlDatabase>
  /** Puts a copy of `file` in place of the database in `folder`; what was there is moved aside. Absent where the host keeps the database. */
  readonly restoreDatabase?: (file: string, folder: string, steps: RestoreSteps) => Promise<void>
  /**
   * Looks for damaged pages in the database in `folder`, and puts what can be read in its place; what was there is moved aside. Absent where the
   * host keeps the database.
   *
   * @returns Whether there were any.
   */
  readonly salvageDatabase?: (folder: string, steps: SalvageSteps) => Promise<boolean>
  readonly readText: (path: string) => Promise<string>
  /** `fetch` for calls to the store: `unary` for short calls, `watch` for answers that may last and be silent for hours. */
  readonly storeFetch: { readonly unary: FetchLike; readonly watch: FetchLike }
  /** For gRPC. Absent on workerd. */
  readonly connectHttp2?: ConnectHttp2
  /** The ways to the store, secured with files of the operator. Absent on workerd. */
  readonly storeOverTls?: (
    findTls: FindStoreTls,
  ) => Pick<Platform, 'storeFetch' | 'connectHttp2' | 'fetchOfStore'>
  /** `fetch` for what the members of the store serve besides, such as their metrics. Absent: the runtime's own. */
  readonly fetchOfStore?: (url: string, init: RequestInit) => Promise<Response>
  /** Absent on workerd, which has no outgoing UDP. */
  readonly udp?: UdpPower
  /**
   * Has work done at SIGINT or SIGTERM, and then ends the process. For services in a server of the runtime, which would wait for them for
   * ever. Absent where there are no signals.
   */
  readonly onStop?: (close: () => Promise<void>) => void
  /** Absent where the runtime does not tell. */
  readonly usage?: () => ProcessUsage
  /** Absent on workerd. */
  readonly newSha256?: NewSha256
  /** 128 random bits as text. */
  readonly random: () => string
  /** Writes one log line. */
  readonly log: (line: string) => void
  readonly identity: { readonly unixUser: string; readonly hostname: string }
}
