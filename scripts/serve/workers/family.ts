/**
 * The further workers, as the first one has them: it starts them, replaces one that ends, gives them orders, and asks them for figures.
 *
 * Orders are lines on standard input, so a worker also learns from its end that the first one is gone.
 *
 * @module
 */

import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import type { OtherWorkers } from '#services/system/system_parts.ts'
import { AvisoError } from '#shared/errors.ts'
import type { Logger } from '#shared/logger.ts'
import type { LocalClient } from '#shared/runtime/local_client.ts'
import type { Platform } from '#shared/runtime/runtime.ts'
import { backOffMs, type BackOffLimits } from '#shared/time/back_off.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { FindWorkers } from './all_streams.ts'
import { askFigures, createLedger } from './figures.ts'
import { askAlive, BEAT_MS, MOST_MISSED, watchHeartbeat } from './heartbeat.ts'
import {
  connectTo,
  FIRST,
  PLACE_VARIABLE,
  socketOf,
  WorkerEnded,
  type OpenPlaces,
  type WorkerPlace,
} from './place.ts'
import type { Order } from './orders.ts'

/** Longest time from the start of a worker until it listens, after which it is ended. A busy machine compiles for some seconds. */
const START_LIMIT_MS = 60_000
/** A worker that ends again and again is not started without a pause. */
const REPLACE: BackOffLimits = { firstMs: 100, mostMs: 10_000, steadyShare: 0.5 }
/** One that has lived so long was started well. */
const WELL_MS = 60_000

/** A path of a socket has 107 bytes at most. The rest is for the folder and the name in it. */
const MOST_FOLDER_BYTES = 75

/** What workers are started with. */
export interface FamilyParts {
  /** How many there are, with the first one. */
  readonly count: number
  /** The command line of a worker. */
  readonly command: readonly [program: string, ...argv: string[]]
  readonly platform: Platform
  readonly clock: Clock
  readonly logger: Logger
  /** Called when a process has ended. */
  readonly onEnded: (life: number) => void
}

/** The further workers. */
export interface Family {
  /** Folder of the sockets between workers. */
  readonly folder: string
  readonly others: OtherWorkers
  /** Those that listen. */
  readonly up: FindWorkers
  /**
   * Starts them, and waits until all listen.
   *
   * @throws {AvisoError} Where one ends instead: it has said why. `ERR_CONFIG` where that is for the operator to mend.
   */
  start(places: OpenPlaces): Promise<void>
  /** Takes the notice that a worker listens. */
  listening(worker: number): void
  /** Whether this process has not ended. */
  isAlive(life: number): boolean
  /** @param except A process that is not given the order. */
  order(order: Order, except?: number): void
  /** Ends them, and waits until they have. @param limitMs After it they are killed. */
  end(limitMs: number): Promise<void>
}

/** One of them. */
interface Member {
  readonly life: number
  readonly child: ChildProcess
  readonly exited: Promise<void>
  /** Whether it has listened. */
  isUp: boolean
  /** Whether it hung, and was ended for it. */
  isSilent: boolean
  /** Stops what watches it. */
  stopWatching: () => void
}

/** Makes the folder. Workers are not started yet. */
export function createFamily(parts: FamilyParts): Family {
  const family = new Workers(parts)
  // Also where the program does not wait for its end.
  process.once('exit', family.removeFolder)
  return family
}

/** Makes the folder of the sockets. @throws {AvisoError} `ERR_CONFIG` where the folder of temporary files cannot hold it. */
function makeFolder(): string {
  const above = tmpdir()
  if (Buffer.byteLength(above) > MOST_FOLDER_BYTES)
    throw new AvisoError(
      'ERR_CONFIG',
      `--workers: the path "${above}" is too long for sockets: name a folder of at most ${MOST_FOLDER_BYTES} bytes in TMPDIR`,
    )
  try {
    return mkdtempSync(join(above, 'aviso-workers-'))
  } catch (cause) {
    throw new AvisoError(
      'ERR_CONFIG',
      `--workers: no folder can be made in "${above}" for the sockets between workers: name another one in TMPDIR`,
      { cause },
    )
  }
}

class Workers implements Family {
  readonly folder = makeFolder()
  readonly #parts: FamilyParts
  readonly #members = new Map<number, Member>()
  readonly #clients = new Map<number, LocalClient>()
  readonly #ledger = createLedger()
  /** Told when a worker listens for the first time, or does not come to it. */
  readonly #starts = new Map<number, PromiseWithResolvers<void>>()
  readonly #replaced = { ended: 0, silent: 0 }
  #lives = 0
  #isEnding = false

  constructor(parts: FamilyParts) {
    this.#parts = parts
  }

  readonly others: OtherWorkers = {
    families: async () => this.#ledger.families(await this.#figures()),
    streams: async () => (await this.#figures()).reduce((sum, { streams }) => sum + streams, 0),
    replaced: () => this.#replaced,
  }

  readonly up: FindWorkers = () =>
    [...this.#members].flatMap(([number, { isUp }]) =>
      isUp ? [[number, this.#clientOf(number)] as const] : [],
    )

  readonly removeFolder = (): void => rmSync(this.folder, { recursive: true, force: true })

  async start(places: OpenPlaces): Promise<void> {
    const { count } = this.#parts
    const [first, ...others] = Array.from({ length: count - FIRST }, (_, index) => FIRST + 1 + index)
    // What keeps one from starting mostly keeps all of them, and is to be told once.
    if (first !== undefined) await this.#startOne(first, places)
    await Promise.all(others.map((number) => this.#startOne(number, places)))
    this.#starts.clear()
  }

  async #startOne(number: number, places: OpenPlaces): Promise<void> {
    const start = Promise.withResolvers<void>()
    this.#starts.set(number, start)
    const stop = this.#parts.clock.after(START_LIMIT_MS, () => {
      const seconds = START_LIMIT_MS / 1000
      start.reject(new AvisoError('ERR_INTERNAL', `Worker ${number} did not listen within ${seconds} s`))
    })
    try {
      this.#launch({ number, life: 0, folder: this.folder, ...places }, 0)
      await start.promise
    } finally {
      stop()
    }
  }

  readonly listening = (worker: number): void => {
    const member = this.#members.get(worker)
    if (member === undefined) return
    member.isUp = true
    member.stopWatching()
    member.stopWatching = this.#watch(worker, member)
    const start = this.#starts.get(worker)
    if (start === undefined) this.#parts.logger('info', 'A worker listens', { worker })
    start?.resolve()
  }

  readonly isAlive = (life: number): boolean =>
    [...this.#members.values()].some((member) => member.life === life)

  /** Ends a worker that hangs: another one then takes its place, and the connections to it break, so that its listeners come back. */
  #watch(worker: number, member: Member): () => void {
    const client = this.#clientOf(worker)
    return watchHeartbeat({
      ask: (signal) => askAlive(client, signal),
      clock: this.#parts.clock,
      onSilent: () => this.#endSilent(worker, member, MOST_MISSED * BEAT_MS),
    })
  }

  #endSilent(worker: number, member: Member, silentMs: number): void {
    if (this.#isEnding) return
    this.#parts.logger('error', 'A worker does not answer: it is ended', { worker, silent_ms: silentMs })
    member.isSilent = true
    member.child.kill('SIGKILL')
  }

  order(order: Order, except?: number): void {
    for (const { life, child } of this.#members.values())
      if (life !== except) child.stdin?.write(`${JSON.stringify(order)}\n`)
  }

  async end(limitMs: number): Promise<void> {
    this.#isEnding = true
    const living = [...this.#members.values()]
    for (const { stopWatching } of living) stopWatching()
    for (const { child } of living) child.stdin?.end(`${JSON.stringify({ kind: 'stop' } satisfies Order)}\n`)
    const stop = this.#parts.clock.after(limitMs, () => {
      for (const { child } of living) child.kill('SIGKILL')
    })
    await Promise.all(living.map(({ exited }) => exited))
    stop()
    this.removeFolder()
  }

  #launch(place: WorkerPlace, failures: number): void {
    const [program, ...argv] = this.#parts.command
    // Sockets of the service manager have the same numbers everywhere.
    const life = ++this.#lives
    const child = spawn(program, argv, {
      stdio: ['pipe', 'inherit', 'inherit', ...place.passed.map(({ descriptor }) => descriptor)],
      env: environmentOf({ ...place, life }),
    })
    const startedAt = this.#parts.clock.monotonic()
    // A worker that has just ended takes no order.
    child.stdin?.on('error', () => undefined)
    const { promise: exited, resolve } = Promise.withResolvers<void>()
    const stopWatching = this.#parts.clock.after(START_LIMIT_MS, () =>
      this.#endSilent(place.number, member, START_LIMIT_MS),
    )
    const member: Member = { life, child, exited, isUp: false, isSilent: false, stopWatching }
    this.#members.set(place.number, member)
    const onEnd = (code: number | null, signal: string | null): void => {
      resolve()
      member.stopWatching()
      if (this.#members.get(place.number) !== member) return
      this.#members.delete(place.number)
      this.#parts.onEnded(life)
      this.#ledger.ended(place.number)
      if (this.#isEnding) return
      const lived = this.#parts.clock.monotonic() - startedAt
      this.#onEnd(place, member, { code, signal, failures: lived < WELL_MS ? failures : 0 })
    }
    child.once('exit', onEnd)
    child.once('error', () => onEnd(1, null))
  }

  #onEnd(place: WorkerPlace, { isUp, isSilent }: Member, { code, signal, failures }: End): void {
    const { clock, logger } = this.#parts
    const { number: worker } = place
    const reason = signal ?? `exit code ${code}`
    const start = isUp ? undefined : this.#starts.get(worker)
    if (start !== undefined) {
      // One that is ended from outside says nothing.
      if (code === null) logger('error', 'A worker has ended before it listened', { worker, reason })
      return start.reject(new WorkerEnded(worker, code ?? 1))
    }
    this.#replaced[isSilent ? 'silent' : 'ended']++
    const waitMs = backOffMs(failures, REPLACE, Math.random)
    const fields = { worker, reason, after_ms: Math.round(waitMs) }
    logger('error', 'A worker has ended: another one takes its place', fields)
    clock.after(waitMs, () => {
      if (!this.#isEnding) this.#launch(place, failures + 1)
    })
  }

  #clientOf(worker: number): LocalClient {
    const { platform } = this.#parts
    const client = this.#clients.get(worker) ?? connectTo(platform, socketOf(this.folder, worker))
    this.#clients.set(worker, client)
    return client
  }

  #figures(): ReturnType<typeof askFigures> {
    return askFigures(this.up(), this.#parts.clock)
  }
}

/** How a worker has ended. */
interface End {
  readonly code: number | null
  readonly signal: string | null
  /** How often in a row one at this place has not lived long. */
  readonly failures: number
}

/** The service manager is told by the first worker alone. */
function environmentOf(place: WorkerPlace): NodeJS.ProcessEnv {
  const { NOTIFY_SOCKET: _notify, WATCHDOG_USEC: _watchdog, ...environment } = process.env
  return { ...environment, [PLACE_VARIABLE]: JSON.stringify(place) }
}
