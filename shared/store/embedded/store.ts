/**
 * The embedded store: etcd's semantics in SQLite, for one machine. Acknowledged means committed and synced to disk.
 *
 * Flow: ingest → **store** → hub → listener
 *
 * Each verb of the port has its file: range, txn, watch, compact, lease. `witness.ts` and `loss.ts` notice that acknowledged writes are gone.
 * The store in memory is the same on a database in memory.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { silentLogger, type Logger } from '#shared/logger.ts'
import type { SqlDatabase } from '#shared/runtime/runtime.ts'
import type { Clock } from '#shared/time/clock.ts'
import { nextTurn } from '#shared/time/turn.ts'
import { createTurnGate } from '#shared/time/turn_gate.ts'
import { checkRange, checkRevision, checkTtl, checkTxn } from '../check.ts'
import { renewedEpoch } from '../epoch_key.ts'
import type { StoreBackup } from '../maintenance.ts'
import type { Store } from '../store.ts'
import { upgrade } from './carry_over.ts'
import { createCompactor } from './compact.ts'
import { createCounts } from './counts.ts'
import { createGroupCommit } from './group_commit.ts'
import { createKnownHeads } from './known_heads.ts'
import { createLeaseKeeper } from './lease.ts'
import { dropDamage } from './drop_damage.ts'
import { findLoss, lossError, orFileError, renewEpoch, type Loss } from './loss.ts'
import { nameTxnDamage } from './page_damage.ts'
import { readRange } from './range.ts'
import { newestRevision } from './revisions.ts'
import { createSnapshots } from './snapshot.ts'
import { begin, createPins, read, type StoreState } from './state.ts'
import { doInTurns } from './steps.ts'
import { applyTxn } from './txn.ts'
import { createFeed } from './watch.ts'
import {
  createWitness,
  encodeWitness,
  epochIn,
  readEpoch,
  readMarks,
  type Marks,
  type Witness,
} from './witness.ts'

/** An answer of this many keys took some milliseconds. */
const LONG_READ_KEYS = 256
/** Steps of long reads in one turn of the event loop, of all of them together: a write beside them waits for one step in each of its turns. */
const STEPS_PER_TURN = 1

/** What the store is opened with, besides its database. */
export interface EmbeddedStoreParts {
  readonly clock: Clock
  readonly logger?: Logger
  /** Given: the store is opened even where it lost acknowledged writes, and gives up what is damaged. It then gets a new epoch, of 128 random bits as text. */
  readonly acceptLoss?: { readonly random: () => string }
}

/** The embedded store; it can be copied where its database can. */
export type EmbeddedStore = Store & Partial<StoreBackup>

/**
 * Opens (and makes) the store in a database, which it owns from now on. A store of an older version is carried over.
 *
 * @throws {AvisoError} `ERR_CONFIG` for tables of an unknown version, a database that cannot be read and written, and one that lost
 *   acknowledged writes.
 */
export function openEmbeddedStore(database: SqlDatabase, parts: EmbeddedStoreParts): EmbeddedStore {
  const { clock, logger = silentLogger } = parts
  try {
    return orFileError(database, () => {
      const { witness } = prepare(database, logger, parts.acceptLoss)
      return createStore({ database, clock, logger }, witness)
    })
  } catch (cause) {
    database.close()
    if (isAvisoError(cause)) throw cause
    throw new AvisoError('ERR_CONFIG', 'The embedded store cannot be read or written: look at its disk', {
      cause,
    })
  }
}

/** Makes what is there a whole store of this version. */
function prepare(
  database: SqlDatabase,
  logger: Logger,
  acceptLoss: EmbeddedStoreParts['acceptLoss'],
): { readonly witness: Witness | undefined } {
  const file = database.witness
  const loss = file && findLoss(readMarks(database), database, file.read())
  if (loss !== undefined && acceptLoss === undefined) throw lossError(loss)
  upgrade(database, logger)
  if (acceptLoss !== undefined) goOn(database, { loss, logger, random: acceptLoss.random })
  if (file === undefined) return { witness: undefined }
  file.create(encodeWitness(database, { newest: newestRevision(database), ...readEpoch(database) }))
  // From now on a database without it is a copy.
  database.run(`UPDATE meta SET value = 1 WHERE name = 'witnessed' AND value = 0`)
  return { witness: createWitness(database, file, logger) }
}

/** Goes on without what is lost or damaged. */
function goOn(
  database: SqlDatabase,
  {
    loss,
    logger,
    random,
  }: { readonly loss: Loss | undefined; readonly logger: Logger; readonly random: () => string },
): void {
  const { damaged, revision } = database.transaction(() => {
    const damaged = dropDamage(database, logger)
    if (loss === undefined && damaged === 0) return { damaged, revision: undefined }
    const acknowledged = loss?.acknowledged ?? 0n
    return { damaged, revision: renewEpoch(database, acknowledged, renewedEpoch(random())) }
  })
  if (revision === undefined)
    return logger('info', 'Nothing of the store is lost: --accept-loss has no effect and can be left out')
  logger('warn', 'The store lost acknowledged writes, as accepted: it goes on with a new epoch', {
    lost: loss?.what ?? 'Nothing is missing',
    damaged,
    revision,
  })
}

function createStore(
  parts: Pick<StoreState, 'database' | 'clock' | 'logger'>,
  witness: Witness | undefined,
): EmbeddedStore {
  const { database } = parts
  const { onCommit, onUncertain } = trackEpoch(database, witness)
  const known = createKnownHeads()
  const counts = createCounts(database, () => state.newest)
  const state: StoreState = {
    ...parts,
    pins: createPins(),
    newest: newestRevision(database),
    isClosed: false,
    onCommit: (committed, newest) => {
      for (const { revision, events } of committed) counts.note(revision, events)
      onCommit(committed, newest)
    },
    onUncertain: () => {
      known.clear()
      onUncertain()
    },
  }
  const reads = { view: database, counts }
  const txnParts = { ...reads, database, known }
  const nextStep = createTurnGate(STEPS_PER_TURN)
  const pause = async (): Promise<void> => {
    await nextTurn()
    await nextStep()
  }
  const feed = createFeed(state)
  const writes = createGroupCommit(state, feed)
  const leases = createLeaseKeeper(state, writes, known)
  const compact = createCompactor(state, writes)
  return {
    range: async (request, options) => {
      begin(state, options)
      checkRange(request)
      const current = state.newest
      const release = state.pins.hold(request.revision ?? current)
      try {
        const result = await doInTurns(
          readRange({ ...reads, onCounted: options?.onCounted }, request, current),
          (step) => {
            begin(state, options)
            return read(state, step)
          },
          pause,
        )
        // A loop that pages through many keys must leave turns to others.
        if (result.kvs.length >= LONG_READ_KEYS) await nextTurn()
        return result
      } finally {
        release()
      }
    },
    txn: async (request, options) => {
      begin(state, options)
      const bytes = checkTxn(request)
      return writes.add((current) => applyTxn(txnParts, request, current), bytes, {
        signal: options?.signal,
        nameDamage: (cause) => nameTxnDamage(database, request, state.newest, cause),
      })
    },
    watch: feed.watch,
    compact: async (target, options) => {
      begin(state, options)
      checkRevision(target)
      return compact(target, options)
    },
    grantLease: async (ttlSeconds, options) => {
      begin(state, options)
      checkTtl(ttlSeconds)
      return leases.grant(ttlSeconds)
    },
    status: async (options) => {
      begin(state, options)
      const sizeBytes = read(state, () => database.sizeBytes())
      return { version: 'embedded', revision: state.newest, sizeBytes, sizeInUseBytes: sizeBytes }
    },
    close: async () => {
      if (state.isClosed) return
      state.isClosed = true
      leases.stop()
      writes.drain()
      feed.close()
      database.close()
    },
    ...(database.newCopy !== undefined && { snapshot: createSnapshots(state, database.newCopy) }),
  }
}

/** Has the witness told of each commit, with the epoch that holds then. */
function trackEpoch(
  database: SqlDatabase,
  witness: Witness | undefined,
): Pick<StoreState, 'onCommit' | 'onUncertain'> {
  let known: Pick<Marks, 'epoch'> | undefined
  return {
    onCommit: (committed, newest) => {
      if (witness === undefined) return
      known = epochIn(committed) ?? known ?? readEpoch(database)
      witness.record({ newest, epoch: known.epoch })
    },
    // What a failed commit wrote, if it did, was not seen.
    onUncertain: () => {
      known = undefined
    },
  }
}
