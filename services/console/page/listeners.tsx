/**
 * The listeners view, for operators: who listens, and how far behind.
 *
 * @module
 */

import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { ask, messageOf, send, toQuery } from './api.ts'
import { Badge, Confirmed, Notice, Tile, useAsked } from './parts.tsx'
import { brief, bytesText, countText, fullTime, spanText } from './text.ts'

interface OpenStream {
  readonly id: string
  readonly who: string
  readonly address: string | null
  readonly client: string | null
  readonly event_type: string | null
  readonly request: string
  readonly since: string
  readonly age_seconds: number
  readonly state: 'live' | 'catching_up' | 'parked'
  readonly parked_seconds: number
  readonly behind: {
    readonly revisions: string
    readonly notifications: number | null
    readonly seconds: number | null
  }
  readonly bytes: number
  readonly bytes_per_second: number
}

interface Streams {
  readonly instance: string
  readonly total: number
  readonly streams: readonly OpenStream[]
}

const EVERY_MS = 2_000
const MOST = 200
const STATES = {
  live: ['good', 'live'],
  catching_up: ['warn', 'catching up'],
  parked: ['bad', 'parked'],
} as const

/** The view. */
export function ListenersView(): JSX.Element {
  const [sort, setSort] = useState('behind')
  const [who, setWho] = useState('')
  const [told, setTold] = useState('')
  const asked = useAsked(
    (signal) =>
      ask<Streams>(
        `api/v1/admin/streams?${toQuery({ limit: String(MOST), sort: sort === 'behind' ? sort : '', who })}`,
        { signal },
      ),
    EVERY_MS,
    [sort, who],
  )
  const { answer, error, again } = asked
  const end = async ({ id, who: name }: OpenStream): Promise<void> => {
    try {
      await send(`api/v1/admin/streams/${encodeURIComponent(id)}`, { method: 'DELETE' })
      setTold(`The stream ${id} of ${name} was ended. Its client may come back where it was.`)
      again()
    } catch (failure) {
      setTold(messageOf(failure))
    }
  }
  const streams = answer?.streams ?? []
  const count = (state: OpenStream['state']): number =>
    streams.filter((stream) => stream.state === state).length
  return (
    <div class="wide">
      <header class="head">
        <h1>Listeners</h1>
        <span class="push" />
        <label for="who">who</label>
        <input
          id="who"
          value={who}
          placeholder="everyone"
          onChange={({ currentTarget }) => setWho(currentTarget.value.trim())}
        />
        <label for="sort">order</label>
        <select id="sort" value={sort} onChange={({ currentTarget }) => setSort(currentTarget.value)}>
          <option value="behind">furthest behind first</option>
          <option value="age">oldest first</option>
        </select>
      </header>
      {error === undefined ? null : <Notice kind="bad">{messageOf(error)}</Notice>}
      <div aria-live="polite">{told === '' ? null : <Notice>{told}</Notice>}</div>
      {answer === undefined ? null : (
        <>
          <dl class="tiles">
            <Tile name="open streams" value={countText(answer.total)} more={`instance ${answer.instance}`} />
            <Tile name="catching up" value={countText(count('catching_up'))} />
            <Tile name="parked" value={countText(count('parked'))} kind={count('parked') > 0 ? 'warn' : ''} />
            <Tile
              name="bytes per second"
              value={bytesText(streams.reduce((sum, each) => sum + each.bytes_per_second, 0))}
            />
          </dl>
          {streams.length === 0 ? (
            <p class="empty">Nobody listens to this process. A stream appears here as soon as it is open.</p>
          ) : (
            <Table streams={streams} onEnd={(stream) => void end(stream)} />
          )}
        </>
      )}
    </div>
  )
}

function Table({
  streams,
  onEnd,
}: {
  readonly streams: readonly OpenStream[]
  readonly onEnd: (stream: OpenStream) => void
}): JSX.Element {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Open streams">
      <table class="rows" aria-live="off">
        <caption class="unseen">Open streams</caption>
        <thead>
          <tr>
            {[
              'who',
              'from',
              'client',
              'event type',
              'request',
              'since (UTC)',
              'state',
              'behind',
              'rate',
              '',
            ].map((title) => (
              <th scope="col" key={title}>
                {title === '' ? <span class="unseen">end it</span> : title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {streams.map((stream) => (
            <OneStream key={stream.id} stream={stream} onEnd={() => onEnd(stream)} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function OneStream({
  stream,
  onEnd,
}: {
  readonly stream: OpenStream
  readonly onEnd: () => void
}): JSX.Element {
  const [kind, word] = STATES[stream.state] ?? ['idle', stream.state]
  return (
    <tr data-id={stream.id}>
      <td>{brief(stream.who, 40)}</td>
      <td>{stream.address ?? '–'}</td>
      <td>{brief(stream.client ?? '–', 30)}</td>
      <td>{brief(stream.event_type ?? 'keys', 30)}</td>
      <td>{brief(stream.request, 60)}</td>
      <td title={`${spanText(stream.age_seconds)} ago`}>{fullTime(stream.since)}</td>
      <td>
        <Badge kind={kind}>
          {word}
          {stream.parked_seconds > 0 ? ` ${spanText(stream.parked_seconds)}` : ''}
        </Badge>
      </td>
      <td class="number">{behindText(stream)}</td>
      <td class="number">{bytesText(stream.bytes_per_second)}/s</td>
      <td>
        <Confirmed label="End" sure="End this stream" onSure={onEnd} />
      </td>
    </tr>
  )
}

function behindText({ behind: { notifications, seconds, revisions } }: OpenStream): string {
  if (notifications === null) return revisions === '0' ? '–' : `${revisions} revisions`
  if (notifications === 0) return '–'
  return `${countText(notifications)}${seconds === null ? '' : `, ${spanText(seconds)}`}`
}
