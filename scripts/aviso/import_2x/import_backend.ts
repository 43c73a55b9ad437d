/**
 * Takes over `notification_backend`: what is kept, and how long.
 *
 * @module
 */

import { formatDuration, MIN_RETENTION_MS, parseDurationMs } from '#shared/retention/duration.ts'
import type { Schemas2x } from './import_schemas.ts'
import type { Section } from './section.ts'

/** The store, and what of it is kept. */
export interface Retention2x {
  readonly store: string
  /** Settings of the admin service. */
  readonly vars: object
}

/** As long as a duration can be: JetStream keeps everything, unless it is told otherwise. */
const FOR_EVER = '5000w'
const A_DAY_MS = 86_400_000
const OWN_STORE = 'there is no broker here: notifications are in the store of the service (dev.data)'

/** Takes the backend over. */
export function importBackend(backend: Section, schemas: Schemas2x): Retention2x {
  const kind = backend.text('kind')
  if (kind !== undefined && kind !== 'jetstream' && kind !== 'in_memory')
    backend.problem('kind', `"${kind}" is not known: 2.x has jetstream and in_memory`)
  const isInMemory = kind === 'in_memory'
  const jetstream = backend.section('jetstream')
  const inMemory = backend.section('in_memory')
  const vars = isInMemory ? {} : importJetStream(jetstream, schemas)
  if (isInMemory) {
    inMemory.leaveOut(
      ['max_history_per_topic', 'max_topics'],
      'all notifications are kept for workers.admin.vars.retention.age, and not the newest alone',
    )
    inMemory.leaveOut(['enable_metrics'], 'metrics are always on')
    inMemory.close()
  } else if (inMemory.isGiven) backend.note('in_memory', 'it is not the kind that is used')
  if (isInMemory && jetstream.isGiven) backend.note('jetstream', 'it is not the kind that is used')
  backend.close()
  return { store: isInMemory ? 'embedded:memory' : 'embedded:', vars }
}

function importJetStream(jetstream: Section, { events }: Schemas2x): object {
  jetstream.leaveOut(
    [
      'nats_url',
      'token',
      'timeout_seconds',
      'retry_attempts',
      'enable_auto_reconnect',
      'max_reconnect_attempts',
      'reconnect_delay_ms',
      'publish_retry_attempts',
      'publish_retry_base_delay_ms',
      'storage_type',
    ],
    OWN_STORE,
  )
  const replicas = jetstream.number('replicas') ?? 1
  if (replicas > 1)
    jetstream.note('replicas', 'the embedded store is on one machine: for several, set vars.store to an etcd')
  const policy = jetstream.text('retention_policy') ?? 'limits'
  if (policy !== 'limits')
    jetstream.problem(
      'retention_policy',
      `with "${policy}" a notification is gone when it was read, and here every listener gets it: set limits, or leave it out`,
    )
  const count = jetstream.number('max_messages')
  const bytes = jetstream.number('max_bytes')
  if (jetstream.text('discard_policy') === 'new' && (count ?? bytes) !== undefined)
    jetstream.problem(
      'discard_policy',
      'here the oldest go, and publishing goes on: set old, or leave max_messages and max_bytes out',
    )
  if (bytes !== undefined)
    jetstream.note(
      'max_bytes',
      'only an event type can be bounded by size, by max_size of its storage_policy',
    )
  const counted = count === undefined ? [] : events.filter(({ hasCount }) => !hasCount)
  const { age, history } = ages(jetstream)
  jetstream.close()
  return {
    history,
    retention: { age },
    events: Object.fromEntries(counted.map(({ name }) => [name, { count }])),
  }
}

/** How long notifications are kept, and their history a day longer. */
function ages(jetstream: Section): { readonly age: string; readonly history: string } {
  const text = jetstream.text('retention_time')
  if (text === undefined) return { age: FOR_EVER, history: FOR_EVER }
  const ms = parseDurationMs(text)
  if (ms === undefined) {
    jetstream.problem('retention_time', 'it must be a whole number with a unit s, m, h, d or w, such as 7d')
    return { age: FOR_EVER, history: FOR_EVER }
  }
  if (ms < MIN_RETENTION_MS) jetstream.note('retention_time', 'nothing is kept for less than an hour')
  const age = Math.max(ms, MIN_RETENTION_MS)
  return { age: formatDuration(age), history: formatDuration(age + A_DAY_MS) }
}
