/**
 * How runs look to people: names, times in UTC, states, bars. Texts of the service are made harmless for terminals.
 *
 * @module
 */

import type { CommandContext } from '../context.ts'
import type { Screen } from '../output.ts'
import { isComplete, isGivenUp, type RunView } from './run_view.ts'

/** What a place for text can show. */
export interface Style {
  /** Most characters of a line; infinite: a file or a pipe. */
  readonly columns: number
  /** Puts a colour around a text, or leaves it. */
  readonly paint: (colour: Colour, text: string) => string
  readonly signs: Signs
}

export type Colour = 'good' | 'bad' | 'busy' | 'faint'

/** Signs of bars and grids. */
export interface Signs {
  readonly full: string
  readonly empty: string
  readonly inTime: string
  readonly afterDue: string
  readonly awaited: string
  readonly overdue: string
  readonly extra: string
  /** Between the two ends of a time. */
  readonly to: string
}

const UNICODE: Signs = {
  full: '█',
  empty: '░',
  inTime: '■',
  afterDue: '◆',
  awaited: '·',
  overdue: '✗',
  extra: '+',
  to: '–',
}
const ASCII: Signs = {
  full: '#',
  empty: '.',
  inTime: '#',
  afterDue: 'L',
  awaited: '.',
  overdue: '!',
  extra: '+',
  to: '-',
}
const PAINTS: Readonly<Record<Colour, string>> = {
  good: '\u001B[32m',
  bad: '\u001B[31m',
  busy: '\u001B[36m',
  faint: '\u001B[2m',
}
const PLAIN = '\u001B[0m'
/** Fields that say the nominal time, which is shown by itself. */
const NOMINAL_FIELDS: readonly string[] = ['date', 'time']

/** What the output can show: blocks where the locale says UTF-8, colours on terminals only. */
export function styleOf({ output, environment }: Pick<CommandContext, 'output' | 'environment'>): Style {
  const screen: Screen | undefined = output.screen
  // The first that is set counts.
  const locale = [environment['LC_ALL'], environment['LC_CTYPE'], environment['LANG']].find(
    (value) => value !== undefined && value !== '',
  )
  return {
    columns: screen?.size().columns ?? Number.POSITIVE_INFINITY,
    paint: (colour, text) =>
      screen?.isColoured === true && text !== '' ? `${PAINTS[colour]}${text}${PLAIN}` : text,
    signs: /utf-?8/i.test(locale ?? '') ? UNICODE : ASCII,
  }
}

/** `mars od oper 0001`: what the run is of, without its nominal time. */
export function whatText({ event_type: event, run, nominal }: RunView): string {
  const values = Object.entries(run)
    .filter(([field]) => nominal === null || !NOMINAL_FIELDS.includes(field))
    .map(([, value]) => value)
  return plain([event, ...values].join(' '))
}

/** `2026-08-10 12Z`; empty where a run has no nominal time. */
export function nominalText({ nominal }: Pick<RunView, 'nominal'>): string {
  if (nominal === null) return ''
  const written = new Date(nominal).toISOString()
  const minutes = written.slice(14, 16)
  return `${written.slice(0, 10)} ${written.slice(11, 13)}${minutes === '00' ? '' : `:${minutes}`}Z`
}

/** `mars od oper 0001 2026-08-10 12Z` */
export function runName(run: RunView): string {
  return `${whatText(run)} ${nominalText(run)}`.trimEnd()
}

/** `18:40`, with month and day where these are not the run's own: a run of 18 UTC ends on the next day. */
export function timeText(at: string, { nominal }: Pick<RunView, 'nominal'>): string {
  const written = new Date(at).toISOString()
  const day = nominal === null ? '' : new Date(nominal).toISOString().slice(0, 10)
  return day === written.slice(0, 10)
    ? written.slice(11, 16)
    : `${written.slice(5, 10)} ${written.slice(11, 16)}`
}

/** The state, and how far it is learned where that matters. */
export function stateText({ state, learning }: RunView): string {
  return plain(learning === null ? state : `${state} (learning, ${learning.runs} of ${learning.needed})`)
}

/** `learning, 2 of 7 runs` */
export function learningText({ runs, needed }: NonNullable<RunView['learning']>): string {
  return `learning, ${runs} of ${needed} runs`
}

export function stateColour(run: RunView): Colour {
  if (isComplete(run)) return 'good'
  if (run.state === 'late' || run.state === 'incomplete' || run.overdue > 0) return 'bad'
  return run.state === 'running' ? 'busy' : 'faint'
}

/** How much of a run came, 0 to 1; `undefined` where it is not known how much it has. */
export function shareOf({ received, expected }: RunView): number | undefined {
  if (expected === null || expected <= 0) return undefined
  return Math.min(received / expected, 1)
}

/** `60%`. Less than all is never 100. */
export function percentText(run: RunView): string {
  const share = shareOf(run)
  return share === undefined ? '' : `${Math.floor(share * 100)}%`
}

/** `73 of 121`, or `73` while it is not known how many there are. */
export function countText({ received, expected }: RunView): string {
  return expected === null ? String(received) : `${received} of ${expected}`
}

/** A bar of so many characters. One product shows, and one that is missing, too. */
export function barText(run: RunView, characters: number, { signs }: Style): string {
  const share = shareOf(run)
  if (share === undefined) return ''
  const exact = share * characters
  const filled = Math.min(
    Math.max(Math.round(exact), share > 0 ? 1 : 0),
    share < 1 ? characters - 1 : characters,
  )
  return signs.full.repeat(filled) + signs.empty.repeat(characters - filled)
}

/** When everything is there: the time, or what is to be expected, such as `~18:31 (18:20–18:50)`. */
export function endText(run: RunView, { signs }: Style): string {
  const { complete_at: at, eta } = run
  if (at !== null) return timeText(at, run)
  if (eta === null || isGivenUp(run)) return ''
  const span =
    eta.from === undefined || eta.to === undefined
      ? ''
      : ` (${timeText(eta.from, run)}${signs.to}${timeText(eta.to, run)})`
  return `~${timeText(eta.at, run)}${span}`
}

/** Products that a line names. */
const MISSING_SHOWN = 12

/** `3 missing: step 84, 87, 90`; empty where nothing is missing. */
export function missingText({ missing }: Pick<RunView, 'missing'>, most = MISSING_SHOWN): string {
  if (missing.count === 0) return ''
  const named = missing.products.slice(0, most)
  const left = missing.count - named.length
  const more = left > 0 && named.length > 0 ? ` and ${left} more` : ''
  const names = named.length === 0 ? '' : `: ${productsText(named)}`
  return `${missing.count} missing${names}${more}`
}

/** `step 84, 87, 90`; with several fields `target E1 step 84, 87; target E2 step 84`. */
function productsText(products: readonly Readonly<Record<string, string>>[]): string {
  const last = lastField(products)
  const groups = new Map<string, string[]>()
  for (const product of products) {
    const others = Object.entries(product).filter(([field]) => field !== last)
    const group = [...others.map(([field, value]) => `${field} ${value}`), last].join(' ')
    const values = groups.get(group) ?? []
    groups.set(group, values)
    values.push(product[last] ?? '')
  }
  return plain([...groups].map(([group, values]) => `${group} ${inOrder(values).join(', ')}`).join('; '))
}

/** The field that counts up: `step` where there is one. */
export function lastField(products: readonly Readonly<Record<string, string>>[]): string {
  const names = Object.keys(products[0] ?? {})
  return names.includes('step') ? 'step' : (names.at(-1) ?? '')
}

/** Numbers by their value, other texts by the alphabet. */
export function inOrder(values: readonly string[]): readonly string[] {
  return values.toSorted(compareValues)
}

/** How two values of a field are ordered. */
export function compareValues(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

/** Without control characters: what a service sends must not control a terminal. */
export function plain(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '\uFFFD')
}
