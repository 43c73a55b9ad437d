/**
 * A flipped bit in a stored value: the file is whole for SQLite, and the value reads well.
 *
 * @module
 */

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createDice, type Dice } from '../../support/dice.ts'
import { checkRun, type Violation } from '../checker.ts'
import { doorTo } from '../door.ts'
import { publish } from '../publisher.ts'
import type { Chain, Operation, Run } from '../records.ts'
import { createStoreView, type StoreView } from '../store_view.ts'
import { DATABASE, startEmbeddedSite, type EmbeddedSite } from './embedded_site.ts'
import { hasArrived, startLifeListener } from './life_listener.ts'
import { eventually } from '../../support/waiting.ts'
import type { StruckFault } from '../nemesis.ts'

/** The row, as it is after the damage. */
export interface DamagedRow {
  readonly id: bigint
  readonly place: number
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly created: number
  readonly version: number
  readonly lease: number
}

/** What is asked. */
export interface RowsOptions {
  readonly seed: number
  readonly onFault?: (fault: StruckFault) => void
  /** Breaks the product further before it is started. */
  readonly sabotage?: (site: EmbeddedSite, row: DamagedRow) => Promise<void>
}

/** What happened. */
export interface RowsReport {
  readonly seed: number
  readonly faults: readonly StruckFault[]
  readonly violations: readonly Violation[]
}

const KIND = 'bit flip in a value'
const REQUESTS = 30
const FLIGHTS = '/tmp/aviso/flight/'

/** Publishes, damages a value between two runs of the server, and reads everything from the start. */
export async function runRows({ seed, onFault, sabotage }: RowsOptions): Promise<RowsReport> {
  const dice = createDice(seed).fork('rows')
  const site = await startEmbeddedSite()
  try {
    const { server } = site
    const operations: Operation[] = []
    const stop = new AbortController()
    const ingests = [doorTo(server.url)] as const
    const load = { requests: REQUESTS, perRequest: 1, thinkMs: 0, stop: stop.signal }
    await publish({ name: 'rows', dice: dice.fork('publisher'), ingests, operations, ...load })
    const revisions = await site.truth()
    const from = performance.now()
    await server.stop('SIGTERM')
    const row = flipInValue(join(site.data, DATABASE), dice)
    await sabotage?.(site, row)
    await server.start()
    const fault = { kind: KIND, target: 'embedded store', from, until: performance.now() }
    onFault?.(fault)
    const run = { operations, revisions, compactions: [], staleMs: Infinity, isRenewed: true } as const
    const violations = [...(await checkKey(server.url, row)), ...(await readAll(site, { dice, row }, run))]
    return { seed, faults: [fault], violations }
  } finally {
    await site.close()
  }
}

/** The newest value of one key, and one bit of it. */
function flipInValue(path: string, dice: Dice): DamagedRow {
  const database = new DatabaseSync(path)
  try {
    const statement = database.prepare(
      `SELECT max(id) AS id, key, value, created, version, lease FROM events
       WHERE substr(CAST(key AS TEXT), 1, ${FLIGHTS.length}) = '${FLIGHTS}' AND length(CAST(key AS TEXT)) > ${FLIGHTS.length} GROUP BY key`,
    )
    statement.setReadBigInts(true)
    const { id, key, value, created, version, lease } = dice.pick(statement.all())
    if (typeof id !== 'bigint' || !(key instanceof Uint8Array) || !(value instanceof Uint8Array))
      throw new TypeError('A row of the store has other columns than this test knows')
    const place = dice.whole(0, value.length - 1)
    value[place] = (value[place] ?? 0) ^ 1
    database.prepare('UPDATE events SET value = ? WHERE id = ?').run(value, id)
    const [createdAt, count, leaseId] = [Number(created), Number(version), Number(lease)]
    return {
      id,
      place: Number(id & 1_048_575n),
      key,
      value,
      created: createdAt,
      version: count,
      lease: leaseId,
    }
  } finally {
    database.close()
  }
}

/** The damaged key is refused by name, and the others are served. */
async function checkKey(url: string, { key }: DamagedRow): Promise<readonly Violation[]> {
  const name = Buffer.from(key).toString()
  const ask = (question: object): Promise<Response> =>
    fetch(`${url}/v3/kv/range`, { method: 'POST', body: JSON.stringify(question) })
  const damaged = await ask({ key: btoa(name) })
  const told = await damaged.text()
  const other = await ask({ key: btoa(`${FLIGHTS}none`) })
  const violations: Violation[] = []
  const report = (what: string): void => void violations.push({ kind: 'unrefused', where: KIND, what })
  if (damaged.status !== 503 || !told.includes(name))
    report(`${name} is damaged, and answered with ${damaged.status}: ${told}`)
  if (other.status !== 200) report(`Another key is answered with ${other.status}`)
  return violations
}

/** Who wants everything gets everything but the damaged value, which a gap announces. Nothing that is delivered is altered. */
async function readAll(
  site: EmbeddedSite,
  { dice, row }: { readonly dice: Dice; readonly row: DamagedRow },
  run: Omit<Run, 'chains' | 'endedAt'>,
): Promise<readonly Violation[]> {
  const stop = new AbortController()
  const plan = { name: 'everything', event: 'flight', fromNumber: 1n, isPatient: true } as const
  const doors = [doorTo(site.server.url)] as const
  const listener = startLifeListener(plan, { doors, dice: dice.fork('listener'), stop: stop.signal })
  try {
    const { chain } = listener
    const view = createStoreView({ ...run, chains: [], endedAt: 0 })
    await eventually('everything is read', () => hasArrived([chain], view)).catch(() => undefined)
    const damaged = row.id >> 20n
    // For the checker, what is damaged is as gone as what is compacted.
    const compactions = [{ revision: damaged + 1n, at: 0 }]
    const violations = checkRun({ ...run, compactions, chains: [chain], endedAt: performance.now() })
    return [...violations, ...missing(chain, view, damaged)]
  } finally {
    stop.abort()
    await listener.done
  }
}

/** What does not come though it is not damaged: a gap must not be longer than the damage. */
function missing({ sessions }: Chain, view: StoreView, damaged: bigint): readonly Violation[] {
  const delivered = new Set(
    sessions.flatMap(({ steps }) =>
      steps.flatMap((step) => (step.kind === 'notification' ? [step.value] : [])),
    ),
  )
  return view.notifications
    .filter(
      ({ event, revision, value }) => event === 'flight' && revision !== damaged && !delivered.has(value),
    )
    .map(({ value }) => ({ kind: 'lost', where: KIND, what: `${value} is not damaged, and never came` }))
}
