/**
 * How a test reaches a service: a function like `fetch`, to a real server or to a handler in the same process.
 *
 * @module
 */

/** Sends a request. */
export type Door = (path: string, init?: DoorRequest) => Promise<Response>

/** What is sent. */
export interface DoorRequest {
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal?: AbortSignal
}

/** A server's door. */
export function doorTo(url: string): Door {
  return (path, init = {}) => fetch(url + path, init)
}

/** The door of a handler. */
export function doorOf(handler: (request: Request) => Promise<Response>): Door {
  return (path, init = {}) => handler(new Request(`http://127.0.0.1${path}`, init))
}
