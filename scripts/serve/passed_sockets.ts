/**
 * Sockets that the service manager opened before the start (socket activation): systemd's `LISTEN_FDS`.
 *
 * @see https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html
 * @module
 */

import { SERVICE_NAMES, type ServiceName } from '#services/system/settings.ts'

/** The number of the first one. */
const FIRST_DESCRIPTOR = 3
const VARIABLES = ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES'] as const

/** A socket that is listened on already. */
export interface PassedSocket {
  readonly descriptor: number
  /** The service whose name it has (`FileDescriptorName=`), and which alone answers there; absent: all of them. */
  readonly service?: ServiceName
}

/** The part of `process` that is needed. */
export interface PassedTo {
  readonly pid: number
  readonly env: Record<string, string | undefined>
}

/** @returns the sockets for this process. Its variables are taken away, so that no program that it starts takes them for its own. */
export function takePassedSockets({ pid, env }: PassedTo): readonly PassedSocket[] {
  const [forPid, count, names] = VARIABLES.map((name) => env[name])
  if (forPid === undefined || Number(forPid) !== pid || !/^\d{1,3}$/.test(count ?? '')) return []
  for (const name of VARIABLES) delete env[name]
  const named = names?.split(':') ?? []
  return Array.from({ length: Number(count) }, (_, index) => {
    const service = SERVICE_NAMES.find((name) => name === named[index])
    return { descriptor: FIRST_DESCRIPTOR + index, ...(service !== undefined && { service }) }
  })
}
