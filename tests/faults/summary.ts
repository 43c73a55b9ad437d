/**
 * What a fault run says at its end.
 *
 * @module
 */

import type { ChaosReport } from './chaos.ts'
import { countByKind, type Violation } from './checker.ts'
import type { MemberLossReport } from './member_loss.ts'

/** Findings that are shown; the others are counted. */
const SHOWN = 40

/** A chaos run as lines of text. */
export function summarise({
  seed,
  version,
  run,
  faults,
  violations,
  logged,
}: ChaosReport): readonly string[] {
  const outcomes = run.operations.map(({ tries }) =>
    tries.some(({ outcome }) => outcome === 'stored')
      ? 'acknowledged'
      : tries.every(({ outcome }) => outcome === 'none')
        ? 'refused'
        : 'unknown',
  )
  const tries = run.operations.flatMap((operation) => operation.tries)
  const steps = run.chains.flatMap(({ sessions }) => sessions.flatMap((session) => session.steps))
  const sessions = run.chains.flatMap((chain) => chain.sessions)
  const count = <Item>(items: readonly Item[], is: (item: Item) => boolean): number => items.filter(is).length
  return [
    `seed ${seed}, etcd ${version}, three members`,
    `published      ${run.operations.length}: acknowledged ${count(outcomes, (outcome) => outcome === 'acknowledged')}, ` +
      `unknown ${count(outcomes, (outcome) => outcome === 'unknown')}, refused ${count(outcomes, (outcome) => outcome === 'refused')}`,
    `requests       ${count(tries, ({ outcome }) => outcome === 'unknown')} notifications had an unknown outcome once or more often, ` +
      `${count(run.operations, ({ tries: own }) => count(own, ({ outcome }) => outcome === 'stored') > 1)} were acknowledged again`,
    `store          ${run.revisions.length} revisions, compacted ${run.compactions.length} times`,
    `deliveries     ${count(steps, ({ kind }) => kind === 'notification')} notifications and ` +
      `${count(steps, ({ kind }) => kind === 'revision')} revisions to ${run.chains.length} listeners, ` +
      `${count(steps, ({ kind }) => kind === 'gap')} gaps announced, ${run.silences} silent streams left`,
    `streams        ${sessions.length}: ${tally(sessions.map(({ reason }) => reason ?? 'cut, or left by the listener'))}`,
    `faults         ${faults.length}: ${tally(faults.map(({ kind }) => kind))}`,
    ...logLines(logged),
    `violations     ${violations.length}`,
    ...showViolations(violations),
  ]
}

/** What a lost member costs, as a table. */
export function summariseLosses({ losses, calm, violations }: MemberLossReport): readonly string[] {
  const row = (name: string, { writesMs, streamsMs, lagMs }: MemberLossReport['calm']): string =>
    [
      name.padEnd(18),
      ...[writesMs, streamsMs, lagMs].map((ms) => `${(ms / 1_000).toFixed(2)} s`.padStart(10)),
    ].join('')
  return [
    `${'one member lost'.padEnd(18)}${['writes', 'streams', 'lag'].map((name) => name.padStart(10)).join('')}`,
    row('nothing', calm),
    ...losses.map((loss) => row(loss.kind, loss)),
    row('promised', { writesMs: 3_000, streamsMs: 6_000, lagMs: 6_000 }),
    ...showViolations(violations),
  ]
}

/** Findings by kind, and the first of them. */
export function showViolations(violations: readonly Violation[]): readonly string[] {
  if (violations.length === 0) return []
  return [
    JSON.stringify(countByKind(violations)),
    ...violations.slice(0, SHOWN).map(({ kind, where, what }) => `  ${kind} (${where}): ${what}`),
  ]
}

/** What services log under faults is worth a look: an internal error is a defect even where nothing was lost. */
function logLines(logged: readonly string[]): readonly string[] {
  return countNames(logged.map((line) => line.slice(line.indexOf(':') + 2))).map(
    ([line, number], index) => `${(index === 0 ? 'logged' : '').padEnd(15)}${number} × ${line}`,
  )
}

function tally(names: readonly string[]): string {
  return countNames(names)
    .map(([name, number]) => `${name} ${number}`)
    .join(', ')
}

/** Names and how often each occurs, the most frequent first. */
function countNames(names: readonly string[]): readonly (readonly [name: string, number: number])[] {
  return [...Map.groupBy(names, (name) => name)]
    .map(([name, all]) => [name, all.length] as const)
    .toSorted((a, b) => b[1] - a[1])
}
