/**
 * The watcher: polls etcd, Kubernetes, the store's history and its last backup at an interval, and keeps the latest results.
 *
 * @module
 */

import type { Metrics, Reading } from '#shared/observe/metrics/metrics.ts'
import { readBackupRecord, type BackupRecord } from '#shared/retention/backup_record.ts'
import type { Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import { runWithin } from '#shared/time/deadline.ts'
import type { MonitoringFetch } from './bounded_fetch.ts'
import type { CheckResult } from './check.ts'
import { most } from './etcd_checks.ts'
import { readEtcdHealth, type EtcdHealth, type EtcdMember } from './etcd_health.ts'
import { createGrowth, type Growth } from './growth.ts'
import { historySeconds } from './history_age.ts'
import { checkPods, type PodsOptions } from './pods_check.ts'

/** An etcd to watch. */
export interface EtcdOptions {
  readonly urls: readonly string[]
  /** Members that the cluster should have. */
  readonly expectedMembers: number
}

/** What the watcher polls, and how often. */
export interface WatcherOptions {
  /** Seconds between two polls. */
  readonly pollSeconds: number
  readonly etcd?: EtcdOptions
  readonly pods?: PodsOptions
}

export interface WatcherParts {
  readonly options: WatcherOptions
  readonly fetch: MonitoringFetch
  /** Asks the members of the store, where they want certificates. Default: `fetch`. */
  readonly fetchOfStore?: MonitoringFetch
  readonly clock: Clock
  readonly metrics: Metrics
  /** The store whose history is read. `shared/observe/metrics/observe_store.ts` measures its health. */
  readonly store: Store
  readonly events: readonly string[]
}

/** A running watcher, with its latest results. */
export interface Watcher {
  readonly etcd: EtcdHealth | undefined
  readonly pods: readonly CheckResult[]
  readonly growth: Growth
  /** Resolves when the first poll has ended. */
  seen(): Promise<void>
  close(): Promise<void>
}

/** Most event types whose history is read, because each costs two reads. */
const MAX_EVENTS = 50
/** Longest time for all reads of the history, because a store that does not answer must not delay the next poll. */
const HISTORY_LIMIT_MS = 10_000
/** The same for the one read of the last backup. */
const BACKUP_LIMIT_MS = 5_000

/** Starts a watcher. Its first poll begins at once. */
export function startWatcher(parts: WatcherParts): Watcher {
  const { clock, options } = parts
  const growth = createGrowth()
  const stop = new AbortController()
  let etcd: EtcdHealth | undefined
  let pods: readonly CheckResult[] = []
  let history: readonly Reading[] = []
  let backup: BackupRecord | undefined
  let looking: Promise<void> | undefined

  async function look(): Promise<void> {
    await Promise.all([
      lookAtEtcd(parts, stop.signal).then((health) => {
        etcd = health
        const used = health === undefined ? undefined : most(health.members, 'sizeInUseBytes')
        if (health !== undefined && used !== undefined) growth.add(clock.monotonic(), used)
      }),
      lookAtPods(parts).then((results) => (pods = results)),
      lookAtHistory(parts, stop.signal).then((readings) => (history = readings)),
      lookAtBackup(parts, stop.signal).then((record) => (backup = record ?? backup)),
    ])
  }
  const lookOnce = (): Promise<void> => {
    looking ??= look().finally(() => (looking = undefined))
    return looking
  }
  registerReadings(parts.metrics, {
    etcd: () => etcd,
    growth,
    history: () => history,
    backup: () => backup,
  })
  const first = lookOnce()
  const stopTimer = clock.every(options.pollSeconds * 1_000, () => void lookOnce())
  return {
    get etcd() {
      return etcd
    },
    get pods() {
      return pods
    },
    growth,
    seen: () => first,
    async close() {
      stopTimer()
      stop.abort()
      await looking
    },
  }
}

async function lookAtEtcd(
  { options, fetch, fetchOfStore = fetch, clock }: WatcherParts,
  signal: AbortSignal,
): Promise<EtcdHealth | undefined> {
  if (options.etcd === undefined) return undefined
  return readEtcdHealth({ urls: options.etcd.urls, fetch: fetchOfStore, clock, signal })
}

async function lookAtPods({
  options: { pods },
  fetch,
  clock,
}: WatcherParts): Promise<readonly CheckResult[]> {
  if (pods === undefined) return []
  return Promise.all((['rest', 'auth'] as const).map((service) => checkPods(service, pods, { fetch, clock })))
}

async function lookAtHistory(
  { store, events, clock }: WatcherParts,
  signal: AbortSignal,
): Promise<readonly Reading[]> {
  const readings: Reading[] = []
  const look = async (giveUp: AbortSignal): Promise<void> => {
    for (const event of events.slice(0, MAX_EVENTS)) {
      const value = await historySeconds(store, event, { now: clock.now(), signal: giveUp })
      if (value !== undefined) readings.push({ value, values: [event] })
    }
  }
  // Nothing is logged here, because the store's own metrics show that it does not answer.
  const late = (): void => undefined
  await runWithin(look, { clock, ms: HISTORY_LIMIT_MS, signal, late }).catch(late)
  return readings
}

/** The last backup; `undefined` where there is none, or the store does not answer. */
async function lookAtBackup(
  { store, clock }: WatcherParts,
  signal: AbortSignal,
): Promise<BackupRecord | undefined> {
  const look = (giveUp: AbortSignal): Promise<BackupRecord | undefined> =>
    readBackupRecord(store, { signal: giveUp })
  const late = (): undefined => undefined
  return runWithin(look, { clock, ms: BACKUP_LIMIT_MS, signal, late }).catch(late)
}

interface Sources {
  readonly etcd: () => EtcdHealth | undefined
  readonly growth: Growth
  readonly history: () => readonly Reading[]
  readonly backup: () => BackupRecord | undefined
}

function registerReadings(metrics: Metrics, { etcd, growth, history, backup }: Sources): void {
  const perMember = (value: (member: EtcdMember) => number | boolean | undefined) => () =>
    (etcd()?.members ?? []).flatMap((member) => {
      const reading = value(member)
      return reading === undefined ? [] : [{ value: Number(reading), values: [member.url] }]
    })
  const gauge = (
    name: string,
    help: string,
    value: (member: EtcdMember) => number | boolean | undefined,
  ): void => metrics.read({ kind: 'gauge', name, help, labels: ['member'], read: perMember(value) })
  const bytes = (name: string, help: string, figure: 'sizeBytes' | 'sizeInUseBytes' | 'quotaBytes'): void =>
    metrics.read({
      kind: 'gauge',
      name,
      help,
      unit: 'bytes',
      labels: ['member'],
      read: perMember((member) => member[figure]),
    })
  gauge('aviso_etcd_member_healthy', 'Whether the member says it is healthy', ({ isHealthy }) => isHealthy)
  gauge('aviso_etcd_member_has_leader', 'Whether the member knows a leader', ({ hasLeader }) => hasLeader)
  gauge('aviso_etcd_member_is_leader', 'Whether the member is the leader', ({ isLeader }) => isLeader)
  gauge(
    'aviso_etcd_leader_changes',
    'Leader changes the member has seen',
    ({ leaderChanges }) => leaderChanges,
  )
  gauge('aviso_etcd_keys', 'Keys the member holds', ({ keys }) => keys)
  bytes('aviso_etcd_size_bytes', "Size of the member's database file", 'sizeBytes')
  bytes('aviso_etcd_size_in_use_bytes', 'Part of the database file that is used', 'sizeInUseBytes')
  bytes('aviso_etcd_quota_bytes', 'Size at which the member refuses writes', 'quotaBytes')
  const optional = (value: number | undefined): readonly Reading[] => (value === undefined ? [] : [{ value }])
  metrics.read({
    kind: 'gauge',
    name: 'aviso_etcd_members',
    help: 'Members of the cluster',
    read: () => optional(etcd()?.memberCount),
  })
  metrics.read({
    kind: 'gauge',
    name: 'aviso_etcd_alarm',
    help: 'Alarms that are raised',
    labels: ['alarm'],
    read: () => (etcd()?.alarms ?? []).map((alarm) => ({ value: 1, values: [alarm] })),
  })
  metrics.read({
    kind: 'gauge',
    name: 'aviso_etcd_growth_bytes',
    unit: 'bytes',
    help: 'Growth of the used part per second, over the last day',
    read: () => optional(growth.bytesPerSecond()),
  })
  metrics.read({
    kind: 'gauge',
    name: 'aviso_etcd_headroom_seconds',
    unit: 'seconds',
    help: 'Time until the quota is used up at the pace of the last day',
    read: () => {
      const quota = most(etcd()?.members ?? [], 'quotaBytes')
      return optional(quota === undefined ? undefined : growth.headroomSeconds(quota))
    },
  })
  metrics.read({
    kind: 'gauge',
    name: 'aviso_store_history_seconds',
    unit: 'seconds',
    help: 'How far back listeners can replay; absent when nothing was ever compacted',
    labels: ['event_type'],
    read: history,
  })
  registerBackup(metrics, backup)
}

function registerBackup(metrics: Metrics, backup: () => BackupRecord | undefined): void {
  const reading = (value: (record: BackupRecord) => number) => (): readonly Reading[] => {
    const record = backup()
    return record === undefined ? [] : [{ value: value(record) }]
  }
  metrics.read({
    kind: 'gauge',
    name: 'aviso_backup_timestamp_seconds',
    unit: 'seconds',
    help: 'When the last backup was begun, in seconds since 1970; absent when none was ever made by `aviso admin backup`',
    read: reading(({ at }) => Date.parse(at) / 1_000),
  })
  metrics.read({
    kind: 'gauge',
    name: 'aviso_backup_size_bytes',
    unit: 'bytes',
    help: 'Size of the last backup',
    read: reading(({ sizeBytes }) => sizeBytes),
  })
}
