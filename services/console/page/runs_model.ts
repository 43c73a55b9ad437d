/**
 * Runs of forecasts as the API tells them, and the grid that is made from them.
 *
 * @module
 */

/** A run, as `/api/v1/runs` tells it. */
export interface Run {
  readonly id: string
  readonly event_type: string
  readonly run: Readonly<Record<string, string>>
  readonly nominal: string | null
  readonly state: 'expected' | 'running' | 'late' | 'complete' | 'recovered' | 'incomplete' | 'abandoned'
  readonly received: number
  readonly expected: number | null
  readonly extra: number
  readonly repeated: number
  readonly first_at: string | null
  readonly last_at: string | null
  readonly complete_at: string | null
  readonly due_at: string | null
  readonly usual: { readonly first_at: string | null; readonly complete_at: string | null } | null
  readonly eta: { readonly at: string; readonly from: string; readonly to: string } | null
  readonly learning: { readonly runs: number; readonly needed: number } | null
  readonly overdue: number
  readonly missing: {
    readonly count: number
    readonly products: readonly Readonly<Record<string, string>>[]
    readonly truncated: boolean
  }
}

/** A product of a run. */
export interface Product {
  readonly product: Readonly<Record<string, string>>
  readonly at: string | null
  readonly due_at: string | null
  readonly lateness_seconds: number | null
  readonly state: 'received' | 'missing' | 'overdue' | 'extra'
}

/** A run with its products, as `/api/v1/runs/{id}` tells it. */
export interface WholeRun extends Run {
  readonly products: readonly Product[]
  /** Whether there are more. */
  readonly products_truncated?: boolean
  readonly arrivals: {
    readonly today: readonly (readonly [seconds: number, count: number])[]
    readonly usual: readonly (readonly [seconds: number, low: number, middle: number, high: number])[]
  }
}

/** The products of a run in a column. */
export interface Cell {
  readonly received: number
  readonly expected: number
  readonly kind: 'none' | 'expected' | 'partly' | 'on-time' | 'late' | 'missing'
  /** The most that a product of the cell was late, in seconds. */
  readonly lateSeconds: number
}

/** A column: the steps from one to another. */
export interface Column {
  readonly from: string
  readonly to: string
}

/** More columns than this are put together: a grid has to fit on a screen. */
const MOST_COLUMNS = 48
/** A product that comes so much after it was due is late to people, too. */
const LATE_SECONDS = 60

/** The field by which products are columns: `step` where there is one, otherwise the first. */
export function columnField(runs: readonly WholeRun[]): string {
  const [first] = runs.flatMap(({ products }) => products.slice(0, 1))
  const names = Object.keys(first?.product ?? {})
  return names.includes('step') ? 'step' : (names[0] ?? 'step')
}

/** The columns of a grid, in order. */
export function columnsOf(runs: readonly WholeRun[], field: string): readonly Column[] {
  const values = new Set<string>()
  for (const { products } of runs) for (const { product } of products) values.add(product[field] ?? '')
  const ordered = [...values].toSorted(byNumber)
  const width = Math.ceil(ordered.length / MOST_COLUMNS)
  const columns: Column[] = []
  for (let start = 0; start < ordered.length; start += width) {
    const part = ordered.slice(start, start + width)
    columns.push({ from: part[0] ?? '', to: part.at(-1) ?? '' })
  }
  return columns
}

/** Numbers by value, everything else by its text. */
function byNumber(a: string, b: string): number {
  const difference = Number(a) - Number(b)
  return Number.isNaN(difference) ? a.localeCompare(b) : difference
}

/** The cells of a run. */
export function cellsOf({ products }: WholeRun, field: string, columns: readonly Column[]): readonly Cell[] {
  const groups = columns.map((): Product[] => [])
  for (const product of products) {
    const value = product.product[field] ?? ''
    const index = columns.findIndex(({ from, to }) => byNumber(value, from) >= 0 && byNumber(value, to) <= 0)
    groups[index]?.push(product)
  }
  return groups.map(toCell)
}

function toCell(products: readonly Product[]): Cell {
  const wanted = products.filter(({ state }) => state !== 'extra')
  const received = wanted.filter(({ state }) => state === 'received')
  const lateSeconds = Math.max(0, ...received.map(({ lateness_seconds }) => lateness_seconds ?? 0))
  const counts = { received: received.length, expected: wanted.length, lateSeconds }
  if (wanted.length === 0) return { ...counts, kind: 'none' }
  if (wanted.some(({ state }) => state === 'overdue')) return { ...counts, kind: 'missing' }
  if (received.length === wanted.length)
    return { ...counts, kind: lateSeconds > LATE_SECONDS ? 'late' : 'on-time' }
  return { ...counts, kind: received.length === 0 ? 'expected' : 'partly' }
}

/** The values of a run in one text: `00 UTC` of a date, and what else names it. */
export function runName({ run, nominal }: Run): string {
  const { date, time, ...others } = run
  const when =
    nominal === null
      ? `${date ?? ''} ${time ?? ''}`.trim()
      : `${nominal.slice(0, 10)} ${nominal.slice(11, 13)} UTC`
  return [when, ...Object.values(others)].filter((part) => part !== '').join(' · ')
}

/** Hours and minutes after the nominal time. @param step Seconds to the next such text: below a minute, seconds are told, too. */
export function afterText(seconds: number, step: number): string {
  const hasSeconds = step > 0 && step < 60
  const whole = hasSeconds ? Math.abs(Math.round(seconds)) : Math.round(Math.abs(seconds) / 60) * 60
  const parts = [Math.floor(whole / 60) % 60, ...(hasSeconds ? [whole % 60] : [])]
  const text = parts.map((part) => String(part).padStart(2, '0')).join(':')
  return `${seconds < 0 ? '−' : '+'}${Math.floor(whole / 3_600)}:${text}`
}

/** Curves of a run's arrivals over the same seconds. */
export interface Curves {
  readonly xs: readonly number[]
  readonly today: readonly (number | null)[]
  readonly low: readonly (number | null)[]
  readonly middle: readonly (number | null)[]
  readonly high: readonly (number | null)[]
}

/** Puts arrivals and the usual band on common seconds. What is not known at a second is what was known before. */
export function curvesOf({ today: counted, usual }: WholeRun['arrivals']): Curves {
  const [start] = counted
  // Before the first second with arrivals there was nothing.
  const today = start === undefined ? counted : ([[start[0] - 1, 0], ...counted] as const)
  const xs = [...new Set([...today.map(([at]) => at), ...usual.map(([at]) => at)])].toSorted((a, b) => a - b)
  const last = today.at(-1)?.[0] ?? -Infinity
  return {
    xs,
    today: stepsAt(
      xs,
      today.map(([at, count]) => [at, count]),
    ).map((count, index) => ((xs[index] ?? 0) > last ? null : count)),
    low: stepsAt(
      xs,
      usual.map(([at, low]) => [at, low]),
    ),
    middle: stepsAt(
      xs,
      usual.map(([at, , middle]) => [at, middle]),
    ),
    high: stepsAt(
      xs,
      usual.map(([at, , , high]) => [at, high]),
    ),
  }
}

function stepsAt(xs: readonly number[], points: readonly (readonly [number, number])[]): (number | null)[] {
  let next = 0
  let value: number | null = null
  return xs.map((x) => {
    for (let point = points[next]; point !== undefined && point[0] <= x; point = points[++next])
      value = point[1]
    return value
  })
}
