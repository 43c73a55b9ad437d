/**
 * The chaos run: an installation, publishers and listeners, a nemesis, and the checker's verdict.
 *
 * @module
 */

import { checkRun, type Violation } from './checker.ts'
import { startCompactor, type Compactor } from './compactor.ts'
import { createDice, type Dice } from '../support/dice.ts'
import { doorTo, type Door } from './door.ts'
import { destinationPrefix, FLIGHT_PREFIX } from './notifications.ts'
import { strike, type StruckFault } from './nemesis.ts'
import type { StoredRevision } from './records.ts'
import { play, type ListenerPlan, type Recorded, type Scene } from './scene.ts'
import type { ServiceProcess } from './service_process.ts'
import { startSite, type Adapter, type Site } from './site.ts'

/** A run's result. */
export interface ChaosReport {
  readonly seed: number
  readonly version: string
  readonly run: Recorded
  readonly faults: readonly StruckFault[]
  readonly violations: readonly Violation[]
  /** Kinds of faults that cannot strike here, and why. */
  readonly skipped: readonly string[]
  /** What the services logged, `name: level message (code)`, once per time. */
  readonly logged: readonly string[]
}

/** What it is asked. */
export interface ChaosOptions {
  readonly seed: number
  /** How long faults strike, in milliseconds; starting and settling come on top. */
  readonly ms: number
  readonly adapter?: Adapter
  readonly onFault?: (fault: StruckFault) => void
}

/** Notifications per request of the publishers. */
const PUBLISHERS = [1, 1, 1, 1, 1, 1, 4, 20]
const THINK_MS = 80
const ENDING_SHARE = 0.03
/** Acknowledged before the first fault and after the last one. */
const CALM_ACKNOWLEDGED = 100
/** Well above the 6 s that a stream may stand still for one lost member, for here two faults may meet. */
const STALE_MS = 15_000
const SETTLE_MS = 20_000

/** Runs it. */
export async function runChaos({ seed, ms, adapter, onFault }: ChaosOptions): Promise<ChaosReport> {
  const dice = createDice(seed)
  const site = await startSite(dice.fork('site'), adapter)
  const compactor = startCompactor(site.cluster)
  const faults: StruckFault[] = []
  const disagreements: Violation[] = []
  try {
    const run = await play({
      name: `s${seed}`,
      dice: dice.fork('scene'),
      ingests: [doorTo(site.ingests[0].front.url), doorTo(site.ingests[1].front.url)],
      publishers: PUBLISHERS,
      thinkMs: THINK_MS,
      endingShare: ENDING_SHARE,
      listeners: listenersAt(site),
      faults: async (scene) => {
        await scene.acknowledged(CALM_ACKNOWLEDGED)
        await strikeAll({ site, scene, compactor, dice: dice.fork('faults') }, ms, (fault) => {
          faults.push(fault)
          onFault?.(fault)
        })
        await scene.acknowledged(CALM_ACKNOWLEDGED)
      },
      truth: async () => {
        await compactor.stop()
        await site.cluster.leasesEnded()
        await compactor.oracle.readOn()
        disagreements.push(...(await compareMembers(site, compactor)))
        return compactor.oracle.revisions
      },
      compactions: compactor.compactions,
      staleMs: STALE_MS,
      settleMs: SETTLE_MS,
    })
    const violations = [...disagreements, ...checkRun(run)]
    const logged = [...site.ingests, ...site.listening].flatMap(({ process }) => readLog(process))
    const skipped = site.clocksMissing === false ? [] : [site.clocksMissing]
    return { seed, version: site.cluster.version, run, faults, violations, skipped, logged }
  } finally {
    await compactor.stop()
    await site.close()
  }
}

/** Faults until the time is over; in its middle a listener comes that wants everything from the start. */
async function strikeAll(
  parts: { site: Site; scene: Scene; compactor: Compactor; dice: Dice },
  ms: number,
  onStrike: (fault: StruckFault) => void,
): Promise<void> {
  const { dice } = parts
  const begin = performance.now()
  const timer = setTimeout(() => parts.scene.listen(lateListener(parts.site)), ms / 2)
  try {
    await strike(parts, { dice: dice.fork('schedule'), untilMs: begin + ms, onStrike })
  } finally {
    clearTimeout(timer)
  }
}

function listenersAt({ listening }: Site): readonly ListenerPlan[] {
  const [first, second] = listening
  const direct: readonly [Door, Door] = [doorTo(first.process.url), doorTo(second.process.url)]
  const swapped: readonly [Door, Door] = [direct[1], direct[0]]
  const fronts: readonly [Door, Door] = [doorTo(first.front.url), doorTo(second.front.url)]
  const flights = { api: 'sse', event: 'flight' } as const
  const toItaly = { ...flights, field: ['country', 'italy'] } as const
  const forFoo = { api: 'sse', event: 'dissemination', field: ['destination', 'FOO'] } as const
  const flightKeys = { api: 'facade', prefix: FLIGHT_PREFIX } as const
  const fooKeys = { api: 'facade', prefix: destinationPrefix('FOO') } as const
  return [
    { name: 'prompt flights', what: flights, doors: direct },
    { name: 'prompt flights to Italy', what: toItaly, doors: swapped },
    { name: 'prompt files for FOO', what: forFoo, doors: direct },
    { name: 'prompt keys of flights', what: flightKeys, doors: swapped },
    { name: 'prompt keys of FOO', what: fooKeys, doors: direct },
    { name: 'disturbed flights', what: flights, doors: fronts, isDisturbed: true },
    { name: 'disturbed files for FOO', what: forFoo, doors: fronts, isDisturbed: true },
    { name: 'disturbed keys of flights', what: flightKeys, doors: fronts, isDisturbed: true },
    { name: 'slow flights', what: flights, doors: direct, habit: 'slow' },
    { name: 'slow keys of flights', what: flightKeys, doors: swapped, habit: 'slow' },
    { name: 'away flights', what: flights, doors: direct, habit: 'away' },
    { name: 'away files for FOO', what: forFoo, doors: swapped, habit: 'away' },
    { name: 'away keys of flights', what: flightKeys, doors: fronts, habit: 'away', isDisturbed: true },
  ]
}

function lateListener({ listening }: Site): ListenerPlan {
  const [first, second] = listening
  return {
    name: 'late keys of flights, from the start',
    what: { api: 'facade', prefix: FLIGHT_PREFIX },
    doors: [doorTo(first.process.url), doorTo(second.process.url)],
    cursor: '0',
  }
}

function readLog(service: ServiceProcess): readonly string[] {
  return service
    .log()
    .split('\n')
    .flatMap((line) => {
      if (!line.startsWith('{')) return /error/i.test(line) ? [`${service.name}: ${line}`] : []
      const { level, message, code } = JSON.parse(line) as Readonly<Record<string, unknown>>
      return [`${service.name}: ${String(level)} ${String(message)} (${String(code)})`]
    })
}

/** Every member must hold the same history, as far as it is kept, and it must end in what the store holds now. */
async function compareMembers({ cluster }: Site, { oracle, compactions }: Compactor): Promise<Violation[]> {
  const kept = compactions.reduce((oldest, { revision }) => (revision > oldest ? revision : oldest), 1n)
  const expected = oracle.revisions.filter(({ revision }) => revision >= kept)
  const violations: Violation[] = []
  for (const [index, { url }] of cluster.members.entries()) {
    const found = await oracle.reread(url, kept, oracle.through)
    const difference = firstDifference(expected, found)
    if (difference !== undefined)
      violations.push({ kind: 'altered', where: `member ${index + 1}`, what: difference })
  }
  const held = new Map<string, string>()
  for (const { writes } of oracle.revisions) {
    for (const { kind, key, value } of writes) {
      if (kind === 'put') held.set(key, value)
      else held.delete(key)
    }
  }
  for (const [key, value] of await oracle.state()) {
    if (held.get(key) !== value)
      violations.push({ kind: 'altered', where: 'store', what: `${key} holds ${value}` })
    held.delete(key)
  }
  for (const key of held.keys()) violations.push({ kind: 'lost', where: 'store', what: `${key} is gone` })
  return violations
}

function firstDifference(
  expected: readonly StoredRevision[],
  found: readonly StoredRevision[],
): string | undefined {
  const text = (stored: StoredRevision | undefined): string =>
    JSON.stringify(stored, (_name, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)) ??
    'nothing'
  for (let index = 0; index < Math.max(expected.length, found.length); index++) {
    const [left, right] = [text(expected[index]), text(found[index])]
    if (left !== right) return `${right.slice(0, 300)} instead of ${left.slice(0, 300)}`
  }
  return undefined
}
