/**
 * Reads again what may change while the services run: policy, secrets, and certificates for the store.
 *
 * @module
 */

import type { System } from '#services/system/system.ts'
import { isAvisoError } from '#shared/errors.ts'
import type { Logger } from '#shared/logger.ts'
import { systemClock } from '#shared/time/clock.ts'
import { resolveConfig, type ServeOptions } from './options.ts'
import type { SecretFiles } from './secret_files.ts'
import { secretNames } from './secret_names.ts'
import type { StoreTlsFiles } from './store_tls.ts'

/** Time between two reads of secrets. With the 25 s between checks of a stream, a token removed from its file is refused within 65 s. */
const REREAD_SECRETS_MS = 30_000

/** What is read again. */
export interface ReloadParts {
  readonly system: System
  readonly options: ServeOptions
  readonly readText: (path: string) => Promise<string>
  readonly secrets: SecretFiles
  readonly logger: Logger
  readonly tlsFiles: StoreTlsFiles | undefined
}

/**
 * @returns a function that reads the policy in the configuration file and the secrets again, so that a right can be revoked without a
 *   restart. When the policy is wrong, the old policy stays.
 */
export function createReload(parts: ReloadParts): () => Promise<void> {
  const { system, options, readText, secrets, logger, tlsFiles } = parts
  return async () => {
    rereadStoreTls(tlsFiles, logger)
    try {
      const config = await resolveConfig(options, readText)
      await rereadSecrets(secrets, secretNames(config), logger)
      system.replacePolicy(config.vars.policy)
      logger('info', 'The policy was read again')
    } catch (error) {
      logger('error', 'The policy could not be read again: the old policy stays', { reason: reasonOf(error) })
    }
  }
}

/** Reads secrets and certificates again from time to time. @returns what stops it */
export function keepRereading({
  secrets,
  logger,
  tlsFiles,
}: Omit<ReloadParts, 'system' | 'options' | 'readText'>): () => void {
  return systemClock.every(REREAD_SECRETS_MS, () => {
    rereadStoreTls(tlsFiles, logger)
    void rereadSecrets(secrets, [], logger)
  })
}

/** @param more Secrets that the configuration now names. */
async function rereadSecrets(secrets: SecretFiles, more: readonly string[], logger: Logger): Promise<void> {
  const changed = await secrets.readAgain(more, ({ message }) => warnOfSecret(logger, message))
  if (changed.length > 0) logger('info', 'Secrets were replaced', { names: changed.join() })
}

function rereadStoreTls(files: StoreTlsFiles | undefined, logger: Logger): void {
  const warn = (reason: string): void =>
    logger('error', 'New certificates for the store cannot be used: the old ones stay', { reason })
  if (files?.readAgain(warn) === true) logger('info', 'The certificates for the store were replaced')
}

/** Tells that a secret cannot be read as it is now. */
export function warnOfSecret(logger: Logger, reason: string): void {
  logger('error', 'A new secret cannot be used: the old secret stays', { reason })
}

function reasonOf(error: unknown): string {
  return isAvisoError(error, 'ERR_CONFIG') ? error.message : 'unknown'
}
