/**
 * Where a further worker stands: what the first one tells it in its environment.
 *
 * @module
 */

import { join } from 'node:path'
import type { ServiceName } from '#services/system/settings.ts'
import type { LocalClient } from '#shared/runtime/local_client.ts'
import type { Platform } from '#shared/runtime/runtime.ts'
import type { PassedSocket } from '../passed_sockets.ts'

/** Ports that are open already. */
export interface OpenPorts {
  /** The common port; absent: there is none. */
  readonly common?: number
  /** Ports of single services. */
  readonly own: Readonly<Partial<Record<ServiceName, number>>>
}

/** What the first worker listens on. */
export interface OpenPlaces {
  readonly ports: OpenPorts
  /** Sockets that the service manager has opened. */
  readonly passed: readonly PassedSocket[]
}

/** The place of a further worker. */
export interface WorkerPlace extends OpenPlaces {
  /** 2, 3, …: the first worker has started it. */
  readonly number: number
  /** Different for each process that the first worker has started. */
  readonly life: number
  /** Folder of the sockets between workers. Only this user may enter it. */
  readonly folder: string
}

/** Name of the environment variable that has the place as JSON. It is between the workers, and no setting. */
export const PLACE_VARIABLE = '_AVISO_WORKER'

/** Who may connect to the sockets between workers: this user. */
export const SOCKET_MODE = 0o600

/** @returns the place of this process; `undefined` where it is the first */
export function readPlace(
  environment: Readonly<Record<string, string | undefined>>,
): WorkerPlace | undefined {
  const text = environment[PLACE_VARIABLE]
  return text === undefined ? undefined : (JSON.parse(text) as WorkerPlace)
}

/** Path of the socket of a worker. */
export function socketOf(folder: string, worker: number): string {
  return join(folder, `${worker}.sock`)
}

/** Number of the worker that started the others, owns the embedded store, and answers for all. */
export const FIRST = 1

/** A client of a worker. @throws {TypeError} on workerd, which has no sockets. */
export function connectTo({ connectLocal, name }: Platform, path: string): LocalClient {
  if (connectLocal === undefined) throw new TypeError(`${name} has no sockets between workers`)
  return connectLocal(path)
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
