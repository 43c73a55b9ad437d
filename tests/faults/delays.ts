/**
 * How long notifications took from their acknowledgement to a listener.
 *
 * @module
 */

import type { Chain, Operation } from './records.ts'

/**
 * Delays of one listener, in milliseconds: from a notification's acknowledgement to its first delivery, for those acknowledged while the listener was there.
 * 0 where the delivery came first. What was lost on the way between two connections counts to its delivery on the next one.
 */
export function delaysOf({ sessions }: Chain, operations: readonly Operation[]): readonly Delay[] {
  const openedAt = sessions[0]?.openedAt ?? Infinity
  const deliveredAt = new Map<string, number>()
  const deliver = (value: string, at: number): void => {
    if (!deliveredAt.has(value)) deliveredAt.set(value, at)
  }
  for (const step of sessions.flatMap(({ steps }) => steps)) {
    if (step.kind === 'notification') deliver(step.value, step.at)
    if (step.kind === 'revision') for (const { value } of step.writes) deliver(value, step.at)
  }
  return operations.flatMap(({ id, tries }) => {
    const at = tries.find(({ outcome }) => outcome === 'stored')?.at
    const delivered = deliveredAt.get(id)
    if (at === undefined || delivered === undefined || at < openedAt) return []
    return [{ acknowledgedAt: at, ms: Math.max(0, delivered - at) }]
  })
}

/** One delay. */
export interface Delay {
  readonly acknowledgedAt: number
  readonly ms: number
}

/** The longest of delays, 0 where there are none. */
export function longest(delays: readonly Delay[]): number {
  return delays.reduce((most, { ms }) => Math.max(most, ms), 0)
}
