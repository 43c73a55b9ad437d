/**
 * The jobs of the admin service: how they stand, a dry run, and a run with progress.
 *
 * @module
 */

import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { messageOf, send } from './api.ts'
import { Badge, Confirmed } from './parts.tsx'
import { brief, fullTime, seen, valueText } from './text.ts'

export interface JobRecord {
  readonly state: 'running' | 'done' | 'failed'
  readonly since: string
  readonly at: string
  readonly report?: Readonly<Record<string, unknown>>
}

/** When a job is due. */
export interface Due {
  /** `null`: it runs by hand alone. */
  readonly cron: string | null
  readonly next?: string
}

const JOBS = [
  { name: 'compact', does: 'forgets history that is old enough' },
  { name: 'clean', does: 'deletes notifications that have outlived their retention' },
  { name: 'defragment', does: 'gives room of the file back' },
] as const

const KINDS = { running: 'warn', done: 'good', failed: 'bad' } as const
const MOST_CHARACTERS = 300

/** The jobs that may be run here. */
export function Jobs({
  jobs,
  schedule,
  onDone,
}: {
  readonly jobs: Readonly<Record<string, JobRecord>>
  readonly schedule: Readonly<Record<string, Due>>
  readonly onDone: () => void
}): JSX.Element {
  return (
    <section class="card" aria-label="Jobs">
      <h2>Jobs</h2>
      <ul class="plain jobs">
        {JOBS.map(({ name, does }) => (
          <Job key={name} name={name} does={does} record={jobs[name]} due={schedule[name]} onDone={onDone} />
        ))}
      </ul>
    </section>
  )
}

interface JobProps {
  readonly name: string
  readonly does: string
  readonly record: JobRecord | undefined
  readonly due: Due | undefined
  readonly onDone: () => void
}

function Job({ name, does, record, due, onDone }: JobProps): JSX.Element {
  const [report, setReport] = useState('')
  const [isBusy, setBusy] = useState(false)
  const run = async (isDry: boolean): Promise<void> => {
    setBusy(true)
    setReport(isDry ? 'Looking …' : 'Running …')
    try {
      await readProgress(name, isDry, setReport)
    } catch (error) {
      setReport(messageOf(error))
    }
    setBusy(false)
    onDone()
  }
  return (
    <li>
      <div class="job">
        <b>{name}</b>
        <span class="does">
          {does}
          {dueText(due)}
        </span>
        {record === undefined ? (
          <Badge kind="idle">never run</Badge>
        ) : (
          <Badge kind={KINDS[record.state]}>
            {record.state} {fullTime(record.at).slice(0, 16)}
          </Badge>
        )}
        <button type="button" class="small" disabled={isBusy} onClick={() => void run(true)}>
          Dry run
        </button>
        <Confirmed label="Run" sure={`Run ${name} now`} disabled={isBusy} onSure={() => void run(false)} />
      </div>
      <p class="report" role="status">
        {report === '' && record?.report !== undefined ? reportText(record.report) : seen(report)}
      </p>
    </li>
  )
}

function dueText(due: Due | undefined): string {
  if (due === undefined || due.cron === null) return '; by hand alone'
  return due.next === undefined ? `; at ${due.cron} (UTC)` : `; next ${fullTime(due.next).slice(0, 16)}`
}

/** Shows each line of progress, and the result. */
async function readProgress(name: string, isDry: boolean, show: (text: string) => void): Promise<void> {
  const headers = { accept: 'application/x-ndjson' }
  const response = await send(`api/v1/admin/${name}`, {
    method: 'POST',
    headers,
    body: isDry ? { dry_run: true } : {},
  })
  if (response.body === null) return
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    const lines = `${rest}${value}`.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const { progress, result, error } = Object(JSON.parse(line)) as Readonly<Record<string, unknown>>
      const message = Object(error) as { readonly message?: string }
      show(error === undefined ? reportText(Object(result ?? progress)) : `Failed: ${message.message ?? ''}`)
    }
  }
}

function reportText(report: Readonly<Record<string, unknown>>): string {
  const { success: _success, request_id: _id, ...rest } = report
  const parts = Object.entries(rest).map(
    ([name, value]) => `${name.replaceAll('_', ' ')}: ${valueText(value)}`,
  )
  return brief(parts.join(', '), MOST_CHARACTERS)
}
