/**
 * The table of notifications, of the live view and of the history.
 *
 * @module
 */

import type { JSX } from 'preact'
import { memo } from './memo.ts'
import type { GapRow, Row } from './live_model.ts'
import { brief, clockTime, fullTime, seen } from './text.ts'

const MOST_VALUE = 40
const MOST_PAYLOAD = 80

export interface TableProps {
  readonly rows: readonly (Row | GapRow)[]
  readonly names: readonly string[]
  readonly payloadName: string
  readonly label: string
  /** Rows that are drawn at most. */
  readonly most: number
  /** Whether rows are from several days. */
  readonly isDated: boolean
  readonly chosen: string | undefined
  readonly onChoose: (row: Row) => void
  readonly onReplayOldest: (oldest: string | undefined) => void
}

/** A real table: people who cannot see read it cell by cell, and are not told of each new row. */
export function NotificationTable(props: TableProps): JSX.Element {
  const { rows, names, payloadName, label, most, isDated, chosen, onChoose, onReplayOldest } = props
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={label}>
      <table class="rows" aria-live="off">
        <caption class="unseen">{label}</caption>
        <thead>
          <tr>
            <th scope="col">time (UTC)</th>
            <th scope="col">no.</th>
            {names.map((name) => (
              <th scope="col" key={name}>
                {seen(name)}
              </th>
            ))}
            <th scope="col">{seen(payloadName)}</th>
          </tr>
        </thead>
        <tbody>
          {rows
            .slice(0, most)
            .map((row) =>
              row.kind === 'gap' ? (
                <Gap key={row.id} row={row} columns={names.length + 3} onReplayOldest={onReplayOldest} />
              ) : (
                <OneRow
                  key={row.id}
                  row={row}
                  names={names}
                  isDated={isDated}
                  isChosen={row.id === chosen}
                  onChoose={onChoose}
                />
              ),
            )}
        </tbody>
      </table>
    </div>
  )
}

interface RowProps {
  readonly row: Row
  readonly names: readonly string[]
  readonly isDated: boolean
  readonly isChosen: boolean
  readonly onChoose: (row: Row) => void
}

/** Rows do not change, so a row is drawn once. */
const OneRow = memo(({ row, names, isDated, isChosen, onChoose }: RowProps): JSX.Element => {
  return (
    <tr class={isChosen ? 'chosen' : ''} data-id={row.id} onClick={() => onChoose(row)}>
      <td class="time">{isDated ? fullTime(row.time) : clockTime(row.time)}</td>
      <td class="number">
        <button type="button" class="link" aria-label={`Notification ${row.number}`} aria-pressed={isChosen}>
          {row.number}
        </button>
      </td>
      {names.map((name) => (
        <td key={name}>{brief(row.fields[name] ?? '', MOST_VALUE)}</td>
      ))}
      <td class="payload">
        {row.payloadWord === undefined ? brief(row.payload, MOST_PAYLOAD) : <em>{row.payloadWord}</em>}
      </td>
    </tr>
  )
})

interface GapProps {
  readonly row: GapRow
  readonly columns: number
  readonly onReplayOldest: TableProps['onReplayOldest']
}

function Gap({ row, columns, onReplayOldest }: GapProps): JSX.Element {
  return (
    <tr class="gap">
      <td colSpan={columns}>
        ■ Gap: {seen(row.message)}{' '}
        <button type="button" class="small" onClick={() => onReplayOldest(row.oldest)}>
          Go on with the oldest that is kept
        </button>
      </td>
    </tr>
  )
}
