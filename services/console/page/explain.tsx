/**
 * The explain view: what a listener would have got, and why it did not get the rest.
 *
 * @module
 */

import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { ask, messageOf } from './api.ts'
import { catalogue, usualEvent } from './catalogue.ts'
import { readListeners, triggerWords, type Listener } from './listener_file.ts'
import type { CloudEvent } from './live_model.ts'
import { Bars, Notice } from './parts.tsx'
import { live } from './live_model.ts'
import { asYaml } from './same_as.ts'
import { useWatched } from './state.ts'
import { brief, countText, fullTime, seen, valueText } from './text.ts'

interface NearMiss {
  readonly field: string
  readonly excluded: number
  readonly asked: unknown
  readonly instead: readonly { readonly value: string; readonly count: number }[]
}

interface Explained {
  readonly event_type?: string
  readonly error?: { readonly message?: string; readonly field?: string } | string
  readonly policy?: { readonly visible: 'all' | 'part' | 'none'; readonly cut?: readonly string[] }
  readonly looked?: { readonly count: number; readonly complete: boolean; readonly truncated?: boolean }
  readonly matched?: number
  readonly first?: { readonly id: string; readonly time: string } | null
  readonly last?: { readonly id: string; readonly time: string } | null
  readonly newest?: CloudEvent | null
  readonly hours?: readonly { readonly hour: string; readonly published: number; readonly matched: number }[]
  readonly near_misses?: readonly NearMiss[]
}

interface Answer {
  readonly from: string
  readonly to: string
  readonly listeners: readonly Explained[]
}

const HOUR_MS = 3_600_000

const SPANS: readonly (readonly [from: string, name: string])[] = [
  ['-3h', '3 hours'],
  ['-24h', '24 hours'],
  ['-72h', '3 days'],
  ['-168h', '7 days'],
]

/** The view. */
export function ExplainView(): JSX.Element {
  const { events } = useWatched(catalogue)
  const [text, setText] = useState(() => exampleOf(usualEvent(events)))
  const [from, setFrom] = useState('-24h')
  const [state, setState] = useState<{ answer?: Answer; listeners?: readonly Listener[]; error?: string }>({})
  const [isBusy, setBusy] = useState(false)
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    setBusy(true)
    try {
      const listeners = readListeners(text)
      const body = { listeners: listeners.map((listener) => listener.ask), from }
      setState({ listeners, answer: await ask<Answer>('api/v1/explain', { method: 'POST', body }) })
    } catch (error) {
      setState({ error: messageOf(error) })
    }
    setBusy(false)
  }
  const { answer, listeners, error } = state
  return (
    <div class="narrow">
      <h1>Explain</h1>
      <p class="hint">
        What would a listener have got, and which condition excludes the rest? Paste a listener file, or a
        request of 2.x. Nothing is delivered, and no trigger runs.
      </p>
      <form onSubmit={(event) => void submit(event)}>
        <div class="field">
          <label for="listeners">Listener file (YAML or JSON)</label>
          <textarea
            id="listeners"
            class="mono"
            rows={Math.min(24, text.split('\n').length + 1)}
            spellcheck={false}
            value={text}
            onInput={({ currentTarget }) => setText(currentTarget.value)}
          />
        </div>
        <div class="actions">
          <label for="span">of the last</label>
          <select id="span" value={from} onChange={({ currentTarget }) => setFrom(currentTarget.value)}>
            {SPANS.map(([value, name]) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </select>
          <button type="submit" class="primary" disabled={isBusy}>
            {isBusy ? 'Looking …' : 'Explain'}
          </button>
        </div>
      </form>
      <div aria-live="polite">
        {error === undefined ? null : <Notice kind="bad">{seen(error)}</Notice>}
        {answer?.listeners.map((explained, index) => (
          <OneListener
            key={index}
            explained={explained}
            listener={listeners?.[index]}
            span={answer}
            number={index + 1}
          />
        ))}
      </div>
    </div>
  )
}

function exampleOf(event: string | undefined): string {
  const { event: shown, filter } = live.get()
  if (shown !== '') return asYaml({ event: shown, filter })
  return asYaml({ event: event ?? 'flight', filter: {} })
}

interface OneProps {
  readonly explained: Explained
  readonly listener: Listener | undefined
  readonly number: number
  readonly span: Pick<Answer, 'from' | 'to'>
}

/** A bar for each hour of the span, whatever came in it. */
function everyHour(
  hours: NonNullable<Explained['hours']>,
  { from, to }: OneProps['span'],
): readonly { readonly name: string; readonly count: number; readonly of: number }[] {
  const known = new Map(hours.map((each) => [Date.parse(each.hour), each]))
  const bars = []
  for (let at = Math.floor(Date.parse(from) / HOUR_MS) * HOUR_MS; at < Date.parse(to); at += HOUR_MS) {
    const { matched: count = 0, published: of = 0 } = known.get(at) ?? {}
    bars.push({ name: fullTime(at).slice(0, 16), count, of })
  }
  return bars
}

function OneListener({ explained, listener, number, span }: OneProps): JSX.Element {
  const { error, event_type: event = '', matched = 0, first, last, hours = [], looked, policy } = explained
  if (error !== undefined)
    return (
      <section class="card">
        <h2>Listener {number}</h2>
        <Notice kind="bad">
          No stream would take it:{' '}
          {seen(typeof error === 'string' ? error : (error.message ?? 'it is not valid'))}
          {listener?.isOfRuns === true
            ? '. With "when", it gets notifications of runs, so its request names fields of runs.'
            : ''}
        </Notice>
      </section>
    )
  return (
    <section class="card" aria-label={`Listener ${number}`}>
      <h2>
        Listener {number}: {seen(event)}
        {listener?.isOfRuns === true ? ', because of "when"' : ''}
      </h2>
      <p class="big">
        {countText(matched)} of {countText(looked?.count ?? 0)} matched
      </p>
      <Bars
        label={`Matches by hour: ${matched}, in ${hours.filter((each) => each.matched > 0).length} hours`}
        counts={everyHour(hours, span)}
      />
      <p class="axis">
        <span>{fullTime(span.from).slice(0, 16)}</span>
        <span>{fullTime(span.to).slice(0, 16)} UTC</span>
      </p>
      {first === null || first === undefined ? null : (
        <p>
          First <b>{first.id}</b> at {fullTime(first.time)}, last <b>{last?.id}</b> at {fullTime(last?.time)}{' '}
          UTC.
        </p>
      )}
      <Limits policy={policy} looked={looked} />
      <NearMisses misses={explained.near_misses ?? []} />
      <Triggers listener={listener} newest={explained.newest ?? null} event={event} />
    </section>
  )
}

interface LimitsProps {
  readonly policy: Explained['policy'] | undefined
  readonly looked: Explained['looked'] | undefined
}

function Limits({ policy, looked }: LimitsProps): JSX.Element {
  return (
    <>
      {policy === undefined || policy.visible === 'all' ? null : (
        <Notice kind="warn">
          You may see {policy.visible === 'none' ? 'nothing' : 'only a part'} of what it asks for
          {policy.cut === undefined || policy.cut.length === 0
            ? ''
            : `: ${seen(policy.cut.join(', '))} is cut`}
          . A stream of it is refused.
        </Notice>
      )}
      {looked === undefined || looked.complete ? null : (
        <Notice kind="warn">
          Only a part was looked through, from the oldest on. Ask for a shorter span.
        </Notice>
      )}
      {looked?.truncated === true ? <Notice kind="warn">History does not reach back as far.</Notice> : null}
    </>
  )
}

function NearMisses({ misses }: { readonly misses: readonly NearMiss[] }): JSX.Element | null {
  if (misses.length === 0) return null
  return (
    <>
      <h3>Excluded by one condition alone</h3>
      <ul class="misses">
        {misses.map(({ field, excluded, asked, instead }) => (
          <li key={field}>
            <b>{seen(field)}</b> excludes {countText(excluded)}: you ask {brief(valueText(asked), 60)}; there{' '}
            {instead.length === 1 ? 'is' : 'are'}{' '}
            {instead.map(({ value, count }, index) => (
              <span key={value}>
                {index === 0 ? '' : ', '}
                <code>{brief(value, 40)}</code> ({countText(count)})
              </span>
            ))}
          </li>
        ))}
      </ul>
    </>
  )
}

interface TriggersProps {
  readonly listener: Listener | undefined
  readonly newest: CloudEvent | null
  readonly event: string
}

function Triggers({ listener, newest, event }: TriggersProps): JSX.Element | null {
  if (listener === undefined || listener.triggers.length === 0) return null
  return (
    <>
      <h3>Its triggers{newest === null ? '' : `, with ${newest.id}`}</h3>
      <ul class="misses">
        {listener.triggers.map((trigger, index) => (
          <li key={index}>
            <code>{brief(triggerWords(trigger, newest, event), 400)}</code>
          </li>
        ))}
      </ul>
    </>
  )
}
