// @ts-check
/**
 * A complete listener in one file that needs only `fetch`. Copy it, and put your work in place of the line that prints.
 *
 *     node listen.mjs 'https://aviso.example.int/api/v1/watch?event=flight&country=Italy' [position]
 *
 * It is plain JavaScript, and runs where its reader is: Node from 18 on, Deno, Bun, and in a page (`import { listen } from './listen.mjs'`).
 * A token in the environment variable `AVISO_TOKEN` is sent as `Authorization: Bearer …`.
 *
 * It prints one line of JSON per notification. After a lost connection it goes on exactly after the last notification. To do so after a
 * restart, keep the last `position` and pass it to the next run. It ends with an error when the service refuses or history is lost. A
 * notification that cannot be handled is tried again a few times and then passed over, with a line on standard error.
 */

/**
 * A notification, a CloudEvent.
 *
 * @typedef {{ readonly id: string, readonly data: { readonly identifier: Readonly<Record<string, string>>, readonly payload: unknown } }} Notification
 */

/**
 * What is not the same for all listeners.
 *
 * @typedef {object} Options
 * @property {string} [position] Go on after this position. Default: what comes from now on, or what the address says.
 * @property {string} [token] Says who listens.
 * @property {AbortSignal} [signal] Ends the listener.
 * @property {(line: string) => void} [log] Takes what the user should know. Default: `console.error`.
 */

/** Longest silence. The service sends heartbeats, so after a longer silence the connection is dead, even if the socket is open. */
const SILENCE_MS = 60_000
const LONGEST_PAUSE_MS = 30_000
/** How often one notification is tried before it is passed over. Otherwise it would be the last one for ever. */
const MOST_ATTEMPTS = 5
/** Refusals that another attempt can change: too slow, too early, too many. Every other status from 400 to 499 stays what it is. */
const PASSING = [408, 425, 429]

/** The service refuses, or has lost history. Trying again does not help. */
export class Refusal extends Error {}

/**
 * Calls `onNotification` for each notification, one after another, until `signal` aborts. When it throws, the notification is delivered
 * again, at most {@link MOST_ATTEMPTS} times.
 *
 * @param {string} url
 * @param {(notification: Notification, position: string) => void | Promise<void>} onNotification
 * @param {Options} [options]
 * @returns {Promise<void>}
 * @throws {Refusal}
 */
export async function listen(url, onNotification, options = {}) {
  const { token, signal, log = (line) => console.error(line) } = options
  let { position = '' } = options
  const failed = { position: '', attempts: 0 }
  for (let failures = 0; !signal?.aborted; failures++) {
    const connection = new AbortController()
    const stop = () => connection.abort()
    signal?.addEventListener('abort', stop)
    let silence = setTimeout(stop, SILENCE_MS)
    try {
      /** @type {Record<string, string>} */
      const headers = { Accept: 'text/event-stream' }
      if (position !== '') headers['Last-Event-ID'] = position
      if (token !== undefined && token !== '') headers['Authorization'] = `Bearer ${token}`
      const response = await fetch(url, { headers, signal: connection.signal })
      const { status, body } = response
      if (status >= 400 && status < 500 && !PASSING.includes(status))
        throw new Refusal(`${status} ${await response.text()}`)
      if (status !== 200 || body === null) throw new Error(`the service answers ${status}`)
      const reader = body.pipeThrough(new TextDecoderStream()).getReader()
      let buffer = ''
      for (;;) {
        const { done, value } = await reader.read()
        if (done) throw new Error('the service ended the connection')
        clearTimeout(silence)
        // An event ends with an empty line. An incomplete event is kept, and comes again after a reconnection.
        const events = (buffer + value).split('\n\n')
        buffer = events.pop() ?? ''
        for (const event of events) {
          const [name, data, id] = ['event', 'data', 'id'].map((field) => valueOf(event, field))
          if (name === 'gap') throw new Refusal(`history is lost: ${data}`)
          try {
            const message = name === 'live-notification' || name === 'replay' ? JSON.parse(data ?? '') : {}
            // A live stream begins with a message of the same name that is not a notification, because it has no id.
            if (message.id !== undefined) await onNotification(message, id ?? '')
          } catch (error) {
            failed.attempts = failed.position === id ? failed.attempts + 1 : 1
            failed.position = id ?? ''
            if (failed.attempts < MOST_ATTEMPTS) throw error
            log(`Passed over the notification at ${id}: ${causeOf(error)}`)
          }
          position = id || position
          failures = 0
        }
        silence = setTimeout(stop, SILENCE_MS)
      }
    } catch (error) {
      if (error instanceof Refusal) throw error
      if (!signal?.aborted)
        log(`Interrupted (${causeOf(error)}), going on after position ${position || '(none yet)'}`)
    } finally {
      clearTimeout(silence)
      signal?.removeEventListener('abort', stop)
      connection.abort()
    }
    // The pause is random, so that the listeners of a restarted service do not all come back at the same time.
    const pause = Math.random() * Math.min(LONGEST_PAUSE_MS, 1000 * 2 ** Math.min(failures, 10))
    if (!signal?.aborted) await new Promise((next) => setTimeout(next, pause))
  }
}

/**
 * The value of a field of a server-sent event.
 *
 * @param {string} event
 * @param {string} field
 */
function valueOf(event, field) {
  const lines = event.split('\n').filter((line) => line.startsWith(`${field}:`))
  return lines.map((line) => line.slice(field.length + 1).replace(/^ /, '')).join('\n')
}

/**
 * What went wrong. `fetch` hides it in the cause: connection refused, name unknown, certificate not trusted.
 *
 * @param {unknown} error
 */
function causeOf(error) {
  const texts = []
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    if (at.name === 'AbortError') texts.push('nothing came for a minute')
    else if (at.message !== '') texts.push(at.message)
    else if ('code' in at) texts.push(String(at.code))
  }
  return texts.length > 0 ? texts.join(': ') : String(error)
}

/** Whether this file is the program, and not a module of one. In a page it never is. */
function isProgram() {
  const program = globalThis.process?.argv?.[1]
  if (!program) return false
  // Node before 24 does not say.
  if ('main' in import.meta) return import.meta.main === true
  return decodeURI(import.meta.url).endsWith(program.replaceAll('\\', '/').replace(/^\.\//, ''))
}

if (isProgram()) {
  const { argv, env } = globalThis.process
  const [, , url, position] = argv
  if (url === undefined || !/^https?:\/\//.test(url)) {
    console.error(
      "Usage: node listen.mjs 'http://HOST:PORT/api/v1/watch?event=EVENT&FIELD=VALUE' [POSITION]\n" +
        'The address begins with http:// or https://. Quote it, because of the & in it. AVISO_TOKEN may hold a token.',
    )
    process.exit(2)
  }
  const print = (/** @type {Notification} */ notification, /** @type {string} */ at) =>
    console.log(JSON.stringify({ position: at, ...notification }))
  await listen(url, print, { position: position ?? '', token: env['AVISO_TOKEN'] ?? '' }).catch((error) => {
    console.error(`Refused: ${causeOf(error)}`)
    process.exit(1)
  })
}
