/**
 * One notification: its way through the service as a line of times, and all of it as JSON.
 *
 * @module
 */

import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { ask, messageOf } from './api.ts'
import type { CloudEvent } from './live_model.ts'
import { Copy, Notice, useAsked } from './parts.tsx'
import { go } from './place.ts'
import { clockTime, countText, fullTime, seen } from './text.ts'

/** The answer of `/api/v1/notifications/{id}/trace`. */
interface Trace {
  readonly key: string
  readonly revision: string
  readonly provider: { readonly id: string; readonly source: string }
  readonly accepted_at: string | null
  readonly written_at: string
  readonly committed_at: string | null
  readonly seen_by_hub_at: string | null
  readonly listeners: number | null
}

export interface DrawerProps {
  readonly id: string
  /** Absent: it is asked for. */
  readonly event: CloudEvent | undefined
  readonly onClose: () => void
}

/** Longest JSON that is drawn at once. */
const MOST_CHARACTERS = 100_000

/** The panel beside the table. */
export function Drawer({ id, event, onClose }: DrawerProps): JSX.Element {
  const panel = useRef<HTMLElement>(null)
  const path = `api/v1/notifications/${encodeURIComponent(id)}`
  const trace = useAsked((signal) => ask<Trace>(`${path}/trace`, { signal }), undefined, [id])
  const whole = useAsked(
    (signal) => (event === undefined ? ask<CloudEvent>(path, { signal }) : Promise.resolve(event)),
    undefined,
    [id],
  )
  useEffect(() => panel.current?.focus(), [id])
  const [name, number] = splitId(id)
  return (
    <aside
      class="drawer"
      aria-label={`Notification ${seen(id)}`}
      tabIndex={-1}
      ref={panel}
      onKeyDown={(pressed) => {
        if (pressed.key === 'Escape') onClose()
      }}
    >
      <header>
        <h2>{seen(id)}</h2>
        <button type="button" class="small" onClick={onClose}>
          Close
        </button>
      </header>
      {trace.error === undefined ? null : <Notice kind="warn">No trace: {messageOf(trace.error)}</Notice>}
      {trace.answer === undefined ? null : <TraceLine trace={trace.answer} />}
      <div class="actions">
        <button type="button" class="small" onClick={() => go('live', replayQuery(name, number))}>
          Replay from here
        </button>
        <Copy text={id} label="Copy its position" />
      </div>
      {whole.error === undefined ? null : <Notice kind="bad">{messageOf(whole.error)}</Notice>}
      {whole.answer === undefined ? null : <Json value={whole.answer} />}
    </aside>
  )
}

/** Name of the event type and number. */
export function splitId(id: string): readonly [string, string] {
  const at = id.lastIndexOf('@')
  return [id.slice(0, at), id.slice(at + 1)]
}

/** The query of a live view that begins with a notification. */
export function replayQuery(event: string, number: string): string {
  return new URLSearchParams({ event, from_id: number }).toString()
}

function Json({ value }: { readonly value: unknown }): JSX.Element {
  const text = JSON.stringify(value, undefined, 2)
  const isCut = text.length > MOST_CHARACTERS
  return (
    <div class="code">
      <pre tabIndex={0} aria-label="The notification as a CloudEvent">
        {seen(isCut ? text.slice(0, MOST_CHARACTERS) : text)}
        {isCut ? `\n… ${countText(text.length)} characters in all` : ''}
      </pre>
      <Copy text={text} label="Copy JSON" />
    </div>
  )
}

function TraceLine({ trace }: { readonly trace: Trace }): JSX.Element {
  const start = trace.accepted_at ?? trace.written_at
  const steps = [
    { name: 'accepted', at: trace.accepted_at },
    { name: 'written', at: trace.written_at },
    { name: 'committed', at: trace.committed_at },
    { name: 'hub', at: trace.seen_by_hub_at },
  ]
  return (
    <section aria-label="Its way through the service">
      <ol class="trace">
        {steps.map(({ name, at }) => (
          <li key={name} class={at === null ? 'unknown' : ''}>
            <span>{name}</span>
            <strong>{at === null ? '–' : `+${Date.parse(at) - Date.parse(start)} ms`}</strong>
            <small>{at === null ? 'not known here' : clockTime(at)}</small>
          </li>
        ))}
        <li class={trace.listeners === null ? 'unknown' : ''}>
          <span>listeners</span>
          <strong>{trace.listeners === null ? '–' : countText(trace.listeners)}</strong>
          <small>{trace.listeners === null ? 'not known here' : 'of this process'}</small>
        </li>
      </ol>
      <dl class="facts">
        <dt>stored</dt>
        <dd>{fullTime(start)} UTC</dd>
        <dt>key</dt>
        <dd>{seen(trace.key)}</dd>
        <dt>provider</dt>
        <dd>
          {seen(trace.provider.source)} {seen(trace.provider.id)}
        </dd>
        <dt>revision</dt>
        <dd>{trace.revision}</dd>
      </dl>
    </section>
  )
}
