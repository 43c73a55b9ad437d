/**
 * One run: its arrivals over the usual ones, what is missing, and a listener that tells of it.
 *
 * @module
 */

import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { Chart } from './chart.tsx'
import { Code, Notice } from './parts.tsx'
import { afterText, curvesOf, runName, type WholeRun } from './runs_model.ts'
import { tellMe } from './same_as.ts'
import { brief, countText, fullTime, seen } from './text.ts'

/** Missing products that are listed. */
const MOST_LISTED = 100
/** The panel below the grid. */
export function RunPanel({
  run,
  onClose,
}: {
  readonly run: WholeRun
  readonly onClose: () => void
}): JSX.Element {
  const panel = useRef<HTMLElement>(null)
  useEffect(() => panel.current?.focus(), [run.id])
  const { missing, extra, repeated, overdue, first_at, last_at, due_at } = run
  return (
    <section
      class="card"
      aria-label={`Run ${runName(run)}`}
      tabIndex={-1}
      ref={panel}
      onKeyDown={({ key }) => {
        if (key === 'Escape') onClose()
      }}
    >
      <header class="head">
        <h2>{brief(runName(run), 80)}</h2>
        <span class="push" />
        <button type="button" class="small" onClick={onClose}>
          Close
        </button>
      </header>
      <dl class="facts">
        <dt>event type</dt>
        <dd>{seen(run.event_type)}</dd>
        <dt>products</dt>
        <dd>
          {countText(run.received)}
          {run.expected === null ? '' : ` of ${countText(run.expected)}`}
          {extra > 0 ? `, ${countText(extra)} not expected` : ''}
          {repeated > 0 ? `, ${countText(repeated)} again` : ''}
        </dd>
        <dt>first, last</dt>
        <dd>
          {fullTime(first_at)}, {fullTime(last_at)} UTC
        </dd>
        <dt>due</dt>
        <dd>{fullTime(due_at)} UTC</dd>
      </dl>
      {run.products_truncated === true ? <Notice>The grid shows a part of its products.</Notice> : null}
      <Arrivals run={run} />
      <h3>{missing.count === 0 ? 'Nothing is missing' : `${countText(missing.count)} missing`}</h3>
      {overdue > 0 ? <Notice kind="bad">{countText(overdue)} of them should be there by now.</Notice> : null}
      {missing.products.length === 0 ? null : (
        <ul class="lacking" tabIndex={0} aria-label="Missing products">
          {missing.products.slice(0, MOST_LISTED).map((product) => {
            const text = Object.entries(product)
              .map(([name, value]) => `${name} ${value}`)
              .join(', ')
            return <li key={text}>{brief(text, 80)}</li>
          })}
          {missing.truncated || missing.products.length > MOST_LISTED ? <li>…</li> : null}
        </ul>
      )}
      <details class="fold">
        <summary>Tell me: a listener file</summary>
        <Code label="Listener file" text={tellMe(run.event_type, run.run)} />
        <p class="hint">
          Run it with <code>aviso listen FILE</code> or pyaviso, and put a trigger of yours in place of{' '}
          <code>echo</code>.
        </p>
      </details>
    </section>
  )
}

function Arrivals({ run }: { readonly run: WholeRun }): JSX.Element | null {
  const { today, usual } = run.arrivals
  if (today.length + usual.length < 2) return null
  const { xs, today: counts, low, middle, high } = curvesOf(run.arrivals)
  const curves = [
    { name: 'usual', values: middle, colour: 'muted', isDashed: true },
    { name: 'this run', values: counts, colour: 'accent' },
  ]
  return (
    <>
      <Chart
        label={`Products by time after the nominal time: ${run.received} now${usual.length === 0 ? '' : ', over the band of earlier runs'}`}
        xs={xs}
        curves={curves}
        band={{ low, high }}
        xText={afterText}
      />
      <p class="legend">
        <span class="key accent">— this run</span> <span class="key">- - usual</span>
        <span class="key band">▒ earlier runs</span>
      </p>
    </>
  )
}
