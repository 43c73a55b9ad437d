/**
 * Makes a new database of what can be read of one with damaged pages, where the operator accepts the loss.
 *
 * As where single values are given up: a key gets back the value that it had before, what was deleted stays so, and history begins behind the
 * last damage, so no replay passes a hole in silence.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { Logger } from '#shared/logger.ts'
import type { DatabaseLook, SqlDatabase, SqlRow, SqlView } from '#shared/runtime/runtime.ts'
import type { Revision } from '../store.ts'
import { isCarrying } from './carry_over.ts'
import { RESTORE } from './checksum.ts'
import { describeDamage, nameOf, spanNames } from './describe_damage.ts'
import { MAX_NAMED, putDeletion } from './drop_damage.ts'
import { acknowledgedBy, prepareCopy, type RestoreParts } from './restore.ts'
import { newestRevision } from './revisions.ts'
import { copyRow, ID, numberIn } from './rows.ts'
import { salvageEvents, type Damage } from './salvage.ts'
import { orDamage } from './state.ts'
import { doInTurns, type Steps } from './steps.ts'
import { makeCopiedTables, SCHEMA_VERSION, schemaVersion } from './tables.ts'

/** Leases that are read at once. */
const STEP_LEASES = 1_000

/** What was kept and lost. */
export interface Rebuilt {
  /** What was found, in a sentence without its end. */
  readonly damage: string
  /** Events that are kept, and that are known to be lost. */
  readonly kept: number
  readonly lost: number
  /** Revisions of which something is lost. */
  readonly spans: string
  /** Whether every lost event is known by key. */
  readonly isComplete: boolean
  /** Revision of the new epoch. */
  readonly revision: Revision
  readonly witness: Uint8Array
}

/**
 * Fills a new, empty database.
 *
 * @param old The damaged one, which is read only. A view is there.
 * @throws {AvisoError} `ERR_CONFIG` where its tables are of an older version.
 */
export async function rebuildStore(
  old: DatabaseLook & { readonly view: SqlView },
  copy: SqlDatabase,
  { logger, random }: Pick<RestoreParts, 'random'> & { readonly logger: Logger },
): Promise<Rebuilt> {
  const { view } = old
  const version = orDamage(() => schemaVersion(view))
  if (version !== 'damaged' && (version !== SCHEMA_VERSION || isCarrying(view)))
    throw new AvisoError(
      'ERR_CONFIG',
      `The embedded store is damaged, and of an older version, of which --accept-loss keeps nothing. ${RESTORE}`,
    )
  // What a damaged database itself says may be anything.
  const acknowledged = acknowledgedBy({ ...old, view: undefined })
  copy.transaction(() => makeCopiedTables(copy))
  const { damage, kept } = await doInTurns(
    copyReadable({ view, newest: acknowledged }, copy, logger),
    (step) => copy.transaction(step),
  )
  copy.transaction(() => {
    copyMeta(view, copy, endOfLoss(damage, acknowledged, newestRevision(copy)))
    copyLeases(view, copy)
  })
  const { revision, witness } = await prepareCopy(copy, { acknowledged, logger, random })
  return {
    damage: describeDamage(damage),
    kept,
    lost: damage.lost,
    spans: damage.spans.length === 0 ? 'none' : spanNames(damage.spans),
    isComplete: damage.isIndexWhole,
    revision,
    witness,
  }
}

function* copyReadable(
  { view, newest }: { readonly view: SqlView; readonly newest: Revision },
  copy: SqlDatabase,
  logger: Logger,
): Steps<Pick<Rebuilt, 'kept'> & { readonly damage: Damage }> {
  let [kept, named] = [0, 0]
  const damage = yield* salvageEvents(view, {
    newest,
    take: (row) => {
      copyRow(copy, row)
      kept++
    },
    has: ({ revision, place }) =>
      copy.all(`SELECT 1 FROM events WHERE id = ${ID}`, revision, place).length > 0,
    lose: (event) => {
      if (event.isInGap && event.place % 2 === 1) putDeletion(copy, event)
      if (++named > MAX_NAMED) return
      const { key, revision } = event
      logger('warn', 'An event that cannot be read is given up', { key: nameOf(key), revision })
    },
  })
  return { damage, kept }
}

/** The last revision of which something is lost, 0 for none. */
function endOfLoss({ last }: Damage, acknowledged: Revision, newest: Revision): number {
  // A damaged page may name revisions that never were.
  return Math.min(last, Number(acknowledged > newest ? acknowledged : newest))
}

function copyMeta(view: SqlView, copy: SqlDatabase, lastLost: number): void {
  const rows = orDamage(() =>
    view.all(`SELECT name, value FROM meta WHERE name IN ('compacted', 'swept', 'lease')`),
  )
  const set = (name: string, value: number): void =>
    copy.run('UPDATE meta SET value = max(value, ?) WHERE name = ?', value, name)
  if (rows === 'damaged') {
    // Without it no one can tell what was compacted: nothing of history is whole.
    set('compacted', Number(newestRevision(copy)) + 1)
  } else for (const row of rows) set(String(row['name']), numberIn(row, 'value'))
  if (lastLost > 0) set('compacted', lastLost + 1)
  const [leases] = copy.all('SELECT max(lease) AS lease FROM events')
  set('lease', numberIn(leases, 'lease'))
}

/** Copies the leases. The keys of those that are lost end now, because no one can say when. */
function copyLeases(view: SqlView, copy: SqlDatabase): void {
  const add = (row: SqlRow): void =>
    copy.run(
      'INSERT OR IGNORE INTO leases (id, ends_at) VALUES (?, ?)',
      row['id'] ?? null,
      row['ends_at'] ?? null,
    )
  let last = 0
  for (;;) {
    const rows = orDamage(() =>
      view.all(
        `SELECT id, ends_at FROM leases NOT INDEXED WHERE id > ? ORDER BY id LIMIT ${STEP_LEASES}`,
        last,
      ),
    )
    if (rows === 'damaged' || rows.length === 0) break
    for (const row of rows) add(row)
    last = numberIn(rows.at(-1), 'id')
  }
  copy.run('INSERT OR IGNORE INTO leases (id, ends_at) SELECT DISTINCT lease, 0 FROM events WHERE lease <> 0')
  copy.run(
    `UPDATE meta SET value = max(value, (SELECT coalesce(max(id), 0) FROM leases)) WHERE name = 'lease'`,
  )
}
