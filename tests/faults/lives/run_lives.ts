/**
 * Rounds of lives of every kind, one after the other, on one installation.
 *
 * @module
 */

import { createDice, type Dice } from '../../support/dice.ts'
import type { Violation } from '../checker.ts'
import type { StruckFault } from '../nemesis.ts'
import type { Operation } from '../records.ts'
import { startSite, type Adapter } from '../site.ts'
import { checkLives } from './check_lives.ts'
import { startEmbeddedSite } from './embedded_site.ts'
import { EMBEDDED_STRIKES, embeddedStage, type StageParts } from './embedded_stage.ts'
import { ETCD_STRIKES, etcdStage } from './etcd_stage.ts'
import { createWorld } from './life_parts.ts'
import type { LifeRecord, LifeStage } from './life_records.ts'
import { playRound } from './round.ts'

/** What is asked. */
export interface LivesOptions {
  readonly seed: number
  /** Kinds, in order; a kind may come again. */
  readonly kinds: readonly string[]
  readonly adapter?: Adapter
  /** Longest wait for what must arrive at the end of a round. Default: as long as a busy machine needs. */
  readonly settleMs?: number
  readonly onFault?: (fault: StruckFault) => void
}

/** What happened. */
export interface LivesReport {
  readonly seed: number
  readonly store: string
  readonly faults: readonly StruckFault[]
  readonly records: readonly LifeRecord[]
  readonly violations: readonly Violation[]
}

/** Rounds on etcd's three members, two ingests and two listening services. @param options Default kinds: all. */
export async function runEtcdLives(
  options: Omit<LivesOptions, 'kinds'> & Partial<LivesOptions>,
): Promise<LivesReport> {
  const { seed, adapter, kinds = ETCD_STRIKES } = options
  const dice = createDice(seed).fork('etcd lives')
  const site = await startSite(dice.fork('site'), adapter)
  try {
    const stageOf = (kind: string): LifeStage => etcdStage(site, kindOf(kind, ETCD_STRIKES))
    return await runRounds(
      { ...options, kinds },
      { store: `etcd ${site.cluster.version}, three members`, dice, stageOf },
    )
  } finally {
    await site.close()
  }
}

/** Rounds on the embedded store of one process. @param options Default kinds: all. */
export async function runEmbeddedLives(
  options: Omit<LivesOptions, 'kinds'> & Partial<LivesOptions> & Omit<StageParts, 'dice'>,
): Promise<LivesReport> {
  const { seed, sabotage, spoil, kinds = EMBEDDED_STRIKES } = options
  const dice = createDice(seed).fork('embedded lives')
  const site = await startEmbeddedSite()
  try {
    const strikes = dice.fork('strikes')
    const stageOf = (kind: string): LifeStage =>
      embeddedStage(site, kindOf(kind, EMBEDDED_STRIKES), { dice: strikes, sabotage, spoil })
    return await runRounds({ ...options, kinds }, { store: 'embedded store', dice, stageOf })
  } finally {
    await site.close()
  }
}

async function runRounds(
  { seed, kinds, onFault, settleMs }: LivesOptions,
  {
    store,
    dice,
    stageOf,
  }: { readonly store: string; readonly dice: Dice; readonly stageOf: (kind: string) => LifeStage },
): Promise<LivesReport> {
  const world = createWorld()
  const faults: StruckFault[] = []
  const records: LifeRecord[] = []
  for (const [index, kind] of kinds.entries()) {
    const onStrike = (from: number, until: number): void => {
      const fault = { kind, target: store, from, until }
      faults.push(fault)
      onFault?.(fault)
    }
    const parts = { kind, world, stage: stageOf(kind), onStrike, ...(settleMs !== undefined && { settleMs }) }
    records.push(await playRound({ ...parts, dice: dice.fork(`${kind} ${index}`) }))
  }
  return { seed, store, faults, records, violations: records.flatMap(checkLives) }
}

function kindOf<Kind extends string>(name: string, kinds: readonly Kind[]): Kind {
  const found = kinds.find((kind) => kind === name)
  if (found === undefined) throw new TypeError(`No kind of loss is called ${name}`)
  return found
}

/** How many notifications of the rounds were acknowledged, lost, and stored again when they were repeated. */
export function countLives(
  records: readonly LifeRecord[],
): Readonly<Record<'acknowledged' | 'lost' | 'told', number>> {
  const isStored = ({ tries }: Operation): boolean => tries.some(({ outcome }) => outcome === 'stored')
  const sum = (count: (record: LifeRecord) => number): number =>
    records.reduce((total, record) => total + count(record), 0)
  return {
    acknowledged: sum(
      ({ before, after }) =>
        before.operations.filter(isStored).length + after.operations.filter(isStored).length,
    ),
    lost: sum(({ lost }) => lost),
    told: sum(({ listeners }) => listeners.filter(({ isTold }) => isTold).length),
  }
}
