/**
 * What the audit log got lately: who did what, and what was refused.
 *
 * @module
 */

import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { ApiError, ask, isNameless, messageOf, session, toQuery } from './api.ts'
import { Badge, Notice, useAsked } from './parts.tsx'
import { useWatched } from './state.ts'
import { brief, countText, fullTime } from './text.ts'

interface AuditRecord {
  readonly number: number
  readonly time: string
  readonly action: string
  readonly realm?: string
  readonly user?: string
  readonly address?: string
  readonly event?: string
  readonly keys?: readonly string[]
  readonly ids?: readonly string[]
  readonly reason?: string
  readonly request_id?: string
  readonly count?: number
}

interface AuditPage {
  readonly instance: string
  readonly has_published: boolean
  readonly kept_of_each_action: number
  readonly records: readonly AuditRecord[]
  readonly cursor: string | null
}

const EVERY_MS = 5_000
const FIRST = 20
const MORE = 100
/** Most of a page of the API. */
const MOST = 1_000
const CHOICES = [
  ['', 'everything'],
  ['refused', 'refused'],
  ['administered', 'administered'],
  ['published', 'published'],
  ['opened', 'streams opened'],
  ['closed', 'streams ended'],
  ['narrowed', 'cut down'],
] as const
const KINDS: Readonly<Record<string, string>> = { refused: 'bad', narrowed: 'warn', administered: 'warn' }

/** The newest records. */
export function Audit(): JSX.Element | null {
  const [action, setAction] = useState('')
  const [who, setWho] = useState('')
  const [most, setMost] = useState(FIRST)
  const { answer, error } = useAsked(
    (signal) =>
      ask<AuditPage>(`api/v1/admin/audit?${toQuery({ action, who, limit: String(most) })}`, { signal }),
    EVERY_MS,
    [action, who, most],
  )
  // A proxy may lead this path to a version without it.
  if (answer === undefined && (error === undefined || (error instanceof ApiError && error.status === 404)))
    return null
  return (
    <section class="card" aria-label="Audit">
      <header class="head">
        <h2>Who did what lately</h2>
        <span class="push" />
        <label>
          who{' '}
          <input
            value={who}
            placeholder="everyone"
            onChange={({ currentTarget }) => setWho(currentTarget.value.trim())}
          />
        </label>
        <label>
          action{' '}
          <select value={action} onChange={({ currentTarget }) => setAction(currentTarget.value)}>
            {CHOICES.map(([value, name]) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </select>
        </label>
      </header>
      {error === undefined ? null : <Notice kind="bad">{messageOf(error)}</Notice>}
      {answer === undefined ? null : (
        <>
          {answer.records.length === 0 ? (
            <Nothing page={answer} isAll={action === '' && who === ''} />
          ) : (
            <Records records={answer.records} />
          )}
          {answer.cursor !== null && most < MOST ? (
            <p class="more">
              <button type="button" onClick={() => setMost(Math.min(MOST, most + MORE))}>
                Older ones
              </button>
            </p>
          ) : null}
          <p class="hint">
            The newest {answer.kept_of_each_action} of each action, in the memory of process {answer.instance}
            .{' '}
            {answer.has_published ? null : (
              <>
                Published notifications are on record only with an audit log, which keeps all of this, too:{' '}
                <code>vars.audit</code>.
              </>
            )}
          </p>
        </>
      )}
    </section>
  )
}

function Nothing({ page, isAll }: { readonly page: AuditPage; readonly isAll: boolean }): JSX.Element {
  const { me } = useWatched(session)
  if (!isAll) return <p class="empty">No record of this kind.</p>
  const hasIdentities = me?.user !== null || isNameless(me)
  return (
    <p class="empty">
      Nothing yet since this process began. A record appears for each stream that is opened
      {hasIdentities ? ' or ended' : ''}, each request that is refused, and each job or other change by an
      operator{page.has_published ? ', and for what is published' : ''}. Who only reads is not on record.
      {hasIdentities ? null : ' This service has no identities, so records have an address and no name.'}
    </p>
  )
}

function Records({ records }: { readonly records: readonly AuditRecord[] }): JSX.Element {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Audit records">
      <table class="rows" aria-live="off">
        <caption class="unseen">Audit records, the newest first</caption>
        <thead>
          <tr>
            {['time (UTC)', 'action', 'who', 'from', 'what'].map((title) => (
              <th scope="col" key={title}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {records.map((record) => (
            <tr key={record.number} data-audit={record.number} title={`request ${record.request_id ?? '–'}`}>
              <td class="time">{fullTime(record.time)}</td>
              <td>
                <Badge kind={KINDS[record.action] ?? 'idle'}>{record.action}</Badge>
              </td>
              <td title={record.realm}>{brief(record.user ?? '–', 40)}</td>
              <td>{record.address ?? '–'}</td>
              <td>{whatOf(record)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** What it was about, the shortest that says it. */
function whatOf({ reason, event, ids, keys, count }: AuditRecord): string {
  const of = ids?.join(', ') ?? keys?.join(', ') ?? event
  const many = count === undefined || count === 1 ? undefined : `${countText(count)} notifications`
  return brief([reason, of, many].filter((part) => part !== undefined).join(' · '), 120)
}
