/**
 * The history view: search by fields and time, page by page.
 *
 * @module
 */

import type { JSX } from 'preact'
import { useCallback, useEffect, useState } from 'preact/hooks'
import { ask, messageOf, toQuery } from './api.ts'
import {
  catalogue,
  filterIn,
  missingFields,
  unknownIn,
  usualEvent,
  type EventType,
  type Filter,
} from './catalogue.ts'
import { EventList, FilterRows } from './filter.tsx'
import { toRow, type CloudEvent, type Row } from './live_model.ts'
import { isRoomy, Notice } from './parts.tsx'
import { go, keepQuery, place } from './place.ts'
import { queryOf } from './same_as.ts'
import { useWatched } from './state.ts'
import { NotificationTable } from './table.tsx'
import { countText } from './text.ts'
import { Drawer, replayQuery } from './trace.tsx'

interface Page {
  readonly notifications: readonly CloudEvent[]
  readonly cursor: string | null
  readonly more: boolean
  readonly truncated?: boolean
  readonly looked: { readonly first?: string; readonly last?: string; readonly count: number }
}

interface Search {
  readonly event: string
  readonly filter: Filter
  readonly from: string
  readonly to: string
  readonly order: string
}

interface Found {
  readonly rows: readonly Row[]
  readonly looked: number
  readonly cursor: string | null
  readonly isMore: boolean
  readonly isTruncated: boolean
  readonly error?: string
}

/** Rows that are kept and drawn. Beyond that a narrower search, or the export, is of more use. */
const MOST_FOUND = 3_000

const NOTHING: Found = { rows: [], looked: 0, cursor: null, isMore: false, isTruncated: false }
/** Pages that are asked for until one has something: a page looks through 4,000 notifications. */
const MOST_EMPTY_PAGES = 25
/** Notifications that are exported at once: what a browser holds without trouble. */
const MOST_EXPORTED = 10_000

/** The view. */
export function HistoryView(): JSX.Element {
  const { events } = useWatched(catalogue)
  const { query } = place.get()
  const [unknown] = useState(() => unknownIn(query, events, ['from', 'to', 'order']))
  const [search, setSearch] = useState<Search>(() => searchIn(events, query))
  const [found, setFound] = useState<Found>(NOTHING)
  const [isBusy, setBusy] = useState(false)
  const [chosen, choose] = useState<Row | undefined>(undefined)
  const event = events.find(({ event_type }) => event_type === search.event)
  const needs = event === undefined ? [] : missingFields(event, search.filter)
  useEffect(() => {
    const stop = new AbortController()
    choose(undefined)
    keepQuery(`${queryOf(search)}&${toQuery({ from: search.from, to: search.to, order: search.order })}`)
    setFound(NOTHING)
    if (needs.length === 0) void run(search, NOTHING, stop.signal)
    return () => stop.abort()
  }, [JSON.stringify(search)])
  const run = async (asked: Search, before: Found, signal: AbortSignal): Promise<void> => {
    setBusy(true)
    const next = await findMore(asked, before, signal)
    if (signal.aborted) return
    setFound(next)
    setBusy(false)
  }
  const chooseRow = useCallback((row: Row) => choose(row), [])
  if (event === undefined) return <p class="empty">There is no event type that you may see.</p>
  const { rows, isMore, isTruncated, error } = found
  return (
    <div class="split">
      <section class="side" aria-label="Search">
        <EventList
          events={events}
          chosen={search.event}
          onChoose={(name) => setSearch({ ...search, event: name, filter: {} })}
        />
        <SpanFields search={search} onChange={setSearch} />
        <details class="fold" open={isRoomy()}>
          <summary>Filter</summary>
          <FilterRows
            event={event}
            filter={search.filter}
            onChange={(filter) => setSearch({ ...search, filter })}
          />
        </details>
      </section>
      <section class="main" aria-label="Found">
        <Head search={search} found={found} isBusy={isBusy} />
        {unknown === undefined ? null : <Notice kind="warn">{unknown}</Notice>}
        {error === undefined ? null : <Notice kind="bad">{error}</Notice>}
        {isTruncated ? <Notice kind="warn">A part of what was asked for is no longer kept.</Notice> : null}
        {needs.length === 0 ? null : (
          <Notice>
            Choose <b>{needs.join(' and ')}</b> in the filter: {event.event_type} is searched by it.
          </Notice>
        )}
        {rows.length === 0 && needs.length === 0 && !isBusy && error === undefined ? (
          <p class="empty">Nothing of what is kept matches. Explain says which condition excludes it.</p>
        ) : null}
        {rows.length === 0 ? null : (
          <NotificationTable
            rows={rows}
            names={event.names}
            payloadName={event.payloadName}
            label={`History of ${event.event_type}`}
            isDated
            most={MOST_FOUND}
            chosen={chosen?.id}
            onChoose={chooseRow}
            onReplayOldest={() => undefined}
          />
        )}
        {isMore && rows.length < MOST_FOUND ? (
          <button
            type="button"
            class="more"
            disabled={isBusy}
            onClick={() => void run(search, found, new AbortController().signal)}
          >
            {search.order === 'oldest' ? 'Newer' : 'Older'} ones
          </button>
        ) : null}
      </section>
      {chosen === undefined ? null : (
        <Drawer id={chosen.id} event={chosen.event} onClose={() => choose(undefined)} />
      )}
    </div>
  )
}

interface HeadProps {
  readonly search: Search
  readonly found: Found
  readonly isBusy: boolean
}

function Head({ search, found: { rows, looked, isMore, error }, isBusy }: HeadProps): JSX.Element {
  return (
    <header class="head">
      <h1 class="unseen">History</h1>
      <span class="count" role="status" aria-live="polite">
        {isBusy ? 'Searching … ' : ''}
        {rows.length === 0 && error !== undefined
          ? 'Not searched'
          : `${countText(rows.length)} found in ${countText(looked)}`}
        {isMore ? ', and there is more' : ''}
      </span>
      <span class="push" />
      <Export search={search} isDisabled={error !== undefined} />
      <button type="button" disabled={rows.length === 0} onClick={() => go('live', replayOf(search, rows))}>
        Replay from the oldest here
      </button>
    </header>
  )
}

function searchIn(events: readonly EventType[], query: URLSearchParams): Search {
  const asked = events.find(({ event_type }) => event_type === query.get('event'))
  return {
    event: asked?.event_type ?? usualEvent(events) ?? '',
    filter: asked === undefined ? {} : filterIn(query, asked.names),
    from: query.get('from') ?? '',
    to: query.get('to') ?? '',
    order: query.get('order') === 'oldest' ? 'oldest' : 'newest',
  }
}

function pathOf({ event, filter, from, to, order }: Search, cursor: string | null): string {
  return `api/v1/notifications?${queryOf({ event, filter })}&${toQuery({ from, to, order, cursor: cursor ?? '' })}`
}

/** The next page that has something, behind those that there are. Never rejects. */
async function findMore(search: Search, before: Found, signal: AbortSignal): Promise<Found> {
  let found = before
  try {
    for (let pages = 0; pages < MOST_EMPTY_PAGES; pages++) {
      const page = await ask<Page>(pathOf(search, found.cursor), { signal })
      found = {
        rows: [...found.rows, ...page.notifications.map((event) => toRow(event))],
        looked: found.looked + page.looked.count,
        cursor: page.cursor,
        isMore: page.more,
        isTruncated: found.isTruncated || page.truncated === true,
      }
      if (page.notifications.length > 0 || !page.more) break
    }
    return found
  } catch (error) {
    return { ...found, error: messageOf(error) }
  }
}

function replayOf({ event, filter, order }: Search, rows: readonly Row[]): string {
  const oldest = order === 'oldest' ? rows[0] : rows.at(-1)
  const fields = new URLSearchParams(queryOf({ event, filter }))
  for (const [name, value] of new URLSearchParams(replayQuery(event, oldest?.number ?? '1')))
    fields.set(name, value)
  return fields.toString()
}

function SpanFields({
  search,
  onChange,
}: {
  readonly search: Search
  readonly onChange: (search: Search) => void
}): JSX.Element {
  return (
    <div class="filter">
      <div class="field">
        <label for="from">from</label>
        <input
          id="from"
          value={search.from}
          placeholder="-3h, 2026-08-10, 17"
          onChange={({ currentTarget }) => onChange({ ...search, from: currentTarget.value.trim() })}
        />
      </div>
      <div class="field">
        <label for="to">to</label>
        <input
          id="to"
          value={search.to}
          placeholder="now"
          onChange={({ currentTarget }) => onChange({ ...search, to: currentTarget.value.trim() })}
        />
      </div>
      <div class="field">
        <label for="order">order</label>
        <select
          id="order"
          value={search.order}
          onChange={({ currentTarget }) => onChange({ ...search, order: currentTarget.value })}
        >
          <option value="newest">newest first</option>
          <option value="oldest">oldest first</option>
        </select>
      </div>
    </div>
  )
}

/** All that is found, as a file with a CloudEvent in each line. */
function Export({
  search,
  isDisabled,
}: {
  readonly search: Search
  readonly isDisabled: boolean
}): JSX.Element {
  const [state, setState] = useState('')
  const save = async (): Promise<void> => {
    setState('Exporting …')
    try {
      const lines: string[] = []
      let cursor: string | null = null
      do {
        const path = `${pathOf(search, cursor)}&limit=1000`
        const page: Page = await ask<Page>(path)
        for (const event of page.notifications) lines.push(JSON.stringify(event))
        cursor = page.more ? page.cursor : null
      } while (cursor !== null && lines.length < MOST_EXPORTED)
      saveFile(`${search.event}.ndjson`, `${lines.join('\n')}\n`)
      setState(cursor === null ? '' : `the first ${countText(lines.length)} only`)
    } catch (error) {
      setState(messageOf(error))
    }
  }
  return (
    <>
      <span role="status">{state}</span>
      <button type="button" disabled={isDisabled} onClick={() => void save()}>
        Export NDJSON
      </button>
    </>
  )
}

function saveFile(name: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: 'application/x-ndjson' }))
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  URL.revokeObjectURL(address)
}
