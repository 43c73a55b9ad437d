/**
 * Shows the status of the admin service to people. A member that the service does not send is left out, because it may be older or newer.
 *
 * @module
 */

import { isJsonRecord, type JsonRecord } from '#shared/json/record.ts'
import { sizeText } from './figures.ts'
import { columnsText, tableText } from './table.ts'

/** The lines and tables for the answer of `GET /api/v1/admin/status`. */
export function adminStatusText(status: JsonRecord): string {
  const parts = [
    columnsText([
      ['store', storeText(partOf(status, 'store'))],
      ['history', historyText(status)],
      ['retention', retentionText(partOf(status, 'retention'))],
      ['backup', backupText(partOf(status, 'backup'))],
      ...alarmRows(status),
    ]),
    membersTable(listOf(status, 'members')),
    jobsTable(partOf(status, 'jobs'), partOf(status, 'schedule')),
  ]
  return parts.filter((part) => part !== '').join('\n\n')
}

function storeText(store: JsonRecord): string {
  const size = sizeOf(store, 'size_bytes')
  return joined([
    textOf(store, 'version'),
    named('revision', textOf(store, 'revision')),
    size === '' ? '' : `${size} (${sizeOf(store, 'size_in_use_bytes')} in use)`,
  ])
}

function historyText(status: JsonRecord): string {
  const history = partOf(status, 'history')
  return joined([
    named('kept for', textOf(partOf(status, 'retention'), 'history')),
    named('compacted to', textOf(history, 'compacted_to')),
    named('marks', textOf(history, 'marks')),
    named('oldest', textOf(history, 'oldest_mark')),
    named('newest', textOf(history, 'newest_mark')),
  ])
}

function retentionText(retention: JsonRecord): string {
  const events = partOf(retention, 'events')
  const ofEvents = Object.keys(events).map((event) => {
    const { age, count } = partOf(events, event)
    return `${event} ${[age, count === undefined ? undefined : `newest ${shown(count)}`].filter(Boolean).map(shown).join(' ')}`
  })
  return joined([textOf(retention, 'age'), ...ofEvents])
}

function backupText(backup: JsonRecord): string {
  if (textOf(backup, 'at') === '') return 'none'
  return joined([
    textOf(backup, 'at'),
    named('revision', textOf(backup, 'revision')),
    sizeOf(backup, 'size_bytes'),
  ])
}

function alarmRows(status: JsonRecord): readonly (readonly string[])[] {
  const alarms = listOf(status, 'alarms').map((alarm) => [
    'alarm',
    `${textOf(alarm, 'kind')} of member ${textOf(alarm, 'member')}`,
  ])
  const error = textOf(status, 'members_error')
  return error === '' ? alarms : [...alarms, ['members', error]]
}

function membersTable(members: readonly JsonRecord[]): string {
  if (members.length === 0) return ''
  return tableText(
    ['member', 'state', 'version', 'size', 'in use'],
    members.map((member) => [
      textOf(member, 'name') || textOf(member, 'id'),
      member['reachable'] === false ? 'unreachable' : member['leader'] === true ? 'leader' : 'follower',
      textOf(member, 'version'),
      sizeOf(member, 'size_bytes'),
      sizeOf(member, 'size_in_use_bytes'),
    ]),
  )
}

/** @param schedule When jobs are due; empty where the service does not run them, or does not say so. */
function jobsTable(jobs: JsonRecord, schedule: JsonRecord): string {
  const names = [...new Set([...Object.keys(jobs), ...Object.keys(schedule)])]
  if (names.length === 0) return ''
  const isScheduled = Object.keys(schedule).length > 0
  return tableText(
    ['job', 'state', 'at', ...(isScheduled ? ['next'] : []), 'result'],
    names.map((name) => {
      const job = partOf(jobs, name)
      const at = textOf(job, 'at') || textOf(job, 'since')
      const result = textOf(job, 'error') || factsOf(partOf(job, 'report'))
      const next = isScheduled ? [textOf(partOf(schedule, name), 'next')] : []
      return [name, textOf(job, 'state'), at, ...next, result]
    }),
  )
}

/** The members of a report that are one value, such as `deleted 3, bytes 120`. */
function factsOf(report: JsonRecord): string {
  const facts = Object.entries(report).filter(([, value]) => typeof value !== 'object')
  return joined(facts.map(([name, value]) => `${name} ${shown(value)}`))
}

function joined(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(', ')
}

function named(name: string, text: string): string {
  return text === '' ? '' : `${name} ${text}`
}

function sizeOf(record: JsonRecord, name: string): string {
  const value = record[name]
  return typeof value === 'number' ? sizeText(value) : ''
}

function textOf(record: JsonRecord, name: string): string {
  return shown(record[name])
}

function shown(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : ''
}

function partOf(record: JsonRecord, name: string): JsonRecord {
  const value = record[name]
  return isJsonRecord(value) ? value : {}
}

function listOf(record: JsonRecord, name: string): readonly JsonRecord[] {
  const value = record[name]
  return Array.isArray(value) ? value.filter(isJsonRecord) : []
}
