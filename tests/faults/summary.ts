/**
 * What a fault run says at its end.
 *
 * @module
 */

import type { ChaosReport } from './chaos.ts'
import { countByKind, type Violation } from './checker.ts'
import { delaysOf, longest } from './delays.ts'
import type { RowsReport } from './lives/rows.ts'
import { countLives, type LivesReport } from './lives/run_lives.ts'
import type { MemberLossReport } from './member_loss.ts'
import type { Recorded } from './scene.ts'

/** Findings that are shown; the others are counted. */
const SHOWN = 40

/** A chaos run as lines of text. */
export function summarise({
  seed,
  version,
  run,
  faults,
  violations,
  skipped,
  logged,
}: ChaosReport): readonly string[] {
  return [
    `seed ${seed}, etcd ${version}, three members`,
    ...summariseRun(run),
    `faults         ${faults.length}: ${tally(faults.map(({ kind }) => kind))}`,
    ...skipped.map((reason) => `skipped        ${reason}`),
    ...logLines(logged),
    `violations     ${violations.length}`,
    ...showViolations(violations),
  ]
}

/** Rounds of lives as lines of text. */
export function summariseLives({ seed, store, faults, records, violations }: LivesReport): readonly string[] {
  const { lost, told } = countLives(records)
  const numbers = new Set(records.at(-1)?.claims.map(({ number }) => number)).size
  return [
    `seed ${seed}, ${store}`,
    `losses         ${lost} acknowledged notifications were taken away, ${told} listeners were told; ${numbers} numbers were given out`,
    `faults         ${faults.length}: ${tally(faults.map(({ kind }) => kind))}`,
    `violations     ${violations.length}`,
    ...showViolations(violations),
  ]
}

/** Damaged values as lines of text. */
export function summariseRows({ seed, faults, violations }: RowsReport): readonly string[] {
  return [
    `seed ${seed}, embedded store`,
    `faults         ${faults.length}: ${tally(faults.map(({ kind }) => kind))}`,
    `violations     ${violations.length}`,
    ...showViolations(violations),
  ]
}

/** What was published and delivered in a run, and how late. */
export function summariseRun({
  operations,
  revisions,
  compactions,
  chains,
  silences,
}: Recorded): readonly string[] {
  const count = <Item>(items: readonly Item[], is: (item: Item) => boolean): number => items.filter(is).length
  const outcomes = operations.map(({ tries }) =>
    tries.some(({ outcome }) => outcome === 'stored')
      ? 'acknowledged'
      : tries.every(({ outcome }) => outcome === 'none')
        ? 'refused'
        : 'unknown',
  )
  const tries = operations.flatMap((operation) => operation.tries)
  const sessions = chains.flatMap((chain) => chain.sessions)
  const steps = sessions.flatMap((session) => session.steps)
  const prompt = chains.filter(({ isPrompt }) => isPrompt)
  const delays = prompt.flatMap((chain) => delaysOf(chain, operations))
  const sorted = delays.map(({ ms }) => ms).toSorted((a, b) => a - b)
  const quantile = (share: number): string =>
    formatSeconds(sorted[Math.floor(share * (sorted.length - 1))] ?? 0)
  return [
    `published      ${operations.length}: acknowledged ${count(outcomes, (outcome) => outcome === 'acknowledged')}, ` +
      `unknown ${count(outcomes, (outcome) => outcome === 'unknown')}, refused ${count(outcomes, (outcome) => outcome === 'refused')}`,
    `requests       ${count(tries, ({ outcome }) => outcome === 'unknown')} notifications had an unknown outcome once or more often, ` +
      `${count(operations, ({ tries: own }) => count(own, ({ outcome }) => outcome === 'stored') > 1)} were acknowledged again`,
    `store          ${revisions.length} revisions, compacted ${compactions.length} times`,
    `delivered      ${count(steps, ({ kind }) => kind === 'notification')} notifications and ` +
      `${count(steps, ({ kind }) => kind === 'revision')} revisions to ${chains.length} listeners, ` +
      `${count(steps, ({ kind }) => kind === 'gap')} gaps announced, ${silences} silent streams left`,
    `delay          worst ${formatSeconds(longest(delays))}, median ${quantile(0.5)}, 99 % ${quantile(0.99)}: from the acknowledgement to ` +
      `the ${prompt.length} listeners that read at once`,
    `streams        ${sessions.length}: ${tally(sessions.map(({ reason }) => reason ?? 'cut, or left by the listener'))}`,
  ]
}

/** What a lost member costs, as a table. */
export function summariseLosses({ losses, calm, violations }: MemberLossReport): readonly string[] {
  const row = (name: string, { writesMs, streamsMs, lagMs }: MemberLossReport['calm']): string =>
    [name.padEnd(18), ...[writesMs, streamsMs, lagMs].map((ms) => formatSeconds(ms).padStart(10))].join('')
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

function formatSeconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`
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
