/**
 * The runs view: is the run there, when will it be, and what is missing?
 *
 * @module
 */

import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { ApiError, ask, messageOf, toQuery } from './api.ts'
import { Badge, Code, Notice, useAsked } from './parts.tsx'
import { keepQuery, place } from './place.ts'
import { RunPanel } from './run_panel.tsx'
import {
  cellsOf,
  columnField,
  columnsOf,
  runName,
  type Cell,
  type Column,
  type Run,
  type WholeRun,
} from './runs_model.ts'
import { useWatched } from './state.ts'
import { brief, clockTime, seen, spanText } from './text.ts'

const EVERY_MS = 5_000
/** Runs of a screen: two days of four a day, or more. */
const MOST_RUNS = 12

/** Columns that each have their name above them: beyond that, every sixth has. */
const MOST_NAMED = 16

const EXAMPLE = `"vars": {
  "runs": { "mars": true, "dissemination": true }
}
`

/** The view. */
export function RunsView(): JSX.Element {
  const { query } = useWatched(place)
  const address = query.toString()
  const [wanted, setWanted] = useState(() => wantedIn(query))
  useEffect(() => setWanted(wantedIn(query)), [address])
  const change = (part: Partial<Wanted>): void => {
    const next = { ...wanted, ...part }
    setWanted(next)
    keepQuery(toQuery({ event: next.event, state: next.state, run: next.run }))
  }
  const { event, state, run: chosen } = wanted
  const known = useRef(new Map<string, WholeRun>())
  const isState = state === '' || Object.hasOwn(STATES, state)
  const asked = useAsked(
    (signal) => readRuns({ event, state: isState ? state : '' }, chosen, { known: known.current, signal }),
    EVERY_MS,
    [event, state, chosen],
  )
  const { answer, error } = asked
  if (error instanceof ApiError && error.status === 404) return <NoRuns />
  const { runs } = answer ?? {}
  const events = [...new Set((runs ?? []).map(({ event_type }) => event_type))]
  const shown = [...(runs ?? []), ...(answer?.others ?? [])].find(({ id }) => id === chosen)
  return (
    <div class="wide">
      <header class="head">
        <h1>Runs</h1>
        <span class="push" />
        <span class="choice">
          <label for="run-event">event type</label>
          <select
            id="run-event"
            value={event}
            onChange={({ currentTarget }) => change({ event: currentTarget.value })}
          >
            <option value="">all</option>
            {[...new Set([...events, ...(event === '' ? [] : [event])])].map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </span>
        <span class="choice">
          <label for="run-state">state</label>
          <select
            id="run-state"
            value={isState ? state : ''}
            onChange={({ currentTarget }) => change({ state: currentTarget.value })}
          >
            <option value="">all</option>
            {Object.keys(STATES).map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </span>
      </header>
      {isState ? null : (
        <Notice kind="warn">
          The address names the state {brief(state, 40)}, which runs do not have: all are shown. States are{' '}
          {Object.keys(STATES).join(', ')}.
        </Notice>
      )}
      {chosen === '' || shown !== undefined || answer?.looked !== chosen ? null : (
        <Notice kind="warn">There is no run {brief(chosen, 80)}, or you may not see it.</Notice>
      )}
      {error === undefined ? null : <Notice kind="bad">{messageOf(error)}</Notice>}
      {runs === undefined && error === undefined ? <p class="empty">Loading …</p> : null}
      {runs?.length === 0 ? (
        <div class="empty">
          <h2>{event === '' && (state === '' || !isState) ? 'No run yet' : 'No such run'}</h2>
          <p>
            {event === '' && (state === '' || !isState)
              ? 'A run appears here with its first product, or when one is expected.'
              : `No run${event === '' ? '' : ` of ${seen(event)}`}${isState && state !== '' ? ` is ${state}` : ' is known'}.`}
          </p>
        </div>
      ) : null}
      {runs === undefined || runs.length === 0 ? null : (
        <Grid runs={runs} chosen={chosen} onChoose={(run) => change({ run })} />
      )}
      {shown === undefined ? null : <RunPanel run={shown} onClose={() => change({ run: '' })} />}
    </div>
  )
}

/** What the address asks for. Empty texts: anything, and no run. */
interface Wanted {
  readonly event: string
  readonly state: string
  /** Id of the run whose panel is open. */
  readonly run: string
}

function wantedIn(query: URLSearchParams): Wanted {
  return { event: query.get('event') ?? '', state: query.get('state') ?? '', run: query.get('run') ?? '' }
}

interface Answer {
  readonly runs: readonly WholeRun[]
  /** The run that was asked for by its id, where it is not one of them. */
  readonly others: readonly WholeRun[]
  /** Id that was looked for. */
  readonly looked: string
}

interface Reading {
  readonly known: Map<string, WholeRun>
  readonly signal: AbortSignal
}

/** The newest runs with their products. Those of a run are asked for again when there is something new of it. */
async function readRuns(
  wanted: Pick<Wanted, 'event' | 'state'>,
  looked: string,
  { known, signal }: Reading,
): Promise<Answer> {
  const { runs } = await ask<{ readonly runs: readonly Run[] }>(
    `api/v1/runs?${toQuery({ ...wanted, limit: String(MOST_RUNS) })}`,
    { signal },
  )
  const parts = await Promise.all(
    runs.map(async (run): Promise<readonly WholeRun[]> => {
      const before = known.get(run.id)
      if (before !== undefined && isSame(before, run)) return [{ ...before, ...run }]
      return readOne(run.id, signal)
    }),
  )
  const whole = parts.flat()
  known.clear()
  for (const run of whole) known.set(run.id, run)
  const isThere = looked === '' || known.has(looked)
  return { runs: whole, others: isThere ? [] : await readOne(looked, signal), looked }
}

function readOne(id: string, signal: AbortSignal): Promise<readonly WholeRun[]> {
  return ask<WholeRun>(`api/v1/runs/${encodeURIComponent(id)}`, { signal }).then((one) => [one], orGone)
}

/** A run may be gone between two questions. */
function orGone(error: unknown): readonly WholeRun[] {
  if (error instanceof ApiError && (error.status === 404 || error.status === 400)) return []
  throw error
}

function isSame(a: Run, b: Run): boolean {
  return (
    a.received === b.received && a.repeated === b.repeated && a.state === b.state && a.overdue === b.overdue
  )
}

const STATES: Readonly<Record<Run['state'], readonly [kind: string, word: string]>> = {
  expected: ['idle', 'expected'],
  running: ['busy', 'running'],
  late: ['bad', 'late'],
  complete: ['good', 'complete'],
  recovered: ['warn', 'recovered'],
  incomplete: ['bad', 'incomplete'],
  abandoned: ['idle', 'abandoned'],
}

interface GridProps {
  readonly runs: readonly WholeRun[]
  readonly chosen: string | undefined
  readonly onChoose: (id: string) => void
}

function Grid({ runs, chosen, onChoose }: GridProps): JSX.Element {
  const field = columnField(runs)
  const columns = columnsOf(runs, field)
  return (
    <>
      <div class="scroll" tabIndex={0} role="region" aria-label="Runs and their products">
        <table class="grid" aria-live="off">
          <caption class="unseen">Rows are runs, columns are values of {field}</caption>
          <thead>
            <tr>
              <th scope="col">run</th>
              <th scope="col">event type</th>
              <th scope="col">state</th>
              <th scope="col">there</th>
              <th scope="col">when (UTC)</th>
              {columns.map(({ from, to }, index) => (
                <th
                  scope="col"
                  class="step"
                  key={from}
                  title={from === to ? `${field} ${from}` : `${field} ${from} to ${to}`}
                >
                  <span class={index % (columns.length > MOST_NAMED ? 6 : 1) === 0 ? '' : 'unseen'}>
                    {from}
                  </span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {runs.map((run) => (
              <Row
                key={run.id}
                run={run}
                grid={{ field, columns }}
                isChosen={run.id === chosen}
                onChoose={() => onChoose(run.id)}
              />
            ))}
          </tbody>
        </table>
      </div>
      <p class="legend">
        {(['on-time', 'late', 'missing', 'partly', 'expected'] as const).map((kind) => (
          <span key={kind}>
            <span class={`cell ${kind}`} aria-hidden="true">
              {SHAPES[kind]}
            </span>{' '}
            {CELL_WORDS[kind]}
          </span>
        ))}
      </p>
    </>
  )
}

interface RowProps {
  readonly run: WholeRun
  readonly grid: { readonly field: string; readonly columns: readonly Column[] }
  readonly isChosen: boolean
  readonly onChoose: () => void
}

function Row({ run, grid: { field, columns }, isChosen, onChoose }: RowProps): JSX.Element {
  const [kind, word] = STATES[run.state] ?? ['idle', run.state]
  return (
    <tr class={isChosen ? 'chosen' : ''} onClick={onChoose}>
      <th scope="row">
        <button type="button" class="link" aria-pressed={isChosen}>
          {brief(runName(run), 60)}
        </button>
      </th>
      <td>{brief(run.event_type, 40)}</td>
      <td>
        <Badge kind={kind}>{word}</Badge>
      </td>
      <td class="number">
        {run.received}
        {run.expected === null ? '' : `/${run.expected}`}
      </td>
      <td class="when">{whenText(run)}</td>
      {cellsOf(run, field, columns).map((cell, index) => (
        <GridCell
          key={columns[index]?.from ?? index}
          cell={cell}
          name={`${field} ${columns[index]?.from ?? ''}`}
        />
      ))}
    </tr>
  )
}

const SHAPES: Readonly<Record<Cell['kind'], string>> = {
  none: '',
  expected: '○',
  partly: '◐',
  'on-time': '●',
  late: '▲',
  missing: '■',
}
const CELL_WORDS: Readonly<Record<Cell['kind'], string>> = {
  none: 'not expected',
  expected: 'expected',
  partly: 'partly there',
  'on-time': 'on time',
  late: 'late',
  missing: 'missing after due',
}

function GridCell({ cell, name }: { readonly cell: Cell; readonly name: string }): JSX.Element {
  const { kind, received, expected, lateSeconds } = cell
  const late = kind === 'late' ? `, ${spanText(lateSeconds)} late` : ''
  const words = `${name}: ${CELL_WORDS[kind]}, ${received} of ${expected}${late}`
  return (
    <td class={`cell ${kind}`} title={words}>
      <span aria-hidden="true">{SHAPES[kind]}</span>
      <span class="unseen">{words}</span>
    </td>
  )
}

/** When a run was complete, or will be. */
export function whenText({ complete_at, eta, usual, due_at, learning, nominal }: Run): string {
  const day = nominal?.slice(0, 10)
  // Of another day than the run, the day is told, too.
  const minute = (time: string): string =>
    `${day === undefined || time.startsWith(day) ? '' : `${time.slice(5, 10)} `}${clockTime(time).slice(0, 5)}`
  const usualAt = usual?.complete_at ?? undefined
  const usually = usualAt === undefined ? '' : `, usual ${minute(usualAt)}`
  if (complete_at !== null) return `complete ${minute(complete_at)}${usually}`
  if (eta !== null) return `ETA ${minute(eta.at)} (${minute(eta.from)}–${minute(eta.to)})${usually}`
  if (learning !== null) return `learning, ${learning.runs} of ${learning.needed} runs`
  if (due_at !== null) return `due ${minute(due_at)}${usually}`
  return nominal === null ? '' : `nominal ${minute(nominal)}`
}

function NoRuns(): JSX.Element {
  return (
    <div class="empty">
      <h1>Runs</h1>
      <h2>No runs are configured here</h2>
      <p>
        This view answers whether a forecast run is there, when it will be, and what is missing. The service
        learns from its journal what usually comes. An operator says which event types have runs, in the
        configuration:
      </p>
      <Code label="Configuration" text={EXAMPLE} />
    </div>
  )
}
