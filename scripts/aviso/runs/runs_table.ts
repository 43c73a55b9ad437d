/**
 * Runs as a table. On a narrow terminal the columns that matter least are left out.
 *
 * @module
 */

import { tableText, type Cell } from '../table.ts'
import {
  barText,
  countText,
  endText,
  nominalText,
  percentText,
  stateColour,
  stateText,
  timeText,
  whatText,
  type Style,
} from './run_text.ts'
import type { RunView } from './run_view.ts'

/** Characters of a bar. */
const BAR = 10

interface Column {
  readonly name: string
  /** The column with the highest number is left out first. */
  readonly leaves: number
  readonly cell: (run: RunView, style: Style) => Cell
}

const COLUMNS: readonly Column[] = [
  { name: 'run', leaves: 0, cell: whatText },
  { name: 'nominal', leaves: 0, cell: nominalText },
  {
    name: 'state',
    leaves: 0,
    cell: (run, { paint }) => ({ text: stateText(run), paint: (text) => paint(stateColour(run), text) }),
  },
  {
    name: 'done',
    leaves: 3,
    cell: (run, style) => ({
      text: barText(run, BAR, style),
      paint: (text) => style.paint(stateColour(run), text),
    }),
  },
  { name: '', leaves: 1, cell: percentText },
  { name: 'received', leaves: 2, cell: countText },
  {
    name: 'overdue',
    leaves: 4,
    cell: ({ overdue }, { paint }) => ({
      text: overdue === 0 ? '' : String(overdue),
      paint: (text) => paint('bad', text),
    }),
  },
  { name: 'due (utc)', leaves: 5, cell: (run) => (run.due_at === null ? '' : timeText(run.due_at, run)) },
  { name: 'complete (utc)', leaves: 6, cell: endText },
]

/** The table; lines that are still too long are cut. */
export function runsTable(runs: readonly RunView[], style: Style): string {
  let columns = COLUMNS.filter(
    ({ name, cell }) => name !== 'overdue' || runs.some((run) => textOf(cell(run, style)) !== ''),
  )
  for (;;) {
    const width = widthOf(columns, runs, style)
    const least = Math.max(...columns.map(({ leaves }) => leaves))
    if (width <= style.columns || least === 0) return render(columns, runs, style)
    columns = columns.filter(({ leaves }) => leaves < least)
  }
}

function render(columns: readonly Column[], runs: readonly RunView[], style: Style): string {
  const rows = runs.map((run) => columns.map(({ cell }) => cell(run, style)))
  return tableText(
    columns.map(({ name }) => name),
    rows,
  )
}

/** Of the longest line, without colours. */
function widthOf(columns: readonly Column[], runs: readonly RunView[], style: Style): number {
  const colourless: Style = { ...style, paint: (_colour, text) => text }
  return Math.max(
    ...render(columns, runs, colourless)
      .split('\n')
      .map((line) => line.length),
  )
}

function textOf(cell: Cell): string {
  return typeof cell === 'string' ? cell : cell.text
}
