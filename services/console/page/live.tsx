/**
 * The live view: what comes, as it comes.
 *
 * @module
 */

import type { JSX } from 'preact'
import { useCallback, useEffect, useState } from 'preact/hooks'
import { baseUrl, session } from './api.ts'
import { catalogue, filterIn, unknownIn, usualEvent, type EventType, type Filter } from './catalogue.ts'
import { EventList, FilterRows } from './filter.tsx'
import { FirstSteps } from './first_steps.tsx'
import {
  closeLive,
  keepCatalogue,
  live,
  openLive,
  resumeLive,
  togglePause,
  type Live,
  type Row,
} from './live_model.ts'
import { isTaken } from './keys.ts'
import { Badge, Code, isRoomy, Notice, Tabs } from './parts.tsx'
import { keepQuery, place } from './place.ts'
import { asAviso, asCurl, asPyaviso, asYaml, queryOf } from './same_as.ts'
import { useWatched } from './state.ts'
import { NotificationTable } from './table.tsx'
import { countText, spanText } from './text.ts'
import { Drawer } from './trace.tsx'

/** The view. */
export function LiveView(): JSX.Element {
  const { events } = useWatched(catalogue)
  const { query } = useWatched(place)
  const state = useWatched(live)
  const [chosen, choose] = useState<Row | undefined>(undefined)
  const [unknown, setUnknown] = useState<string | undefined>(undefined)
  const address = query.toString()
  useEffect(() => {
    begin(events, query)
    setUnknown(unknownIn(query, events, ['from_id']))
  }, [address, events.length > 0])
  useEffect(() => {
    const stop = keepCatalogue()
    return () => {
      stop()
      closeLive()
    }
  }, [])
  useKeys()
  const event = events.find(({ event_type }) => event_type === state.event)
  const chooseRow = useCallback((row: Row) => choose(row), [])
  if (event === undefined) return <p class="empty">There is no event type that you may see.</p>
  const open = (name: string, filter: Filter): void => {
    choose(undefined)
    setUnknown(undefined)
    keepQuery(queryOf({ event: name, filter }))
    openLive(name, filter)
  }
  return (
    <div class="split">
      <section class="side" aria-label="What is shown">
        <EventList events={events} chosen={state.event} onChoose={(name) => open(name, {})} />
        <details class="fold" open={isRoomy()}>
          <summary>Filter</summary>
          <FilterRows event={event} filter={state.filter} onChange={(filter) => open(state.event, filter)} />
        </details>
        <SameAs state={state} />
      </section>
      <section class="main" aria-label="Notifications">
        <Head state={state} event={event} />
        {unknown === undefined ? null : <Notice kind="warn">{unknown}</Notice>}
        {state.problem === undefined ? null : (
          <Notice kind="bad">
            {state.problem}{' '}
            <button
              type="button"
              class="small"
              onClick={() => openLive(state.event, state.filter, { from_id: '1' })}
            >
              Replay from the oldest
            </button>
          </Notice>
        )}
        {state.needs.length === 0 ? null : (
          <Notice>
            Listeners of {state.event} say which <b>{state.needs.join(' and ')}</b> they want. Choose it in
            the filter.
          </Notice>
        )}
        {state.needs.length === 0 &&
        state.rows.length === 0 &&
        state.status.kind !== 'connecting' &&
        state.status.kind !== 'refused' ? (
          <FirstSteps event={event} isFiltered={Object.keys(state.filter).length > 0} />
        ) : null}
        {state.rows.length === 0 ? null : (
          <NotificationTable
            rows={state.rows}
            names={event.names}
            payloadName={event.payloadName}
            label={`Notifications of ${event.event_type}, the newest first`}
            isDated={false}
            most={MOST_DRAWN}
            chosen={chosen?.id}
            onChoose={chooseRow}
            onReplayOldest={replayOldest}
          />
        )}
      </section>
      {chosen === undefined ? null : (
        <Drawer id={chosen.id} event={chosen.event} onClose={() => choose(undefined)} />
      )}
    </div>
  )
}

function replayOldest(oldest: string | undefined): void {
  const { event, filter } = live.get()
  openLive(event, filter, oldest === undefined ? { from_id: '1' } : { from: oldest })
}

/** Opens what the address asks for; without that, what was open. */
function begin(events: readonly EventType[], query: URLSearchParams): void {
  const asked = events.find(({ event_type }) => event_type === query.get('event'))
  const from = query.get('from_id')
  if (asked !== undefined)
    return openLive(asked.event_type, filterIn(query, asked.names), from === null ? {} : { from_id: from })
  if (live.get().event !== '') return resumeLive()
  const usual = usualEvent(events)
  if (usual !== undefined) openLive(usual, {})
}

/** Space stops the table, as long as the focus is on nothing that takes it. */
function useKeys(): void {
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (event.key !== ' ' || isTaken(event, 'button,a,summary')) return
      event.preventDefault()
      togglePause()
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [])
}

const WORDS = {
  connecting: ['idle', 'connecting'],
  live: ['good', 'live'],
  replaying: ['good', 'replaying history'],
  waiting: ['warn', 'coming back'],
  refused: ['bad', 'refused'],
} as const

/** A table that changes all the time has as many rows as people look at. */
const MOST_DRAWN = 200

const NEEDS = ['idle', 'not listening'] as const

function Head({ state, event }: { readonly state: Live; readonly event: EventType }): JSX.Element {
  const { status, behindMs, rate, isPaused, held, from } = state
  const [kind, word] = state.needs.length > 0 ? NEEDS : WORDS[status.kind]
  return (
    <header class="head">
      <h1 class="unseen">Live</h1>
      <Badge kind={kind}>
        {word}
        {status.kind === 'waiting' ? `: ${status.reason}` : ''}
      </Badge>
      <span class="count" role="status" aria-live="polite">
        {state.needs.length > 0 ? '' : matchText(state, event)}
      </span>
      {rate === undefined || rate < 1 ? null : <span>{Math.round(rate)}/s</span>}
      {behindMs === undefined ? null : (
        <span>{behindMs < 1000 ? `${behindMs} ms` : spanText(behindMs / 1000)} behind</span>
      )}
      {from === undefined ? null : <span>replayed from {from}</span>}
      <span class="push" />
      <button type="button" aria-pressed={isPaused} onClick={togglePause} title="Space">
        {isPaused ? `Go on${held > 0 ? ` (${countText(held)} new)` : ''}` : 'Pause'}
      </button>
    </header>
  )
}

/** "328 match of 2,296", where the others may be counted. */
function matchText({ matched, firstNumber, from }: Live, { whole, last }: EventType): string {
  if (matched === 0) return from === undefined ? 'nothing new yet' : 'nothing there yet'
  const text = `${countText(matched)} ${matched === 1 ? 'match' : 'matches'}`
  if (!whole || from !== undefined || last === null) return text
  const all = Number(last.sequence) - (firstNumber ?? 0)
  return all < matched ? text : `${text} of ${countText(all)}`
}

function SameAs({ state }: { readonly state: Live }): JSX.Element {
  const { isSignedIn } = useWatched(session)
  const { event, filter } = state
  const asked = { base: baseUrl(), event, filter, isSignedIn }
  return (
    <details class="fold same">
      <summary>The same as YAML, curl, pyaviso, aviso</summary>
      <Tabs
        label="The same request"
        tabs={[
          { name: 'YAML', content: () => <Code label="Listener file" text={asYaml(asked)} /> },
          { name: 'curl', content: () => <Code label="With curl" text={asCurl(asked)} /> },
          { name: 'pyaviso', content: () => <Code label="With pyaviso" text={asPyaviso(asked)} /> },
          { name: 'aviso', content: () => <Code label="With aviso" text={asAviso(asked)} /> },
        ]}
      />
    </details>
  )
}
