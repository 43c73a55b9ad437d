/**
 * Builds the JSON status: every check, and the figures behind it.
 *
 * @module
 */

import type { CheckResult, CheckStatus } from './checks/check.ts'
import { most } from './checks/etcd_checks.ts'
import type { EtcdHealth } from './checks/etcd_health.ts'
import type { Growth } from './checks/growth.ts'

export interface StatusParts {
  /** Milliseconds since 1970. */
  readonly now: number
  readonly windowMinutes: number
  readonly checks: readonly CheckResult[]
  readonly users: number
  /** Absent when no etcd is watched. */
  readonly etcd?: EtcdHealth
  readonly growth: Growth
}

const WORDS = ['ok', 'warning', 'critical'] as const satisfies readonly string[]

/** The body of `GET /api/v1/monitoring/status`. */
export function statusBody(parts: StatusParts): Readonly<Record<string, unknown>> {
  const { checks, etcd } = parts
  const worst = checks.reduce<CheckStatus>((most, { status }) => (status > most ? status : most), 0)
  return {
    status: WORDS[worst],
    time: new Date(parts.now).toISOString(),
    window_minutes: parts.windowMinutes,
    users: parts.users,
    checks: checks.map(({ name, status, message, metrics }) => ({
      name,
      status: WORDS[status],
      message,
      metrics: Object.fromEntries(metrics.map(({ name: metric, value }) => [metric, value])),
    })),
    ...(etcd !== undefined && { etcd: etcdBody(etcd, parts.growth) }),
  }
}

function etcdBody(
  { at, members, memberCount, alarms }: EtcdHealth,
  growth: Growth,
): Readonly<Record<string, unknown>> {
  const quota = most(members, 'quotaBytes')
  const headroom = quota === undefined ? undefined : growth.headroomSeconds(quota)
  return {
    time: new Date(at).toISOString(),
    member_count: memberCount ?? null,
    alarms: alarms ?? null,
    growth_bytes_per_second: growth.bytesPerSecond() ?? null,
    // JSON has no infinity, so the value is null for a store that does not grow.
    headroom_seconds: headroom !== undefined && Number.isFinite(headroom) ? Math.round(headroom) : null,
    members: members.map((member) => ({
      url: member.url,
      healthy: member.isHealthy,
      has_leader: member.hasLeader ?? null,
      is_leader: member.isLeader ?? null,
      leader_changes: member.leaderChanges ?? null,
      size_bytes: member.sizeBytes ?? null,
      size_in_use_bytes: member.sizeInUseBytes ?? null,
      quota_bytes: member.quotaBytes ?? null,
      keys: member.keys ?? null,
    })),
  }
}
