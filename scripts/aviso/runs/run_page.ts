/**
 * One run for people: counts, times, a grid of its products, what is missing.
 *
 * @module
 */

import { columnsText } from '../table.ts'
import {
  barText,
  compareValues,
  countText,
  endText,
  lastField,
  learningText,
  missingText,
  percentText,
  plain,
  runName,
  stateColour,
  timeText,
  type Colour,
  type Style,
} from './run_text.ts'
import { isComplete, type RunPage, type RunProduct } from './run_view.ts'

const BAR = 30
/** Products in a line of the grid, where the terminal has room: multiples of it are easy to count. */
const CELLS = 40
const MIN_CELLS = 10
/** Rows of a grid; `--json` has everything. */
const MAX_ROWS = 60
/** Missing products that are named. */
const MISSING_SHOWN = 50

/** The text of a run. */
export function runPageText(run: RunPage, style: Style): string {
  const { paint } = style
  const bar = barText(run, BAR, style)
  const head = [paint(stateColour(run), run.state), countText(run), percentText(run)].filter(
    (text) => text !== '',
  )
  const missing = missingText(run, MISSING_SHOWN)
  return [
    `${runName(run)}: ${head.join(', ')}`,
    ...(bar === '' ? [] : [paint(stateColour(run), bar)]),
    factsText(run, style),
    ...gridText(run, style),
    ...(missing === '' || isComplete(run) ? [] : ['', paint('bad', missing)]),
  ].join('\n')
}

/** Times and counts, a line each; those that there are. */
function factsText(run: RunPage, style: Style): string {
  const time = (at: string | null): string => (at === null ? '' : timeText(at, run))
  const usual = run.usual
  const rows: readonly (readonly [string, string])[] = [
    ['first', time(run.first_at)],
    ['last', time(run.last_at)],
    ['due', time(run.due_at)],
    ['complete', endText(run, style)],
    ['usual', usual === null ? '' : usualText(time(usual.first_at), time(usual.complete_at))],
    ['overdue', run.overdue === 0 ? '' : String(run.overdue)],
    ['not expected', run.extra === 0 ? '' : `${run.extra} that came, too`],
    ['again', run.repeated === 0 ? '' : `${run.repeated} published again${againText(run)}`],
    ['learning', run.learning === null ? '' : learningText(run.learning).replace('learning, ', '')],
    ['id', plain(run.id)],
  ]
  return columnsText([...rows.filter(([, text]) => text !== ''), ['', 'all times in UTC']])
}

function usualText(first: string, complete: string): string {
  return [first === '' ? '' : `first ${first}`, complete === '' ? '' : `complete ${complete}`]
    .filter((text) => text !== '')
    .join(', ')
}

function againText(run: RunPage): string {
  return run.republished_at === null ? '' : `, last ${timeText(run.republished_at, run)}`
}

/** What a product looks like. */
interface Look {
  readonly sign: string
  readonly colour: Colour
  readonly meaning: string
}

function lookOf({ state, lateness_seconds: lateness }: RunProduct, { signs }: Style): Look {
  switch (state) {
    case 'received':
      return (lateness ?? 0) > 0
        ? { sign: signs.afterDue, colour: 'bad', meaning: 'came after its time' }
        : { sign: signs.inTime, colour: 'good', meaning: 'came' }
    case 'overdue':
      return { sign: signs.overdue, colour: 'bad', meaning: 'overdue' }
    case 'extra':
      return { sign: signs.extra, colour: 'busy', meaning: 'not expected' }
    default:
      return { sign: signs.awaited, colour: 'faint', meaning: 'to come' }
  }
}

/** Rows are values of the other fields, columns those of the field that counts up. */
function gridText(run: RunPage, style: Style): readonly string[] {
  const { products } = run
  if (products.length === 0) return []
  const field = lastField(products.map(({ product }) => product))
  const rows = rowsOf(products, field)
  const lines = rows.flatMap(({ name, cells }) => wrapped(name, cells, { field, style }))
  const shown = lines.slice(0, MAX_ROWS)
  const more = lines.length - shown.length
  return [
    '',
    columnsText(shown),
    ...(more > 0 ? [`and ${more} more lines; --json has all`] : []),
    ...(run.products_truncated ? ['The service lists a part of the products.'] : []),
    legendText(products, style),
  ]
}

interface Row {
  readonly name: string
  readonly cells: readonly RunProduct[]
}

function rowsOf(products: readonly RunProduct[], field: string): readonly Row[] {
  const rows = new Map<string, RunProduct[]>()
  for (const product of products) {
    const name = Object.entries(product.product)
      .filter(([other]) => other !== field)
      .map(([other, value]) => `${other} ${value}`)
      .join(' ')
    const cells = rows.get(name) ?? []
    rows.set(name, cells)
    cells.push(product)
  }
  return [...rows]
    .map(([name, cells]) => ({
      name: plain(name),
      cells: cells.toSorted((a, b) => compareValues(a.product[field] ?? '', b.product[field] ?? '')),
    }))
    .toSorted((a, b) => compareValues(a.name, b.name))
}

/** Lines of a row, each with its name and the first value in it. */
function wrapped(
  name: string,
  cells: readonly RunProduct[],
  { field, style }: { readonly field: string; readonly style: Style },
): readonly (readonly string[])[] {
  const label = (cell: RunProduct | undefined): string => plain(`${field} ${cell?.product[field] ?? ''}`)
  const widest = Math.max(...cells.map((cell) => label(cell).length))
  const room = style.columns - name.length - widest - 4
  const perLine = Math.max(Math.min(room, CELLS), MIN_CELLS)
  const lines: (readonly string[])[] = []
  for (let start = 0; start < cells.length; start += perLine) {
    const some = cells.slice(start, start + perLine)
    const signs = some.map((cell) => {
      const { sign, colour } = lookOf(cell, style)
      return style.paint(colour, sign)
    })
    lines.push([...(name === '' ? [] : [name]), label(some[0]), signs.join('')])
  }
  return lines
}

/** What the signs mean that are there. */
function legendText(products: readonly RunProduct[], style: Style): string {
  const looks = new Map(products.map((product) => lookOf(product, style)).map((look) => [look.sign, look]))
  return [...looks.values()]
    .map(({ sign, colour, meaning }) => `${style.paint(colour, sign)} ${meaning}`)
    .join('   ')
}
