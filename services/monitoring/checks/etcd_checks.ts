/**
 * Checks the etcd cluster. Store size, cluster status and total keys have the names and texts of 1.x; file size, alarms and headroom are
 * ours.
 *
 * @see reference/aviso-v1.md §4.4
 * @module
 */

import { pythonFloat } from '#shared/notification/python_number.ts'
import { statusAbove, statusUpTo, type CheckMetric, type CheckResult, type Thresholds } from './check.ts'
import type { EtcdHealth, EtcdMember } from './etcd_health.ts'
import type { Growth } from './growth.ts'

const GIB = 2 ** 30
/** Share of the quota in percent: etcd refuses writes at 100. */
export const STORE_USE_PERCENT: Thresholds = { warning: 70, critical: 85 }
const DAY_SECONDS = 86_400
/** Size of the file as a share of the quota, in percent. etcd counts the whole file, including unused space inside it. */
const FILE_USE_PERCENT: Thresholds = { warning: 80, critical: 95 }
/** Time until the quota is used up. The critical bound gives an operator a weekend to act. */
const HEADROOM_SECONDS: Thresholds = { warning: 7 * DAY_SECONDS, critical: 2 * DAY_SECONDS }

/** `etcd_store_size`: the fullest member decides. */
export function checkStoreSize({ members }: EtcdHealth): CheckResult {
  const used = most(members, 'sizeInUseBytes')
  const quota = most(members, 'quotaBytes')
  const metrics = [
    sizeMetric('store_logic', used),
    sizeMetric('store_physical', most(members, 'sizeBytes')),
    sizeMetric('store_quota', quota),
  ]
  const base = { name: 'etcd_store_size', metrics }
  if (used === undefined) return { ...base, status: 2, message: 'Could not retrieve the store size' }
  if (quota === undefined || quota <= 0) return { ...base, status: 0, message: 'Store size is nominal' }
  const status = statusAbove((used * 100) / quota, STORE_USE_PERCENT)
  const percent = status === 2 ? STORE_USE_PERCENT.critical : STORE_USE_PERCENT.warning
  const message =
    status === 0
      ? 'Store size is nominal'
      : `Store size ${gibText(used)} GiB exceeded ${percent}% of the quota available: ${gibText(quota)} GiB.`
  return { ...base, status, message }
}

/** `etcd_cluster_status`: the cluster has the expected number of members, all are healthy, and they know a leader. */
export function checkClusterStatus(
  { members, memberCount }: EtcdHealth,
  expectedMembers: number,
): CheckResult {
  const verdict = (status: 0 | 1 | 2, message: string): CheckResult => ({
    name: 'etcd_cluster_status',
    status,
    message,
    metrics: [],
  })
  if (memberCount === undefined) return verdict(2, 'Not able to get cluster info')
  if (memberCount !== expectedMembers) return verdict(2, `Cluster size is ${memberCount}`)
  const ill = members.find(({ isHealthy }) => !isHealthy)
  if (ill !== undefined) return verdict(2, `Cluster member ${ill.url} not healthy`)
  const silent = members.find(({ isMeasured }) => !isMeasured)
  if (silent !== undefined) return verdict(1, `Could not retrieve metrics from ${silent.url}`)
  if (members.some(({ hasLeader }) => hasLeader !== true)) return verdict(1, 'Cluster has no leader')
  return verdict(0, 'Cluster status is nominal')
}

/** `etcd_total_keys`. */
export function checkTotalKeys({ members }: EtcdHealth): CheckResult {
  const keys = most(members, 'keys')
  const name = 'etcd_total_keys'
  if (keys === undefined)
    return { name, status: 2, message: 'Cannot retrieve total number of keys', metrics: [] }
  const metrics = [{ name, value: keys, text: String(keys), unit: '' }]
  return { name, status: 0, message: 'Total number of keys retrieved', metrics }
}

/** `etcd_alarms`: any alarm is critical, because `NOSPACE` stops writes and `CORRUPT` is worse. */
export function checkAlarms({ alarms }: EtcdHealth): CheckResult {
  const name = 'etcd_alarms'
  if (alarms === undefined) return { name, status: 1, message: 'Could not retrieve the alarms', metrics: [] }
  if (alarms.length === 0) return { name, status: 0, message: 'No alarm', metrics: [] }
  // Names of alarms are cleaned, because they come through a network that is not trusted.
  const list = alarms.map((alarm) => alarm.replace(/[^A-Z]/g, '')).join(', ')
  return { name, status: 2, message: `Alarms are raised: ${list}`, metrics: [] }
}

/**
 * `etcd_file_size`: the largest file decides. etcd raises its alarm by the size of the file. So a store can be full while part of it is
 * free (seen on 3.4.23: the alarm with less than 85 % in use). Only a defragmentation frees that space.
 */
export function checkFileSize({ members }: EtcdHealth): CheckResult {
  const name = 'etcd_file_size'
  const size = most(members, 'sizeBytes')
  const quota = most(members, 'quotaBytes')
  if (size === undefined || quota === undefined || quota <= 0)
    return { name, status: 0, message: 'The size is not known', metrics: [] }
  const percent = Math.round((size * 100) / quota)
  const status = statusAbove(percent, FILE_USE_PERCENT)
  const advice = status === 0 ? '' : ': compact, then defragment one member after the other'
  const metrics = [{ name: 'store_file', value: percent, unit: '%' }]
  return { name, status, message: `The largest file takes ${percent}% of the quota${advice}`, metrics }
}

/** `etcd_headroom`: the time until the quota is used up, at the pace of the last day. */
export function checkHeadroom({ members }: EtcdHealth, growth: Growth): CheckResult {
  const name = 'etcd_headroom'
  const quota = most(members, 'quotaBytes')
  const seconds = quota === undefined ? undefined : growth.headroomSeconds(quota)
  if (seconds === undefined) return { name, status: 0, message: 'The growth is not known yet', metrics: [] }
  if (!Number.isFinite(seconds)) return { name, status: 0, message: 'The store does not grow', metrics: [] }
  const days = Math.round((seconds / DAY_SECONDS) * 10) / 10
  return {
    name,
    status: statusUpTo(seconds, HEADROOM_SECONDS),
    message: `At the pace of the last day the quota is used up in ${days} days`,
    metrics: [{ name: 'store_headroom', value: Math.round(seconds), unit: 's' }],
  }
}

type MemberFigure = 'sizeBytes' | 'sizeInUseBytes' | 'quotaBytes' | 'keys'

/** The largest value among the members that report the figure. */
export function most(members: readonly EtcdMember[], figure: MemberFigure): number | undefined {
  const values = members.flatMap((member) => member[figure] ?? [])
  return values.length === 0 ? undefined : Math.max(...values)
}

/** A size in GiB; -1 when it is not known, as in 1.x. */
function sizeMetric(name: string, bytes: number | undefined): CheckMetric {
  if (bytes === undefined) return { name, value: -1, unit: 'GiB' }
  return { name, value: gib(bytes), text: gibText(bytes), unit: 'GiB' }
}

function gib(bytes: number): number {
  return Math.round((bytes / GIB) * 100) / 100
}

function gibText(bytes: number): string {
  return pythonFloat(gib(bytes))
}
