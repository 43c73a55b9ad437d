/**
 * Tables for people.
 *
 * @module
 */

const GAP = '  '

/** A text, or one that is coloured after its width is known. */
export type Cell = string | { readonly text: string; readonly paint: (text: string) => string }

/**
 * Rows below a head, with columns as wide as their longest text. No line ends in spaces.
 *
 * @param head Names of the columns; they are shown in capitals, as tools of this kind do.
 */
export function tableText(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return columnsText([head.map((name) => name.toUpperCase()), ...rows])
}

/** Rows without a head, such as names and values. */
export function columnsText(rows: readonly (readonly Cell[])[]): string {
  const widths: number[] = []
  for (const row of rows)
    for (const [column, cell] of row.entries())
      widths[column] = Math.max(widths[column] ?? 0, textOf(cell).length)
  return rows
    .map((row) =>
      row
        .map((cell, column) => painted(cell) + ' '.repeat((widths[column] ?? 0) - textOf(cell).length))
        .join(GAP)
        .trimEnd(),
    )
    .join('\n')
}

function textOf(cell: Cell): string {
  return typeof cell === 'string' ? cell : cell.text
}

function painted(cell: Cell): string {
  return typeof cell === 'string' ? cell : cell.paint(cell.text)
}
