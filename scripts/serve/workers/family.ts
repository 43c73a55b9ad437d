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
import type { OtherWorkers } from '#services/system/system.ts'
import { AvisoError } from '#shared/errors.ts'
import type { Logger } from '#shared/logger.ts'
import type { LocalClient } from '#shared/runtime/local_client.ts'
import type { Platform } from '#shared/runtime/runtime.ts'
import { backOffMs, type BackOffLimits } from '#shared/time/back_off.ts'
import type { Clock } from '#shared/time/clock.ts'
import { askFigures, createLedger } from './figures.ts'
import { connectTo, FIRST, PLACE_VARIABLE, socketOf, type OpenPorts, type WorkerPlace } from './place.ts'
import type { Order } from './orders.ts'

/** Longest time from the start of a worker until it listens. A busy machine compiles for some seconds. */
const START_LIMIT_MS = 60_000
/** A worker that ends again and again is not started without a pause. */
const REPLACE: BackOffLimits = { firstMs: 100, mostMs: 10_000, steadyShare: 0.5 }
/** One that has lived so long was started well. */
const WELL_MS = 60_000

/** What workers are started with. */
export interface FamilyParts {
  /** How many there are, with the first one. */
  readonly count: number
  /** The command line of a worker. */
  readonly command: readonly [program: string, ...argv: string[]]
  readonly platform: Platform
  readonly clock: Clock
  readonly logger: Logger
}

/** The further workers. */
export interface Family {
  /** Folder of the sockets between workers. */
  readonly folder: string
  readonly others: OtherWorkers
  /**
   * Starts them, and waits until all listen.
   *
   * @throws {AvisoError} Where one ends instead: it has said why. `ERR_CONFIG` where that is for the operator to mend.
   */
  start(ports: OpenPorts): Promise<void>
  /** Takes the notice that a worker listens. */
  listening(worker: number): void
  order(order: Order): void
  /** Ends them, and waits until they have. @param limitMs After it they are killed. */
  end(limitMs: number): Promise<void>
}

/** One of them. */
interface Member {
  readonly child: ChildProcess
  readonly exited: Promise<void>
  /** Whether it has listened. */
  isUp: boolean
}

/** A worker that did not come to listen. It has printed the reason itself. */
export class WorkerEnded extends Error {
  /** Its exit code; 1 where it was ended by a signal. */
  readonly exitCode: number

  constructor(worker: number, exitCode: number) {
    super(`Worker ${worker} ended before it listened`)
    this.exitCode = exitCode
  }
}

/** Makes the folder. Workers are not started yet. */
export function createFamily(parts: FamilyParts): Family {
  const { count, clock, logger, platform } = parts
  const folder = mkdtempSync(join(tmpdir(), 'aviso-workers-'))
  const numbers = Array.from({ length: count - FIRST }, (_, index) => FIRST + 1 + index)
  const members = new Map<number, Member>()
  const clients = new Map<number, LocalClient>()
  const ledger = createLedger()
  /** Told when a worker listens for the first time, or does not come to it. */
  const starts = new Map<number, PromiseWithResolvers<void>>()
  let isEnding = false
  const removeFolder = (): void => rmSync(folder, { recursive: true, force: true })
  // Also where the program does not wait for its end.
  process.once('exit', removeFolder)

  function clientOf(worker: number): LocalClient {
    const client = clients.get(worker) ?? connectTo(platform, socketOf(folder, worker))
    clients.set(worker, client)
    return client
  }

  function launch(place: WorkerPlace, failures: number): void {
    const { number } = place
    const [program, ...argv] = parts.command
    const child = spawn(program, argv, {
      stdio: ['pipe', 'inherit', 'inherit'],
      env: environmentOf(place),
    })
    const startedAt = clock.monotonic()
    // A worker that has just ended takes no order.
    child.stdin?.on('error', () => undefined)
    const exited = new Promise<void>((done) => {
      const onEnd = (code: number | null, signal: string | null): void => {
        done()
        if (members.get(number) !== member) return
        members.delete(number)
        ledger.ended(number)
        if (isEnding) return
        const start = starts.get(number)
        if (start !== undefined) return start.reject(new WorkerEnded(number, code ?? 1))
        const again = clock.monotonic() - startedAt < WELL_MS ? failures : 0
        const waitMs = backOffMs(again, REPLACE, Math.random)
        logger('error', 'A worker has ended: another one takes its place', {
          worker: number,
          reason: signal ?? `exit code ${code}`,
          after_ms: Math.round(waitMs),
        })
        clock.after(waitMs, () => {
          if (!isEnding) launch(place, again + 1)
        })
      }
      child.once('exit', onEnd)
      child.once('error', () => onEnd(1, null))
    })
    const member: Member = { child, exited, isUp: false }
    members.set(number, member)
  }

  return {
    folder,
    others: {
      families: async () => ledger.families(await figures()),
      streams: async () => (await figures()).reduce((sum, { streams }) => sum + streams, 0),
    },
    start: async (ports) => {
      for (const number of numbers) starts.set(number, Promise.withResolvers())
      const all = Promise.all([...starts.values()].map(({ promise }) => promise))
      for (const number of numbers) launch({ number, folder, ports }, 0)
      const stop = clock.after(START_LIMIT_MS, () => {
        const late = new AvisoError(
          'ERR_INTERNAL',
          `Not all workers listened within ${START_LIMIT_MS / 1000} s`,
        )
        for (const { reject } of starts.values()) reject(late)
      })
      try {
        await all
      } finally {
        stop()
        starts.clear()
      }
    },
    listening: (worker) => {
      const member = members.get(worker)
      if (member === undefined) return
      member.isUp = true
      const start = starts.get(worker)
      if (start === undefined) logger('info', 'A worker listens', { worker })
      start?.resolve()
    },
    order: (order) => {
      for (const { child } of members.values()) child.stdin?.write(`${JSON.stringify(order)}\n`)
    },
    end: async (limitMs) => {
      isEnding = true
      const living = [...members.values()]
      for (const { child } of living)
        child.stdin?.end(`${JSON.stringify({ kind: 'stop' } satisfies Order)}\n`)
      const stop = clock.after(limitMs, () => {
        for (const { child } of living) child.kill('SIGKILL')
      })
      await Promise.all(living.map(({ exited }) => exited))
      stop()
      removeFolder()
    },
  }

  async function figures(): ReturnType<typeof askFigures> {
    const up = [...members].flatMap(([number, { isUp }]) =>
      isUp ? [[number, clientOf(number)] as const] : [],
    )
    return askFigures(up, clock)
  }
}

/** The service manager is told by the first worker alone. */
function environmentOf(place: WorkerPlace): NodeJS.ProcessEnv {
  const { NOTIFY_SOCKET: _notify, WATCHDOG_USEC: _watchdog, ...environment } = process.env
  return { ...environment, [PLACE_VARIABLE]: JSON.stringify(place) }
}
