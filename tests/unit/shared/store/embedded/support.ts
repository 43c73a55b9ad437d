/**
 * A database that fails on command.
 *
 * @module
 */

import type { SqlDatabase } from '#shared/runtime/runtime.ts'

/** A database that counts transactions and fails when told. */
export interface FaultyDatabase extends SqlDatabase {
  transactions: number
  /** Fails the next write inside a transaction. */
  failWrite: Error | undefined
  /** Fails the next commit: undone, or done all the same. */
  failCommit: { readonly error: Error; readonly committed: boolean } | undefined
}

export function createFaultyDatabase(database: SqlDatabase): FaultyDatabase {
  const faulty: FaultyDatabase = {
    ...database,
    transactions: 0,
    failWrite: undefined,
    failCommit: undefined,
    run: (sql, ...parameters) => {
      const error = faulty.failWrite
      database.run(sql, ...parameters)
      // After it, so that something is there to undo.
      if (error !== undefined && sql.startsWith('INSERT INTO events')) {
        faulty.failWrite = undefined
        throw error
      }
    },
    transaction: (work) => {
      faulty.transactions++
      const failure = faulty.failCommit
      faulty.failCommit = undefined
      if (failure === undefined) return database.transaction(work)
      if (failure.committed) {
        database.transaction(work)
        throw failure.error
      }
      return database.transaction(() => {
        work()
        throw failure.error
      })
    },
  }
  return faulty
}
