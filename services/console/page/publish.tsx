/**
 * The publish view: a form from the schema. The service itself checks it while it is filled in, by a dry run.
 *
 * @module
 */

import type { JSX } from 'preact'
import { useEffect, useId, useMemo, useState } from 'preact/hooks'
import { ApiError, ask, hasRight, messageOf, send, session } from './api.ts'
import { catalogue, knownValues, loadCatalogue, usualEvent, type EventType } from './catalogue.ts'
import { Code, Notice } from './parts.tsx'
import { useWatched } from './state.ts'
import { countText, seen } from './text.ts'

interface Receipt {
  readonly id: string
  readonly key: string
  readonly revision: string
}

interface Sent {
  readonly receipt?: Receipt
  readonly isReplay: boolean
  readonly ms: number
  readonly listeners?: number | null
  readonly error?: string
}

/** A person who writes is asked about when they pause. */
const CHECK_AFTER_MS = 300
/** The hub has seen a notification some milliseconds after it is acknowledged. */
const TRACE_AFTER_MS = 300

/** The view. */
export function PublishView(): JSX.Element {
  const { events } = useWatched(catalogue)
  const { me } = useWatched(session)
  const mine = events.filter(({ event_type }) =>
    me?.rights.some(({ right, event_type: of }) => right === 'publish' && (of === null || of === event_type)),
  )
  const offered = mine.length > 0 || !hasRight(me, 'publish') ? mine : events
  const [name, setName] = useState(() => usualEvent(offered) ?? '')
  const event = offered.find(({ event_type }) => event_type === name) ?? offered[0]
  if (event === undefined) return <p class="empty">There is no event type that you may publish.</p>
  return (
    <div class="wide">
      <h1>Publish</h1>
      <div class="field">
        <label for="event">event type</label>
        <select
          id="event"
          value={event.event_type}
          onChange={({ currentTarget }) => setName(currentTarget.value)}
        >
          {offered.map(({ event_type }) => (
            <option key={event_type}>{event_type}</option>
          ))}
        </select>
      </div>
      <Form key={event.event_type} event={event} />
    </div>
  )
}

interface Checked {
  readonly key?: string
  readonly error?: ApiError
  /** What the service says is wrong, field by field. */
  readonly faults?: readonly Fault[]
}

interface Fault {
  readonly field?: string
  readonly message: string
  readonly reason?: string
}

function Form({ event }: { readonly event: EventType }): JSX.Element {
  const [values, setValues] = useState<Readonly<Record<string, string>>>({})
  const [payload, setPayload] = useState('')
  const [sent, setSent] = useState<Sent | undefined>(undefined)
  const [idempotencyKey, setKey] = useState(() => crypto.randomUUID())
  const [isBusy, setBusy] = useState(false)
  const body = useMemo(() => bodyOf(event, values, payload), [event, values, payload])
  const isEmpty = Object.keys(body.identifier).length === 0
  const checked = useDryRun(body, isEmpty)
  const change = (name: string, value: string): void => {
    setValues({ ...values, [name]: value })
    renew()
  }
  /** What was changed is another notification. */
  const renew = (): void => {
    if (sent === undefined) return
    setKey(crypto.randomUUID())
    setSent(undefined)
  }
  const submit = async (): Promise<void> => {
    setBusy(true)
    setSent(await publish(body, idempotencyKey))
    setBusy(false)
    void loadCatalogue()
  }
  return (
    <div class="pair">
      <form
        class="form"
        onSubmit={(submitted) => {
          submitted.preventDefault()
          void submit()
        }}
      >
        {event.names.map((name) => (
          <Field
            key={name}
            event={event}
            name={name}
            value={values[name] ?? ''}
            problem={problemOf(checked, name)}
            onChange={(value) => change(name, value)}
          />
        ))}
        <Payload
          event={event}
          value={payload}
          problem={problemOf(checked, event.payloadName)}
          onChange={(text) => {
            setPayload(text)
            renew()
          }}
        />
        <div aria-live="polite">
          <Verdict checked={checked} isEmpty={isEmpty} names={[...event.names, event.payloadName]} />
        </div>
        <div class="actions">
          <button type="submit" class="primary" disabled={isBusy || checked.key === undefined}>
            {sent?.receipt === undefined ? 'Publish' : 'Send the same again'}
          </button>
          {sent?.receipt === undefined ? null : (
            <button type="button" onClick={renew}>
              Another one
            </button>
          )}
        </div>
        <div aria-live="polite">{sent === undefined ? null : <Result sent={sent} />}</div>
      </form>
      <details class="fold" open>
        <summary>The request as JSON</summary>
        <Code label="The request as JSON" text={JSON.stringify(body, undefined, 2)} />
      </details>
    </div>
  )
}

/** All faults that an answer lists. One without a list is about one field at most. */
function faultsOf({ message, field, body: { faults, reason } }: ApiError): readonly Fault[] {
  // What the service's own API answers has the form that its documents describe.
  if (Array.isArray(faults)) return faults as readonly Fault[]
  return field === undefined ? [] : [{ field, message, ...(typeof reason === 'string' && { reason }) }]
}

/** What is wrong with a field, and why. */
function problemOf({ faults = [] }: Checked, name: string): string | undefined {
  const own = faults.filter(({ field }) => field === name).map(faultText)
  return own.length === 0 ? undefined : own.join('; ')
}

function faultText({ message, reason }: Fault): string {
  return reason !== undefined && !message.includes(reason) ? `${message}: ${reason}` : message
}

interface Body {
  readonly event_type: string
  readonly identifier: Readonly<Record<string, string>>
  readonly payload?: unknown
}

function bodyOf({ event_type }: EventType, values: Readonly<Record<string, string>>, payload: string): Body {
  const identifier = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''))
  return { event_type, identifier, ...(payload !== '' && { payload: payloadOf(payload) }) }
}

/** JSON where it is an object or a list; otherwise the text. */
function payloadOf(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function useDryRun(body: Body, isEmpty: boolean): Checked {
  const [checked, setChecked] = useState<Checked>({})
  const text = JSON.stringify(body)
  useEffect(() => {
    setChecked({})
    if (isEmpty) return undefined
    const stop = new AbortController()
    const timer = setTimeout(() => {
      ask<{ readonly key?: string }>('api/v1/notification?dry_run=true', {
        method: 'POST',
        body: text,
        signal: stop.signal,
      }).then(
        ({ key = '' }) => setChecked({ key }),
        (error: unknown) => {
          if (!stop.signal.aborted && error instanceof ApiError)
            setChecked({ error, faults: faultsOf(error) })
        },
      )
    }, CHECK_AFTER_MS)
    return () => {
      stop.abort()
      clearTimeout(timer)
    }
  }, [text, isEmpty])
  return checked
}

interface VerdictProps {
  readonly checked: Checked
  readonly isEmpty: boolean
  readonly names: readonly string[]
}

function Verdict({ checked: { key, error, faults = [] }, isEmpty, names }: VerdictProps): JSX.Element | null {
  if (isEmpty)
    return (
      <p class="hint">The service checks the fields while you write. Nothing is stored before you publish.</p>
    )
  if (key !== undefined)
    return (
      <Notice kind="good">
        Valid. Its key: <code class="key">{seen(key)}</code>
      </Notice>
    )
  if (error === undefined) return <p class="hint">Checking …</p>
  const isShown = ({ field }: Fault): boolean => field !== undefined && names.includes(field)
  const others = faults.filter((fault) => !isShown(fault))
  const shown = [...new Set(faults.filter(isShown).map(({ field }) => field))]
  if (shown.length === 0) return <Notice kind="warn">{messageOf(error)}</Notice>
  return (
    <>
      <p class="hint">
        See the {shown.length === 1 ? 'field' : 'fields'} {shown.join(', ')}.
      </p>
      {others.map((fault, index) => (
        <Notice key={index} kind="warn">
          {seen(faultText(fault))}
        </Notice>
      ))}
    </>
  )
}

async function publish(body: Body, idempotencyKey: string): Promise<Sent> {
  const begun = performance.now()
  try {
    const headers = { 'idempotency-key': idempotencyKey }
    const response = await send('api/v1/notification', { method: 'POST', body, headers })
    const ms = performance.now() - begun
    const receipt = (await response.json()) as Receipt
    const isReplay = response.headers.get('idempotent-replay') === 'true'
    await new Promise((resolve) => setTimeout(resolve, TRACE_AFTER_MS))
    const trace = await ask<{ readonly listeners: number | null }>(
      `api/v1/notifications/${encodeURIComponent(receipt.id)}/trace`,
    ).catch(() => undefined)
    return { receipt, isReplay, ms, ...(trace !== undefined && { listeners: trace.listeners }) }
  } catch (error) {
    return { isReplay: false, ms: performance.now() - begun, error: messageOf(error) }
  }
}

function Result({ sent: { receipt, isReplay, ms, listeners, error } }: { readonly sent: Sent }): JSX.Element {
  if (receipt === undefined) return <Notice kind="bad">{error}</Notice>
  if (isReplay)
    return (
      <Notice kind="info">
        Known already (<code>Idempotent-Replay: true</code>): this is <b>{receipt.id}</b>, and nothing was
        stored again.
      </Notice>
    )
  const counted =
    listeners === undefined || listeners === null ? '' : `, ${countText(listeners)} streams had it at once`
  return (
    <Notice kind="good">
      <b>{receipt.id}</b> is on disk: answered in {ms.toFixed(1)} ms at revision {receipt.revision}
      {counted}.
    </Notice>
  )
}

interface InputProps {
  readonly event: EventType
  readonly value: string
  readonly problem: string | undefined
  readonly onChange: (value: string) => void
}

interface FieldProps extends InputProps {
  readonly name: string
}

function Payload({ event, value, problem, onChange }: InputProps): JSX.Element {
  return (
    <div class={fieldClass(value, problem)}>
      <label for="payload">
        {seen(event.payloadName)}
        {event.isPayloadRequired ? ' *' : ''}
      </label>
      <textarea
        id="payload"
        rows={3}
        spellcheck={false}
        value={value}
        placeholder="text, or JSON"
        aria-invalid={isWrong(value, problem)}
        aria-describedby="payload-problem"
        onInput={({ currentTarget }) => onChange(currentTarget.value)}
      />
      <Problem id="payload-problem" value={value} problem={problem} />
    </div>
  )
}

/** What is empty still is not wrong: the person may not have come to it. */
function isWrong(value: string, problem: string | undefined): boolean {
  return problem !== undefined && value !== ''
}

function fieldClass(value: string, problem: string | undefined): string {
  return isWrong(value, problem) ? 'field wrong' : 'field'
}

function Problem({
  id,
  value,
  problem,
}: Pick<InputProps, 'value' | 'problem'> & { readonly id: string }): JSX.Element {
  const isOpen = !isWrong(value, problem)
  return (
    <span class={isOpen ? 'lacking-yet' : 'problem'} id={id}>
      {problem === undefined ? '' : `${isOpen ? '○' : '■'} ${seen(problem)}`}
    </span>
  )
}

function Field({ event, name, value, problem, onChange }: FieldProps): JSX.Element {
  const id = useId()
  const rule = event.rules[name]
  return (
    <div class={fieldClass(value, problem)}>
      <label for={id}>
        {seen(name)}
        <small> {(rule?.type ?? '').replace(/Handler$/, '').toLowerCase()}</small>
      </label>
      <input
        id={id}
        value={value}
        list={`${id}-values`}
        placeholder={/^date/i.test(rule?.type ?? '') ? 'such as 20260810' : ''}
        autocomplete="off"
        spellcheck={false}
        aria-invalid={isWrong(value, problem)}
        aria-describedby={`${id}-problem`}
        onInput={({ currentTarget }) => onChange(currentTarget.value)}
      />
      <datalist id={`${id}-values`}>
        {knownValues(event, name).map((known) => (
          <option key={known} value={known} />
        ))}
      </datalist>
      <Problem id={`${id}-problem`} value={value} problem={problem} />
    </div>
  )
}
