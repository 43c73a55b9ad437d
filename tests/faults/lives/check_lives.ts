/**
 * Checks a store that lost something and lives on: each of its lives as the ordinary checker does, and what must hold between them.
 *
 * @module
 */

import { checkRun, type Report, type Violation } from '../checker.ts'
import { createStoreView } from '../store_view.ts'
import { isNamedLost, mayBeLost } from './damaged_page.ts'
import type { LifeListener, LifeRecord, Salvaged } from './life_records.ts'

/** Everything that is wrong with a round. Its findings name the kind of fault. */
export function checkLives(record: LifeRecord): readonly Violation[] {
  const violations: Violation[] = []
  const report: Report = (kind, where, what) =>
    violations.push({ kind, where: `${record.kind}, ${where}`, what })
  const runs = record.isLost ? [record.before, record.after] : [record.after]
  for (const run of runs) for (const { kind, where, what } of checkRun(run)) report(kind, where, what)
  for (const complaint of record.struck.complaints) report('unrefused', 'start', complaint)
  for (const id of record.unanswered)
    report('stuck', 'acknowledged', `${id} was sent again, and never stored`)
  checkKept(record, report)
  if (record.struck.salvaged !== undefined) checkSalvaged(record, record.struck.salvaged, report)
  checkNumbers(record, report)
  if (!record.isLost) return violations
  for (const listener of record.listeners) checkTold(listener, record, report)
  for (const { listener, query, status } of record.probes) {
    if (status !== 410) report('accepted', listener, `${query} is answered with ${status}`)
  }
  return violations
}

/** What was acknowledged before the copy was made is in the copy. */
function checkKept({ struck, saved, before, after }: LifeRecord, report: Report): void {
  const all = before.operations.filter(({ tries }) => tries.some(({ outcome }) => outcome === 'stored'))
  const must =
    struck.keeps === 'everything'
      ? all
      : struck.keeps === 'saved'
        ? all.filter(({ id }) => saved.has(id))
        : []
  const view = createStoreView(after)
  for (const { id, tries } of must) {
    const isThere = view
      .withValue(id)
      .some((stored) =>
        tries.some((answer) => answer.outcome === 'stored' && answer.revision === stored.revision),
      )
    if (!isThere) report('lost', 'store', `${id} was there, and is not where it was`)
  }
}

/** What was acknowledged is there, but for what a salvage names; and what it names is gone. */
function checkSalvaged({ before, across }: LifeRecord, salvaged: Salvaged, report: Report): void {
  const { loss, wholeFrom, kept } = salvaged
  const written = new Map<string, bigint>()
  const there = new Set<string>()
  for (const { revision, writes } of kept)
    for (const { key, value } of writes) {
      written.set(key, revision)
      there.add(`${revision} ${key} ${value}`)
    }
  for (const { id, tries } of [...before.operations, ...across])
    for (const answer of tries) {
      if (answer.outcome !== 'stored' || answer.revision >= loss.revision) continue
      const { key, revision } = answer
      const isThere = there.has(`${revision} ${key} ${id}`)
      // Only of the part that is no longer history may older values of a key be gone.
      const isReplaced = revision < wholeFrom && (written.get(key) ?? 0n) > revision
      if (!isThere && !isReplaced && !mayBeLost(loss, answer))
        report('lost', 'salvage', `${id} was acknowledged at ${revision}, is gone, and is not named as lost`)
      if (isThere && isNamedLost(loss, answer))
        report('misnamed', 'salvage', `${id} at ${revision} is named as lost, and is there`)
    }
}

/** No number is given out for two notifications, whatever was lost in between. */
function checkNumbers({ claims }: LifeRecord, report: Report): void {
  const owners = new Map<string, string>()
  for (const { number, id } of claims) {
    const owner = owners.get(number) ?? id
    owners.set(number, owner)
    if (owner !== id) report('reused', 'store', `${number} is ${owner}, and then ${id}`)
  }
}

/** A listener is told before it gets anything of the next life. */
function checkTold({ before, isTold }: LifeListener, record: LifeRecord, report: Report): void {
  if (!isTold) report('untold', before.name, 'it was never told that something was lost')
  const known = new Set(createStoreView(record.before).notifications.map(numberOf))
  // What was written while the strike lasted, but before its loss, is of the life before.
  const begin = record.struck.salvaged?.loss.revision ?? 0n
  const next = new Set(
    createStoreView(record.after)
      .notifications.filter(({ revision }) => revision >= begin)
      .map(numberOf)
      .filter((number) => !known.has(number)),
  )
  for (const step of before.sessions.flatMap(({ steps }) => steps)) {
    if (step.kind !== 'notification') continue
    const { selection } = before
    const event = selection.kind === 'notifications' ? selection.event : ''
    if (record.fresh.has(step.value) || next.has(`${event}@${step.sequence}`))
      report('untold', before.name, `${step.value} came on a stream of the life before`)
  }
}

function numberOf({ event, sequence }: { readonly event: string; readonly sequence: bigint }): string {
  return `${event}@${sequence}`
}
