/**
 * Reads the health of an etcd cluster: metrics and health of each member, and the cluster's lists of members and alarms.
 *
 * @see etcd's /metrics and /health; /v3/cluster/member/list and /v3/maintenance/alarm of its JSON gateway
 * @module
 */

import { fetchBounded, type FetchBounds, type FetchParts } from './bounded_fetch.ts'
import { readSamples } from './metric_text.ts'

/** One member. A figure is absent when the member did not report it. */
export interface EtcdMember {
  readonly url: string
  readonly isHealthy: boolean
  /** Whether its metrics could be read. */
  readonly isMeasured: boolean
  readonly hasLeader?: boolean
  readonly isLeader?: boolean
  readonly leaderChanges?: number
  /** Bytes of the database file. */
  readonly sizeBytes?: number
  /** Bytes of that file in use. Defragmentation frees the rest. */
  readonly sizeInUseBytes?: number
  readonly quotaBytes?: number
  readonly keys?: number
}

/** The health of a cluster. */
export interface EtcdHealth {
  /** When the answers were complete; milliseconds since 1970. */
  readonly at: number
  readonly members: readonly EtcdMember[]
  /** Number of members in the cluster's own list; absent when no member answered. */
  readonly memberCount?: number
  /** Alarms such as `NOSPACE`; absent when no member answered. */
  readonly alarms?: readonly string[]
}

export interface EtcdHealthParts extends FetchParts {
  readonly urls: readonly string[]
  readonly signal?: AbortSignal
}

const MEMBER_LIMIT_MS = 5_000
/** etcd's page has about 200 KiB. */
const METRICS_LIMIT_BYTES = 4 * 1024 * 1024
const ANSWER_LIMIT_BYTES = 256 * 1024
/** Field → name of its metric. */
const SAMPLES = {
  sizeBytes: 'etcd_mvcc_db_total_size_in_bytes',
  sizeInUseBytes: 'etcd_mvcc_db_total_size_in_use_in_bytes',
  quotaBytes: 'etcd_server_quota_backend_bytes',
  keys: 'etcd_debugging_mvcc_keys_total',
  leaderChanges: 'etcd_server_leader_changes_seen_total',
  hasLeader: 'etcd_server_has_leader',
  isLeader: 'etcd_server_is_leader',
} as const
const WANTED: ReadonlySet<string> = new Set(Object.values(SAMPLES))

/** Asks all members at once. Never throws: a figure that cannot be read is absent. */
export async function readEtcdHealth(parts: EtcdHealthParts): Promise<EtcdHealth> {
  const [members, memberCount, alarms] = await Promise.all([
    Promise.all(parts.urls.map((url) => readMember(parts, url))),
    firstAnswer(parts, '/v3/cluster/member/list', '{}', countMembers),
    firstAnswer(parts, '/v3/maintenance/alarm', '{"action":"GET"}', listAlarms),
  ])
  return {
    at: parts.clock.now(),
    members,
    ...(memberCount !== undefined && { memberCount }),
    ...(alarms !== undefined && { alarms }),
  }
}

function boundsOf({ signal }: EtcdHealthParts, limitBytes: number): FetchBounds {
  return { timeoutMs: MEMBER_LIMIT_MS, limitBytes, ...(signal !== undefined && { signal }) }
}

async function readMember(parts: EtcdHealthParts, url: string): Promise<EtcdMember> {
  const [isHealthy, page] = await Promise.all([readHealth(parts, url), readPage(parts, url)])
  if (page === undefined) return { url, isHealthy, isMeasured: false }
  const values = new Map(readSamples(page, WANTED).map(({ name, value }) => [name, value]))
  const number = (field: keyof typeof SAMPLES): number | undefined => {
    const value = values.get(SAMPLES[field])
    return value !== undefined && Number.isFinite(value) ? value : undefined
  }
  const numbers = (['sizeBytes', 'sizeInUseBytes', 'quotaBytes', 'keys', 'leaderChanges'] as const).map(
    (field) => [field, number(field)] as const,
  )
  const hasLeader = number('hasLeader')
  const isLeader = number('isLeader')
  return {
    url,
    isHealthy,
    isMeasured: true,
    ...Object.fromEntries(numbers.filter(([, value]) => value !== undefined)),
    ...(hasLeader !== undefined && { hasLeader: hasLeader === 1 }),
    ...(isLeader !== undefined && { isLeader: isLeader === 1 }),
  }
}

/** Only `true`, as a text or a boolean, is healthy: `{"health":"true"}`. (1.x also takes the text `false` as healthy.) */
async function readHealth(parts: EtcdHealthParts, url: string): Promise<boolean> {
  try {
    const { status, text } = await fetchBounded(
      parts,
      `${url}/health`,
      {},
      boundsOf(parts, ANSWER_LIMIT_BYTES),
    )
    const health = status === 200 ? field(JSON.parse(text), 'health') : undefined
    return health === 'true' || health === true
  } catch {
    return false
  }
}

async function readPage(parts: EtcdHealthParts, url: string): Promise<string | undefined> {
  try {
    const answer = await fetchBounded(parts, `${url}/metrics`, {}, boundsOf(parts, METRICS_LIMIT_BYTES))
    return answer.status === 200 ? answer.text : undefined
  } catch {
    return undefined
  }
}

/** Asks one member after the other until one answers. */
async function firstAnswer<Answer>(
  parts: EtcdHealthParts,
  path: string,
  body: string,
  read: (answer: unknown) => Answer | undefined,
): Promise<Answer | undefined> {
  for (const url of parts.urls) {
    try {
      const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
      const { status, text } = await fetchBounded(
        parts,
        url + path,
        init,
        boundsOf(parts, ANSWER_LIMIT_BYTES),
      )
      const answer = status === 200 ? read(JSON.parse(text)) : undefined
      if (answer !== undefined) return answer
    } catch {
      // The next member may answer.
    }
    if (parts.signal?.aborted === true) return undefined
  }
  return undefined
}

function countMembers(answer: unknown): number | undefined {
  const members = field(answer, 'members')
  return Array.isArray(members) ? members.length : undefined
}

/** The names of the alarms. Without alarms etcd 3.4 answers `{}`, and later versions answer only a header. */
function listAlarms(answer: unknown): readonly string[] | undefined {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) return undefined
  if (Object.keys(answer).some((name) => name !== 'header' && name !== 'alarms')) return undefined
  const alarms = field(answer, 'alarms') ?? []
  if (!Array.isArray(alarms)) return undefined
  const names = alarms
    .map((alarm: unknown) => field(alarm, 'alarm'))
    .filter((name) => typeof name === 'string')
  return [...new Set(names)]
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
  return (value as Readonly<Record<string, unknown>>)[name]
}
