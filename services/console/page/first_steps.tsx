/**
 * What a page without notifications says: what it will show, and three commands that fill it.
 *
 * @module
 */

import type { JSX } from 'preact'
import { baseUrl, session } from './api.ts'
import type { EventType } from './catalogue.ts'
import { Code } from './parts.tsx'
import { shellWord } from './same_as.ts'
import { useWatched } from './state.ts'

/** A notification of each shipped event type, for a first try. */
const EXAMPLES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  flight: { country: 'Italy', airport: 'FCO', date: '20260810', number: 'AZ203' },
  mars: { class: 'od', expver: '1', domain: 'g', date: '20260810', time: '0', stream: 'enfo', step: '1' },
  dissemination: {
    destination: 'FOO',
    target: 'E1',
    class: 'od',
    expver: '1',
    domain: 'g',
    date: '20260810',
    time: '0',
    stream: 'enfo',
    step: '1',
  },
}

/** The three commands. */
export function FirstSteps({
  event,
  isFiltered,
}: {
  readonly event: EventType
  readonly isFiltered: boolean
}): JSX.Element {
  const { isSignedIn } = useWatched(session)
  const name = event.event_type
  if (isFiltered)
    return (
      <div class="empty">
        <h2>Nothing matches this filter yet</h2>
        <p>
          New notifications of <b>{name}</b> that match appear here by themselves.{' '}
          <a href="#/history">History</a> searches what came before, and <a href="#/explain">Explain</a> says
          which condition excludes the rest.
        </p>
      </div>
    )
  const base = baseUrl()
  const request = EXAMPLES[name] ?? Object.fromEntries(event.names.map((field) => [field, '…']))
  const header = isSignedIn ? ' -H "Authorization: Bearer $AVISO_TOKEN"' : ''
  const body = JSON.stringify({ event_type: name, identifier: request, payload: 'Hello' })
  const words = Object.entries(request).map(([field, value]) => `${field}=${value}`)
  return (
    <div class="empty">
      <h2>No notification of {name} yet</h2>
      <p>
        Providers publish short notifications: that a file is there, or that something has happened. Listeners
        get them at once, or later from history. This page is a listener, and shows each one as it comes.
        Three commands fill it:
      </p>
      <ol>
        <li>
          Publish one with curl:
          <Code
            label="Publish with curl"
            text={`curl${header} ${shellWord(`${base}/api/v1/notification`)} -d ${shellWord(body)}\n`}
          />
        </li>
        <li>
          Or with the program <code>aviso</code>:
          <Code
            label="Publish with aviso"
            text={`AVISO_BASE_URL=${shellWord(base)} npm run aviso -- notify ${shellWord([`event=${name}`, ...words, 'payload=Hello'].join(','))}\n`}
          />
        </li>
        <li>
          Listen as programs do:
          <Code
            label="Listen with curl"
            text={`curl -N${header} ${shellWord(`${base}/api/v1/watch?event=${name}&from_id=1`)}\n`}
          />
        </li>
      </ol>
    </div>
  )
}
