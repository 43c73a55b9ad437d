/**
 * Files of Unix sockets: who may connect, and what is done with one that a process has left behind.
 *
 * @module
 */

import { chmodSync, rmSync, statSync } from 'node:fs'
import { createConnection } from 'node:net'

/** Where, and who may connect. */
export interface SocketFile {
  readonly path: string
  /** As of a file, such as `0o660`. */
  readonly mode: number
}

/**
 * Listens at a path. The file of a socket that no process listens on is taken away first: a process that was killed leaves it.
 *
 * @throws Where the system refuses the path. Its `code` is `EADDRINUSE` for a path that is in use, or is no socket.
 */
export async function openSocketFile<Server>(
  { path, mode }: SocketFile,
  listen: () => Promise<Server>,
): Promise<Server> {
  if (await isInUse(path)) throw Object.assign(new Error(`${path} is in use`), { code: 'EADDRINUSE' })
  rmSync(path, { force: true })
  const server = await listen()
  chmodSync(path, mode)
  return server
}

/** Whether there is something at a path that must not be taken away: a socket that answers, or what is no socket. */
export async function isInUse(path: string): Promise<boolean> {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return false
  if (!found.isSocket()) return true
  return new Promise((done) => {
    const socket = createConnection(path)
    const finish = (inUse: boolean): void => {
      socket.destroy()
      done(inUse)
    }
    socket.once('connect', () => finish(true))
    socket.once('error', (error) => finish(!('code' in error && error.code === 'ECONNREFUSED')))
  })
}
