/**
 * What the audit log says about publishing: one record for each request, event type and result, whatever the number of notifications.
 *
 * One record for each notification would let one batch or stream push thousands of other records out of the log's bounded memory. The ids of
 * a request are runs of numbers, nearly always one, so the record still says which notifications they were. `/api/v1/notifications/ID/trace`
 * and the store have the key of each.
 *
 * @module
 */

import type { PublishOutcome } from './access.ts'
import type { Audit } from './audit/audit.ts'
import { subjectOf, type Requester } from './policy/requester.ts'

/** Notifications of one request with the same event type and result. */
interface Group {
  readonly first: PublishOutcome
  readonly keys: string[]
  readonly sequences: bigint[]
  count: number
}

/** Records what became of the notifications of one request. */
export function recordPublications(
  audit: Audit,
  { identity, from }: Pick<Requester, 'identity' | 'from'>,
  outcomes: readonly PublishOutcome[],
): void {
  const recorded = audit.hasPublished ? outcomes : outcomes.filter(({ kind }) => kind === 'refused')
  if (recorded.length === 0) return
  for (const { first, keys, sequences, count } of groupsOf(recorded)) {
    const { event } = first
    audit.record({
      who: subjectOf(identity),
      ...from,
      ...(event !== undefined && { event }),
      ...(keys.length > 0 && { keys }),
      ...(first.kind === 'published'
        ? { action: 'published', ids: runsOf(first.event, sequences) }
        : { action: 'refused', reason: first.code }),
      count,
    })
  }
}

function groupsOf(outcomes: readonly PublishOutcome[]): Iterable<Group> {
  const groups = new Map<string, Group>()
  for (const outcome of outcomes) {
    const { kind, event, key } = outcome
    const name = JSON.stringify([event, kind === 'refused' ? outcome.code : undefined])
    const group = groups.get(name) ?? { first: outcome, keys: [], sequences: [], count: 0 }
    groups.set(name, group)
    group.count++
    if (key !== undefined) group.keys.push(key)
    if (kind === 'published') group.sequences.push(outcome.sequence)
  }
  return groups.values()
}

/** Ids as runs: `flight@7`, `flight@9-12`. */
function runsOf(event: string, sequences: readonly bigint[]): readonly string[] {
  const runs: { readonly first: bigint; last: bigint }[] = []
  for (const sequence of sequences.toSorted((a, b) => (a < b ? -1 : 1))) {
    const run = runs.at(-1)
    if (run !== undefined && sequence <= run.last + 1n) run.last = sequence
    else runs.push({ first: sequence, last: sequence })
  }
  return runs.map(({ first, last }) => `${event}@${first}${last === first ? '' : `-${last}`}`)
}
