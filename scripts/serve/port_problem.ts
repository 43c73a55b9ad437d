/**
 * Says why a port cannot be listened on, and what to do.
 *
 * @module
 */

/** Where was to be listened. */
export interface Place {
  /** The setting or flag, such as `dev.port`. */
  readonly path: string
  readonly host: string
  readonly port: number
}

/** Ports below this are for the superuser, on most systems. */
const FIRST_FREE_PORT = 1024

/** @returns a line such as `dev.socket: /run/aviso.sock is in use …` */
export function socketProblem(error: unknown, path: string): string {
  const code = codeOf(error)
  switch (code) {
    case 'EADDRINUSE':
      return `dev.socket: "${path}" is in use by another program, or no socket: stop that one, or choose another path`
    case 'ENOENT':
    case 'ENOTDIR':
      return `dev.socket: the folder of "${path}" is missing: make it, or choose another path`
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return `dev.socket: this user may not make "${path}": choose a path in a folder that it may write`
    default:
      return `dev.socket: cannot listen on "${path}"${code === '' ? '' : ` (${code})`}`
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** @returns a line such as `dev.port: port 8080 of 127.0.0.1 is in use …` */
export function portProblem(error: unknown, { path, host, port }: Place): string {
  const code = codeOf(error)
  switch (code) {
    case 'EADDRINUSE':
      return `${path}: port ${port} of ${host} is in use by another program: stop that one, or choose another port (--port 0: any free one)`
    case 'EACCES':
    case 'EPERM':
      return `${path}: this user may not listen on port ${port} of ${host}: choose one from ${FIRST_FREE_PORT} on, or give the program the capability CAP_NET_BIND_SERVICE`
    case 'EADDRNOTAVAIL':
      return `dev.host: this machine has no address ${host}: give one of its own, 127.0.0.1, or 0.0.0.0 for all`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `dev.host: the name ${host} is unknown: give an address of this machine, 127.0.0.1, or 0.0.0.0 for all`
    default:
      return `${path}: cannot listen on port ${port} of ${host}${code === '' ? '' : ` (${code})`}`
  }
}
