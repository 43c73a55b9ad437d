/**
 * Tables for people.
 *
 * @module
 */

const GAP = '  '

/**
 * Rows below a head, with columns as wide as their longest text. No line ends in spaces.
 *
 * @param head Names of the columns; they are shown in capitals, as tools of this kind do.
 */
export function tableText(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return columnsText([head.map((name) => name.toUpperCase()), ...rows])
}

/** Rows without a head, such as names and values. */
export function columnsText(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length)
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join(GAP)
        .trimEnd(),
    )
    .join('\n')
}
