/**
 * Asks the store for `--check`: whether it answers, and if not, why.
 *
 * @module
 */

import { existsSync } from 'node:fs'
import { readStoreCredentials } from '#services/system/store_credentials.ts'
import { explainTrouble } from '#services/system/store_trouble.ts'
import type { Config } from '#services/system/settings.ts'
import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { silentLogger } from '#shared/logger.ts'
import type { Platform } from '#shared/runtime/runtime.ts'
import type { ReadSecret } from '#shared/secret.ts'
import { parseStoreAddress } from '#shared/store/open/address.ts'
import { openStore } from '#shared/store/open/open.ts'
import { systemClock } from '#shared/time/clock.ts'
import { runWithin } from '#shared/time/deadline.ts'

/** Longest wait for an answer: more than a connection with TLS through a slow network takes, and little for a person who waits. */
const LIMIT_MS = 5000

/** What is asked, and with what. */
export interface StoreCheck {
  readonly config: Config
  readonly platform: Platform
  readonly readSecret: ReadSecret
  /** Whether lost writes are accepted. */
  readonly acceptLoss: boolean
  readonly limitMs?: number
}

/** @returns a line for what is wrong with the store; none where it answers. It changes nothing. */
export async function checkStore(check: StoreCheck): Promise<readonly string[]> {
  const { config, acceptLoss } = check
  const address = parseStoreAddress(config.vars.store)
  if (address.kind !== 'embedded') return askStore(check)
  return address.place === 'disk' && !acceptLoss ? lookAtFolder(config.dev.data) : []
}

/** A database that is not there yet is made at the start. */
async function lookAtFolder(folder: string): Promise<readonly string[]> {
  // Loaded here, because a Node that is too old has no SQLite, and is to be told so.
  const { databasePath } = await import('#shared/runtime/process_host.ts')
  const { lookAtDatabase } = await import('#shared/runtime/sqlite.ts')
  const { refuseLoss } = await import('#shared/store/embedded/loss.ts')
  const path = databasePath(folder)
  if (!existsSync(path)) return []
  try {
    lookAtDatabase(path, refuseLoss)
    return []
  } catch (error) {
    if (!isAvisoError(error)) throw error
    return [`dev.data: ${error.message}`]
  }
}

async function askStore(check: StoreCheck): Promise<readonly string[]> {
  const { config, platform, readSecret, limitMs = LIMIT_MS } = check
  const { vars, dev } = config
  const late = (): never => {
    const cause = new Error(`No answer within ${limitMs / 1000} s`)
    throw new AvisoError('ERR_STORE_UNAVAILABLE', 'The store does not answer', { cause })
  }
  const store = await openStore(vars.store, {
    platform,
    dataFolder: dev.data,
    clock: systemClock,
    logger: silentLogger,
    ...readStoreCredentials(vars, readSecret),
  })
  try {
    await runWithin((signal) => store.status({ signal }), { clock: systemClock, ms: limitMs, late })
    return []
  } catch (error) {
    if (!isAvisoError(error)) throw error
    return [`vars.store: no answer from ${vars.store}: ${explainTrouble(error).reason}`]
  } finally {
    await store.close()
  }
}
