/**
 * A complete listener in one file that needs only `fetch`. Copy it, and replace the line that prints. Runs on Node, Deno and Bun.
 *
 *     node scripts/listen.ts 'http://127.0.0.1:8080/api/v1/watch?event=flight&country=Italy' [position]
 *
 * It prints one line of JSON per notification. After a lost connection it goes on exactly after the last notification. To do so after a
 * restart, keep the last `position` and pass it to the next run. It ends with an error when the service refuses or history is lost. A
 * notification that cannot be handled is tried again a few times and then passed over, with a line on standard error.
 */

/** A notification as a CloudEvent. */
interface Notification {
  readonly id: string
  readonly data: { readonly identifier: Readonly<Record<string, string>>; readonly payload: unknown }
}

/** Longest silence. The service sends heartbeats, so after a longer silence the connection is dead, even if the socket is open. */
const SILENCE_MS = 60_000
const LONGEST_PAUSE_MS = 30_000
/** How often one notification is tried before it is passed over. Otherwise it would be the last one for ever. */
const MOST_ATTEMPTS = 5

class Refusal extends Error {}

/**
 * Calls `onNotification` for each notification, one after another, without end. When it throws, the notification is delivered again, at
 * most {@link MOST_ATTEMPTS} times.
 */
export async function listen(
  url: string,
  onNotification: (notification: Notification, position: string) => void | Promise<void>,
  position = '',
): Promise<never> {
  const failed = { position: '', attempts: 0 }
  for (let failures = 0; ; failures++) {
    const connection = new AbortController()
    let silence = setTimeout(() => connection.abort(), SILENCE_MS)
    try {
      const headers = { Accept: 'text/event-stream', ...(position !== '' && { 'Last-Event-ID': position }) }
      const response = await fetch(url, { headers, signal: connection.signal })
      const isRefused = [400, 401, 403, 404, 410].includes(response.status)
      if (isRefused) throw new Refusal(`${response.status} ${await response.text()}`)
      if (response.status !== 200 || response.body === null) throw new Error(`status ${response.status}`)
      let buffer = ''
      for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
        clearTimeout(silence)
        // An event ends with an empty line. An incomplete event is kept, and comes again after a reconnection.
        const events = (buffer + chunk).split('\n\n')
        buffer = events.pop() ?? ''
        for (const event of events) {
          const [name, data, id] = ['event', 'data', 'id'].map((field) => valueOf(event, field))
          if (name === 'gap') throw new Refusal(`history is lost: ${data}`)
          try {
            const message = name === 'live-notification' || name === 'replay' ? JSON.parse(data ?? '') : {}
            // A live stream begins with a message of the same name that is not a notification, because it has no id.
            if (message.id !== undefined) await onNotification(message as Notification, id ?? '')
          } catch (error) {
            failed.attempts = failed.position === id ? failed.attempts + 1 : 1
            failed.position = id ?? ''
            if (failed.attempts < MOST_ATTEMPTS) throw error
            console.error(`Passed over the notification at ${id}: ${String(error)}`)
          }
          position = id || position
          failures = 0
        }
        silence = setTimeout(() => connection.abort(), SILENCE_MS)
      }
    } catch (error) {
      if (error instanceof Refusal) throw error
      console.error(`Interrupted (${String(error)}), going on after position ${position || '(none yet)'}`)
    } finally {
      clearTimeout(silence)
      connection.abort()
    }
    // The pause is random, so that the listeners of a restarted service do not all come back at the same time.
    const pause = Math.random() * Math.min(LONGEST_PAUSE_MS, 1000 * 2 ** Math.min(failures, 10))
    await new Promise((next) => setTimeout(next, pause))
  }
}

function valueOf(event: string, field: string): string {
  const lines = event.split('\n').filter((line) => line.startsWith(`${field}:`))
  return lines.map((line) => line.slice(field.length + 1).replace(/^ /, '')).join('\n')
}

// Node 20 does not know `import.meta.main`.
if (import.meta.main ?? process.argv[1] === import.meta.filename) {
  const [, , url = 'http://127.0.0.1:8080/api/v1/watch?event=flight', position] = process.argv
  await listen(
    url,
    (notification, at) => console.log(JSON.stringify({ position: at, ...notification })),
    position,
  )
}
