/**
 * Makes the notifications of one forecast run of a data centre: files disseminated to customers' destinations, and fields archived in MARS.
 *
 * @module
 */

/** A notification as a provider posts it. */
export interface RunNotification {
  readonly event: 'dissemination' | 'mars'
  readonly request: Readonly<Record<string, string>>
  readonly location: string
}

const DESTINATIONS = ['MACI', 'FOO', 'FOOBAR', 'ECMETEO', 'NORDIC', 'ALPS']
const STREAMS = ['oper', 'enfo']
const DOMAINS = ['g', 'a', 'e', 'm']
const STEP_HOURS = 6
const LAST_STEP = 240

/**
 * All notifications of the run of one day and time, in the order in which the model produces them: by step.
 *
 * @param date `YYYYMMDD`
 * @param time Hour of the run: 0, 6, 12 or 18.
 */
export function forecastRun(date: string, time: number): readonly RunNotification[] {
  const run: RunNotification[] = []
  for (let step = 0; step <= LAST_STEP; step += STEP_HOURS) {
    for (const stream of STREAMS) {
      for (const domain of DOMAINS) {
        const common = {
          class: 'od',
          date,
          domain,
          expver: '1',
          step: String(step),
          stream,
          time: String(time),
        }
        const path = `${date}/${time}/${stream}/${domain}/${step}`
        run.push({ event: 'mars', request: common, location: `mars://od/${path}` })
        for (const destination of DESTINATIONS) {
          const request = { ...common, destination, target: 'E1' }
          run.push({
            event: 'dissemination',
            request,
            location: `s3://diss.example.int/${destination}/${path}`,
          })
        }
      }
    }
  }
  return run
}

/** A listener of the demonstration: its request, and which notifications of the run match. */
export interface DemoListener {
  readonly name: string
  readonly event: RunNotification['event']
  readonly request: Readonly<Record<string, string | readonly string[]>>
  /** Whether a notification matches. It is written by hand and does not use the service's matching, so that the check is independent. */
  readonly wants: (notification: RunNotification) => boolean
}

/** Listeners with different requests: for a whole destination, lists, single fields, all notifications, and none. */
export const DEMO_LISTENERS: readonly DemoListener[] = [
  {
    name: 'all of destination MACI',
    event: 'dissemination',
    request: { destination: 'MACI' },
    wants: ({ event, request }) => event === 'dissemination' && request['destination'] === 'MACI',
  },
  {
    name: 'FOO, not FOOBAR, steps 0 and 24',
    event: 'dissemination',
    request: { destination: 'FOO', step: ['0', '24'] },
    wants: ({ request }) =>
      request['destination'] === 'FOO' && (request['step'] === '0' || request['step'] === '24'),
  },
  {
    name: 'two destinations, ensemble, Europe',
    event: 'dissemination',
    request: { destination: ['NORDIC', 'ALPS'], stream: 'enfo', domain: 'e' },
    wants: ({ request }) =>
      (request['destination'] === 'NORDIC' || request['destination'] === 'ALPS') &&
      request['stream'] === 'enfo' &&
      request['domain'] === 'e',
  },
  {
    // Of the class alone: the hub of a gateway may be behind, and deliver the runs that were published before this listener.
    name: 'everything operational in MARS',
    event: 'mars',
    request: { class: 'od' },
    wants: ({ event }) => event === 'mars',
  },
  {
    name: 'MARS, last step of the deterministic run',
    event: 'mars',
    request: { stream: 'oper', step: '240', expver: '0001', time: '0' },
    wants: ({ event, request }) =>
      event === 'mars' && request['stream'] === 'oper' && request['step'] === '240',
  },
  {
    name: 'a destination that gets nothing',
    event: 'dissemination',
    request: { destination: 'NOBODY' },
    wants: () => false,
  },
]
