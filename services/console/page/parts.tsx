/**
 * Small parts of which the views are made.
 *
 * @module
 */

import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { countText, seen } from './text.ts'

const COPIED_MS = 1_500

/** Copies a text; says so to everyone. */
export function Copy({
  text,
  label = 'Copy',
}: {
  readonly text: string
  readonly label?: string
}): JSX.Element {
  const [done, setDone] = useState('')
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(
      () => setDone('Copied'),
      () => setDone('Select and copy it'),
    )
    setTimeout(() => setDone(''), COPIED_MS)
  }
  return (
    <button type="button" class="small" onClick={copy} aria-live="polite">
      {done === '' ? label : done}
    </button>
  )
}

/** A text that people copy. */
export function Code({ text, label }: { readonly text: string; readonly label: string }): JSX.Element {
  return (
    <div class="code">
      <pre tabIndex={0} aria-label={label}>
        {seen(text)}
      </pre>
      <Copy text={text} />
    </div>
  )
}

/** Whether there is room beside the table. Where there is not, the filter is folded away at first. */
export function isRoomy(): boolean {
  return matchMedia('(min-width: 761px)').matches
}

/** Words that a view has to say. Errors are told at once to people who cannot see. */
export function Notice({
  kind = 'info',
  children,
}: {
  readonly kind?: 'info' | 'good' | 'warn' | 'bad'
  readonly children: ComponentChildren
}): JSX.Element {
  const shapes = { info: 'i', good: '●', warn: '▲', bad: '■' }
  return (
    <div class={`notice ${kind}`} role={kind === 'bad' ? 'alert' : 'status'}>
      <span class="shape" aria-hidden="true">
        {shapes[kind]}
      </span>
      <div>{children}</div>
    </div>
  )
}

/** A state, by shape, colour and word. */
export function Badge({
  kind,
  children,
}: {
  readonly kind: string
  readonly children: ComponentChildren
}): JSX.Element {
  const shapes: Readonly<Record<string, string>> = {
    good: '●',
    busy: '◐',
    warn: '▲',
    bad: '■',
    idle: '○',
  }
  return (
    <span class={`badge ${kind}`}>
      <span aria-hidden="true">{shapes[kind] ?? '○'}</span> {children}
    </span>
  )
}

/** A figure with its name. */
export function Tile({
  name,
  value,
  more,
  kind = '',
}: {
  readonly name: string
  readonly value: ComponentChildren
  readonly more?: ComponentChildren
  readonly kind?: string
}): JSX.Element {
  return (
    <div class={`tile ${kind}`}>
      <dt>{name}</dt>
      <dd>
        <strong>{value}</strong>
        {more === undefined ? null : <small>{more}</small>}
      </dd>
    </div>
  )
}

/** A bar for each count, as a picture with a text. */
export function Bars({
  counts,
  label,
}: {
  readonly counts: readonly { readonly name: string; readonly count: number; readonly of: number }[]
  readonly label: string
}): JSX.Element {
  const most = Math.max(1, ...counts.map(({ of }) => of))
  const width = 100 / Math.max(1, counts.length)
  return (
    <svg class="bars" viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label={label}>
      {counts.map(({ name, count, of }, index) => (
        <g key={name}>
          <title>{`${name}: ${countText(count)} of ${countText(of)}`}</title>
          <rect
            class="of"
            x={index * width}
            width={width * 0.85}
            y={24 - (of / most) * 23}
            height={(of / most) * 23}
          />
          <rect
            class="is"
            x={index * width}
            width={width * 0.85}
            y={24 - (count / most) * 23}
            height={(count / most) * 23}
          />
        </g>
      ))}
    </svg>
  )
}

/** A second click confirms what cannot be taken back. */
export function Confirmed({
  label,
  sure,
  onSure,
  disabled = false,
}: {
  readonly label: string
  readonly sure: string
  readonly onSure: () => void
  readonly disabled?: boolean
}): JSX.Element {
  const [isAsking, setAsking] = useState(false)
  if (!isAsking)
    return (
      <button type="button" class="small" disabled={disabled} onClick={() => setAsking(true)}>
        {label}
      </button>
    )
  const answer = (isSure: boolean) => (): void => {
    setAsking(false)
    if (isSure) onSure()
  }
  return (
    <span class="confirm">
      <button type="button" class="small danger" ref={(button) => button?.focus()} onClick={answer(true)}>
        {sure}
      </button>
      <button type="button" class="small" onClick={answer(false)}>
        No
      </button>
    </span>
  )
}

/** Tabs, of which one is shown. Arrows move between them. */
export function Tabs({
  tabs,
  label,
}: {
  readonly label: string
  readonly tabs: readonly { readonly name: string; readonly content: () => ComponentChildren }[]
}): JSX.Element {
  const [chosen, choose] = useState(0)
  const list = useRef<HTMLDivElement>(null)
  const move = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
    if (step === 0) return
    event.preventDefault()
    const next = (chosen + step + tabs.length) % tabs.length
    choose(next)
    list.current?.querySelectorAll<HTMLButtonElement>('[role=tab]')[next]?.focus()
  }
  return (
    <div class="tabs">
      <div role="tablist" aria-label={label} ref={list} onKeyDown={move}>
        {tabs.map(({ name }, index) => (
          <button
            key={name}
            type="button"
            role="tab"
            aria-selected={index === chosen}
            tabIndex={index === chosen ? 0 : -1}
            onClick={() => choose(index)}
          >
            {name}
          </button>
        ))}
      </div>
      <div role="tabpanel" aria-label={tabs[chosen]?.name ?? ''}>
        {tabs[chosen]?.content()}
      </div>
    </div>
  )
}

/** What comes from the API: nothing yet, an answer, or an error. */
export interface Loaded<Answer> {
  readonly answer?: Answer | undefined
  readonly error?: unknown
}

/** Asks now, and again after each span. What came before stays until there is something newer. */
export function useAsked<Answer>(
  asks: (signal: AbortSignal) => Promise<Answer>,
  everyMs: number | undefined,
  depends: readonly unknown[],
): Loaded<Answer> & { readonly again: () => void } {
  const [loaded, setLoaded] = useState<Loaded<Answer>>({})
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    const stop = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const run = async (): Promise<void> => {
      try {
        // A tab that is not shown asks nothing.
        if (!document.hidden) {
          const answer = await asks(stop.signal)
          if (!stop.signal.aborted) setLoaded({ answer })
        }
      } catch (error) {
        if (!stop.signal.aborted) setLoaded(({ answer }) => ({ answer, error }))
      }
      if (everyMs !== undefined && !stop.signal.aborted) timer = setTimeout(() => void run(), everyMs)
    }
    void run()
    return () => {
      stop.abort()
      clearTimeout(timer)
    }
  }, [turn, everyMs, ...depends])
  return { ...loaded, again: () => setTurn((count) => count + 1) }
}
