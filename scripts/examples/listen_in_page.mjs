// @ts-check
/**
 * Listens in a web page with `EventSource`. Copy it, and put your work in place of the line that shows.
 *
 * `EventSource` cannot send a header, and a credential in an address ends up in logs. So the page asks for a ticket, with the credential,
 * and puts that into the address: it counts once, for 30 s. The browser connects again with the same address, and the service then answers
 * 401. Therefore the page does it itself: close, get a ticket, open again behind the last event.
 *
 * `listen.mjs` beside this folder does the same with `fetch`, which can send a header and needs no ticket.
 */

/**
 * What the page wants.
 *
 * @typedef {object} Wish
 * @property {string} service Address of the service, such as `https://aviso.example.int`.
 * @property {Readonly<Record<string, string | readonly string[]>>} query Event type, fields and start: `{ event: 'flight', from_id: '1' }`.
 * @property {() => string | undefined} token Says who listens, asked for each ticket, because tokens end. `undefined`: no ticket is needed.
 * @property {(notification: any, position: string) => void} onNotification Takes a CloudEvent, and the place behind it.
 * @property {(problem: string) => void} [onProblem] Takes what the user should know. Default: `console.warn`.
 */

/** Names of events that are not notifications. They too say where the stream is. */
const CONTROL = ['live-notification', 'replay-control', 'heartbeat', 'connection-closing']
/** What is in the way of a start behind the last event: a stream has one start. */
const STARTS = ['from', 'from_id', 'from_date']
const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 60_000
/** Refusals that another attempt can change. */
const PASSING = [408, 425, 429]

/** The service refuses, and trying again does not help. */
class Refusal extends Error {}

/**
 * Starts to listen.
 *
 * @param {Wish} wish
 * @returns {{ close(): void }} ends it
 */
export function listenInPage({ service, query, token, onNotification, onProblem = console.warn }) {
  let position = ''
  let failures = 0
  let isClosed = false
  /** @type {EventSource | undefined} */
  let source
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer

  async function open() {
    try {
      const credential = token()
      const ticket = credential === undefined ? undefined : await getTicket(service, credential)
      if (!isClosed) connect(addressOf(ticket))
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error)
      if (error instanceof Refusal) stop(problem)
      else comeBack(problem)
    }
  }

  /** @param {string | undefined} ticket */
  function addressOf(ticket) {
    const address = new URL('/api/v1/watch', service)
    for (const [name, values] of Object.entries(query)) {
      if (position !== '' && STARTS.includes(name)) continue
      for (const value of [values].flat()) address.searchParams.append(name, value)
    }
    address.searchParams.set('events', 'message')
    if (position !== '') address.searchParams.set('from', position)
    if (ticket !== undefined) address.searchParams.set('ticket', ticket)
    return address
  }

  /** @param {URL} address */
  function connect(address) {
    const stream = new EventSource(address)
    source = stream
    stream.onmessage = ({ data, lastEventId }) => {
      failures = 0
      onNotification(JSON.parse(data), lastEventId)
      position = lastEventId || position
    }
    for (const name of CONTROL) {
      stream.addEventListener(name, ({ lastEventId }) => {
        failures = 0
        position = lastEventId || position
      })
    }
    stream.addEventListener('gap', ({ data }) => stop(`history is lost: ${data}`))
    stream.onerror = () => {
      // Before the browser comes back by itself, with a ticket that is used up.
      stream.close()
      comeBack('the connection has ended')
    }
  }

  /** @param {string} why */
  function comeBack(why) {
    if (isClosed) return
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures)
    failures++
    onProblem(`${why}; going on after ${position || 'the start'}`)
    // Random, so that the pages of a restarted service do not all come back at once.
    timer = setTimeout(() => void open(), Math.random() * longest)
  }

  /** @param {string} why */
  function stop(why) {
    close()
    onProblem(why)
  }

  function close() {
    isClosed = true
    clearTimeout(timer)
    source?.close()
  }

  void open()
  return { close }
}

/**
 * A ticket for one stream.
 *
 * @param {string} service
 * @param {string} token
 * @returns {Promise<string>}
 */
async function getTicket(service, token) {
  const headers = { Authorization: `Bearer ${token}` }
  const response = await fetch(new URL('/api/v1/tickets', service), { method: 'POST', headers })
  if (response.ok) return (await response.json()).ticket
  const text = `${response.status} ${await response.text()}`
  throw response.status < 500 && !PASSING.includes(response.status) ? new Refusal(text) : new Error(text)
}
