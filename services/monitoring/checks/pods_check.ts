/**
 * Checks how many pods of a service Kubernetes runs, according to kube-state-metrics.
 *
 * @see reference/aviso-v1.md §4.4 `rest_pod_available`, `auth_pod_available`
 * @module
 */

import type { Secret } from '#shared/secret.ts'
import { fetchBounded, type FetchParts } from './bounded_fetch.ts'
import { statusUpTo, type CheckResult, type Thresholds } from './check.ts'
import { readSamples } from './metric_text.ts'

/** Address of kube-state-metrics, and the pods to look for. */
export interface PodsOptions {
  /** Address of kube-state-metrics, without `/metrics`. */
  readonly url: string
  readonly namespace: string
  /** Bearer token for kube-state-metrics; absent: none is sent. */
  readonly token?: Secret
  readonly thresholds: Thresholds
}

const SAMPLE = 'kube_deployment_status_replicas'
const LIMIT_MS = 10_000
/** Enough for the page of a large cluster. */
const LIMIT_BYTES = 32 * 1024 * 1024

/** The verdict on the pods of one service. Never throws. */
export async function checkPods(
  service: 'rest' | 'auth',
  { url, namespace, token, thresholds }: PodsOptions,
  parts: FetchParts,
): Promise<CheckResult> {
  const name = `${service}_pod_available`
  const count = await readReplicas(parts, { url, token, namespace, deployment: `aviso-${service}` })
  if (count === undefined) return { name, status: 1, message: 'Metric could not be retrieved', metrics: [] }
  const status = statusUpTo(count, thresholds)
  const messages = [
    'All pods available',
    `Available pods: ${count} below warning threshold of ${thresholds.warning}`,
    `Available pods: ${count} below critical threshold of ${thresholds.critical}`,
  ] as const
  return { name, status, message: messages[status], metrics: [{ name, value: count, unit: 'pods' }] }
}

interface ReplicasRequest {
  readonly url: string
  readonly token: Secret | undefined
  readonly namespace: string
  readonly deployment: string
}

async function readReplicas(
  parts: FetchParts,
  { url, token, namespace, deployment }: ReplicasRequest,
): Promise<number | undefined> {
  try {
    const headers: Record<string, string> =
      token === undefined ? {} : { authorization: `Bearer ${token.reveal()}` }
    const bounds = { timeoutMs: LIMIT_MS, limitBytes: LIMIT_BYTES }
    const { status, text } = await fetchBounded(parts, `${url}/metrics`, { headers }, bounds)
    if (status !== 200) return undefined
    const sample = readSamples(text, new Set([SAMPLE])).find(
      ({ labels }) =>
        labels.includes(`namespace="${namespace}"`) && labels.includes(`deployment="${deployment}"`),
    )
    return sample !== undefined && Number.isFinite(sample.value) ? sample.value : undefined
  } catch {
    return undefined
  }
}
