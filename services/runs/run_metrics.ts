/**
 * Metrics of runs. They are on a page that is open to more than those who may listen, so no series names what rights depend on: of the runs
 * of all destinations there is one figure, that of the worst.
 *
 * @module
 */

import type { Metrics, Reading } from '#shared/observe/metrics/metrics.ts'
import type { RunView, Tracker } from '#shared/runs/runs.ts'
import { ABSENT } from './run_schema.ts'

/** Runs that are looked at for one page. */
const MOST_VIEWS = 2_000
/** Series of a figure: the streams and hours of a large centre. */
const MOST_SERIES = 200

/** Where the figures come from. */
export interface RunFiguresSource {
  /** The tracker and its time; `undefined` while it is not known. */
  current(): { readonly tracker: Tracker; readonly now: number } | undefined
  /** Fields of runs that rights depend on. */
  readonly hidden: readonly string[]
  /** Event type → field with the date. */
  readonly dates: ReadonlyMap<string, string>
  isPublishing(): boolean
  /** Notifications that were let go. */
  dropped(): number
}

/** Registry → where its figures come from. A service that is started with another schema takes the place of the one before. */
const sources = new WeakMap<Metrics, { current: RunFiguresSource | undefined }>()

/**
 * Registers the metrics, once for each registry.
 *
 * @param source Asked at each collection, until the next one takes its place.
 * @returns a function that ends that
 */
export function registerRunMetrics(metrics: Metrics, source: RunFiguresSource): () => void {
  const known = sources.get(metrics)
  const place = known ?? { current: undefined }
  place.current = source
  if (known === undefined) {
    sources.set(metrics, place)
    registerAll(metrics, present(place))
  }
  return () => {
    if (place.current === source) place.current = undefined
  }
}

/** The source that is there at the time. */
function present(place: { readonly current: RunFiguresSource | undefined }): RunFiguresSource {
  return {
    current: () => place.current?.current(),
    get hidden() {
      return place.current?.hidden ?? []
    },
    get dates() {
      return place.current?.dates ?? new Map<string, string>()
    },
    isPublishing: () => place.current?.isPublishing() ?? false,
    dropped: () => place.current?.dropped() ?? 0,
  }
}

function registerAll(metrics: Metrics, source: RunFiguresSource): void {
  const labels = ['event_type', 'run']
  const perRun = (figure: (view: RunView, now: number) => number | undefined, worst: Worst): Reading[] => {
    const found = source.current()
    if (found === undefined) return []
    const { tracker, now } = found
    const newest = newestOf(tracker.current(now, MOST_VIEWS), source)
    return newest.flatMap(({ event, name, views }) => {
      const values = views.map((view) => figure(view, now)).filter((value) => value !== undefined)
      return values.length === 0 ? [] : [{ value: worst(...values), values: [event, name] }]
    })
  }
  metrics.read({
    kind: 'gauge',
    name: 'aviso_run_completeness',
    help: 'Received of expected products of the newest run, from 0 to 1; of runs that differ only in whom they are for, the least',
    labels,
    maxSeries: MOST_SERIES,
    read: () => perRun(completeness, Math.min),
  })
  metrics.read({
    kind: 'gauge',
    name: 'aviso_run_delay_seconds',
    unit: 'seconds',
    help: 'How long the newest run is past its due time, or was when it became complete; 0: in time; the most, as above',
    labels,
    maxSeries: MOST_SERIES,
    read: () => perRun(delaySeconds, Math.max),
  })
  metrics.read({
    kind: 'gauge',
    name: 'aviso_runs_open',
    help: 'Runs that are not finished',
    labels: ['event_type'],
    read: () =>
      (source.current()?.tracker.figures() ?? []).map(({ event, open }) => ({
        value: open,
        values: [event],
      })),
  })
  metrics.read({
    kind: 'counter',
    name: 'aviso_runs_let_go',
    help: 'Runs and products that were not counted because there were too many, and notifications that could not be kept until they were published',
    labels: ['what'],
    read: () => {
      const figures = source.current()?.tracker.figures() ?? []
      return [
        { value: figures.reduce((sum, { dropped }) => sum + dropped, 0), values: ['run'] },
        { value: figures.reduce((sum, { uncounted }) => sum + uncounted, 0), values: ['product'] },
        { value: source.dropped(), values: ['notification'] },
      ]
    },
  })
  metrics.read({
    kind: 'gauge',
    name: 'aviso_runs_publishing',
    help: 'Whether this instance publishes the state of runs: 1 on one of all instances',
    read: () => [{ value: Number(source.isPublishing()) }],
  })
}

type Worst = (...values: number[]) => number

/** Runs with the same nominal time that differ only in hidden fields. */
interface NewestRuns {
  readonly event: string
  readonly name: string
  readonly nominal: string
  readonly views: RunView[]
}

/** The newest runs of each name: a name has neither date nor what rights depend on. */
function newestOf(views: readonly RunView[], { hidden, dates }: RunFiguresSource): readonly NewestRuns[] {
  const newest = new Map<string, NewestRuns>()
  for (const view of views) {
    const { event_type: event, run, nominal } = view
    if (nominal === null || view.state === 'abandoned') continue
    const shown = Object.entries(run).filter(
      ([field, value]) => field !== dates.get(event) && !hidden.includes(field) && value !== ABSENT,
    )
    const name = shown.map(([field, value]) => `${field}=${value}`).join(',')
    const key = JSON.stringify([event, name])
    const known = newest.get(key)
    if (known === undefined || known.nominal < nominal)
      newest.set(key, { event, name, nominal, views: [view] })
    else if (known.nominal === nominal) known.views.push(view)
  }
  return [...newest.values()]
}

function completeness({ received, expected }: RunView): number | undefined {
  return expected === null || expected === 0 ? undefined : Math.min(1, received / expected)
}

function delaySeconds(view: RunView, now: number): number | undefined {
  const { due_at: due, complete_at: complete } = view
  if (due === null) return undefined
  const until = complete === null ? now : Date.parse(complete)
  return Math.max(0, (until - Date.parse(due)) / 1_000)
}
