/**
 * Stores and files with one mistake each, as a product makes it that does not notice what a store has lost.
 *
 * @module
 */

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { compareBytes, toBytes, toText } from '#shared/bytes/bytes.ts'
import { crc32 } from '#shared/bytes/crc32.ts'
import { EPOCH_KEY } from '#shared/store/epoch_key.ts'
import { checksumOf } from '#shared/store/embedded/checksum.ts'
import type { KeyValue, Store, TxnRequest } from '#shared/store/store.ts'
import { DATABASE, savedFolder, WITNESS, type EmbeddedSite } from '../lives/embedded_site.ts'
import { FLIGHT_PREFIX } from '../notifications.ts'
import type { DamagedRow } from '../lives/rows.ts'

const EPOCH = toBytes(EPOCH_KEY)

/** A publisher that answers from memory: asking the store whether it still has what is known always succeeds. */
export function rememberingLost(store: Store): Store {
  return {
    ...store,
    txn: async (request, options) => {
      const { compare, success, parts } = request
      const isCheck =
        parts === undefined && compare.length > 0 && success.every(({ kind }) => kind === 'range')
      return store.txn(isCheck ? { ...request, compare: [] } : request, options)
    },
  }
}

/** Nobody writes a new epoch: whoever wants to is told that the old one holds. */
export function keepingEpoch(store: Store): Store {
  return {
    ...store,
    txn: async (request, options) => {
      if (!isRenewal(request)) return store.txn(request, options)
      const result = await store.range({ key: EPOCH }, options)
      return { revision: result.revision, succeeded: false, results: [{ kind: 'range', result }] }
    },
  }
}

function isRenewal({ compare, success }: TxnRequest): boolean {
  const [guard] = compare
  return (
    success.some((operation) => operation.kind === 'put' && isEpoch(operation.key)) &&
    guard?.target === 'MOD' &&
    guard.value !== 0n
  )
}

/** Nobody can see that an epoch took the place of a lost one, so numbers go on where the copy ends. */
export function reusingNumbers(store: Store): Store {
  return {
    ...store,
    txn: (request, options) => {
      const success = request.success.map((operation) =>
        operation.kind === 'put' && isEpoch(operation.key)
          ? { ...operation, value: toBytes(toText(operation.value).replace(/^r-/, '')) }
          : operation,
      )
      return store.txn({ ...request, success }, options)
    },
  }
}

function isEpoch(key: Uint8Array): boolean {
  return compareBytes(key, EPOCH) === 0
}

/** A start that does not look at the witness: there is none, and the database does not know that there was one. */
export async function withoutWitness({ data }: EmbeddedSite): Promise<void> {
  await rm(join(data, WITNESS), { force: true })
  withDatabase(data, (database) => database.exec(`UPDATE meta SET value = 0 WHERE name = 'witnessed'`))
}

/** A salvage that gives the store no new epoch: the old one is in its place. */
export async function keepingSalvagedEpoch(site: EmbeddedSite): Promise<void> {
  await withoutWitness(site)
  const old = withDatabase(savedFolder(site), (database) => newestRow(database, EPOCH)['value'])
  withDatabase(site.data, (database) => {
    const row = newestRow(database, EPOCH)
    const [id, value] = [row['id'], old]
    if (typeof id !== 'bigint' || !(value instanceof Uint8Array)) throw new TypeError('There is no epoch')
    const kv: KeyValue = {
      key: EPOCH,
      value,
      createRevision: BigInt(Number(row['created'])),
      modRevision: id >> 20n,
      version: BigInt(Number(row['version'])),
      lease: BigInt(Number(row['lease'])),
    }
    const sum = checksumOf({ crc32 }, kv, Number(id & 1_048_575n))
    database.prepare('UPDATE events SET value = ?, sum = ? WHERE id = ?').run(value, sum, id)
  })
}

/** A salvage that leaves out an event that can be read, and does not say so: the newest notification of a flight before its epoch. */
export async function droppingReadable({ data }: EmbeddedSite): Promise<void> {
  withDatabase(data, (database) => {
    const { id } = newestRow(database, EPOCH)
    if (typeof id !== 'bigint') throw new TypeError('There is no epoch')
    database
      .prepare(
        `DELETE FROM events WHERE id = (
           SELECT max(id) FROM events WHERE CAST(key AS TEXT) LIKE '${FLIGHT_PREFIX}_%' AND id & 1 = 0 AND id < ?)`,
      )
      .run(id)
  })
}

/** The last write of a key. */
function newestRow(database: DatabaseSync, key: Uint8Array): Readonly<Record<string, unknown>> {
  const statement = database.prepare(
    'SELECT id, value, created, version, lease FROM events WHERE key = ? ORDER BY id DESC LIMIT 1',
  )
  statement.setReadBigInts(true)
  return statement.get(key) ?? {}
}

/** A read that does not look at checksums: the damaged row has a right one. */
export async function withoutRowChecks(
  { data }: EmbeddedSite,
  { id, place, key, value, created, version, lease }: DamagedRow,
): Promise<void> {
  const kv: KeyValue = {
    key,
    value,
    createRevision: BigInt(created),
    modRevision: id >> 20n,
    version: BigInt(version),
    lease: BigInt(lease),
  }
  const sum = checksumOf({ crc32 }, kv, place)
  withDatabase(data, (database) => database.prepare('UPDATE events SET sum = ? WHERE id = ?').run(sum, id))
}

function withDatabase<Result>(data: string, work: (database: DatabaseSync) => Result): Result {
  const database = new DatabaseSync(join(data, DATABASE))
  try {
    return work(database)
  } finally {
    database.close()
  }
}
