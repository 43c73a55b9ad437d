/**
 * Opens a store as the services would, for commands that work on it while no service runs: with their configuration, their folder and their
 * credentials.
 *
 * @module
 */

import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { readStoreCredentials } from '#services/system/store_credentials.ts'
import { explainTrouble } from '#services/system/store_trouble.ts'
import type { Config } from '#services/system/settings.ts'
import { ClientError, EXIT_FAILURE, EXIT_USAGE } from '#shared/client/client_error.ts'
import { AvisoError, isAvisoError } from '#shared/errors.ts'
import type { Logger } from '#shared/logger.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { databasePath } from '#shared/runtime/process_host.ts'
import type { Platform } from '#shared/runtime/runtime.ts'
import { createSecretReader } from '#shared/secret.ts'
import { parseStoreAddress } from '#shared/store/open/address.ts'
import { openStore, type OpenStoreParts } from '#shared/store/open/open.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { findConfigToRead } from '../serve/given_config.ts'
import { DEFAULT_CONFIG_FILE, resolveConfig } from '../serve/options.ts'
import { createSecretFiles } from '../serve/secret_files.ts'
import { secretNames } from '../serve/secret_names.ts'
import { openStoreTls, secured } from '../serve/store_tls.ts'
import type { Output } from './output.ts'

/** Flags that name the services' configuration, as `npm start` takes them. */
export interface ServicesFlags {
  readonly servicesConfig?: string
  readonly env?: string
  readonly store?: string
  readonly data?: string
}

/** A store that is not opened yet. */
export interface NamedStore {
  readonly address: string
  readonly parts: OpenStoreParts
}

/** Runs work on the machine's store. @throws {ClientError} for every `AvisoError`: exit code 2 for what can be put right, else 1. */
export async function explained<Value>(work: () => Promise<Value>): Promise<Value> {
  try {
    return await work()
  } catch (cause) {
    if (!isAvisoError(cause)) throw cause
    const isUsage = cause.code === 'ERR_CONFIG' || cause.code === 'ERR_READ_ONLY'
    throw new ClientError(cause.message, { exitCode: isUsage ? EXIT_USAGE : EXIT_FAILURE, cause })
  }
}

/**
 * The store that the services' configuration and the flags name.
 *
 * @throws {AvisoError} `ERR_CONFIG` for a configuration that cannot be read, and for a missing secret.
 */
export async function nameStore(flags: ServicesFlags, output: Output): Promise<NamedStore> {
  const platform = await detectPlatform()
  const config = await readConfig(flags, platform)
  const secrets = createSecretFiles(platform.environment, platform.readText)
  await secrets.read(secretNames({ ...config.vars, identity: undefined, policy: undefined }))
  const credentials = readStoreCredentials(config.vars, createSecretReader(secrets.environment))
  const { store: address, storeTls } = config.vars
  const tls = storeTls && openStoreTls(storeTls, systemClock.now)
  return { address, parts: toParts(secured(platform, tls), config.dev.data, output, credentials) }
}

/**
 * Opens a store that answers.
 *
 * @throws {AvisoError} The store's error, with its address, and with the cause and the remedy.
 */
export async function openNamed({ address, parts }: NamedStore): Promise<Store> {
  const store = await openStore(address, parts)
  try {
    await store.status()
    return store
  } catch (cause) {
    await store.close()
    if (!isAvisoError(cause) || parseStoreAddress(address).kind === 'embedded') throw cause
    // The address may come from a flag.
    const reason = explainTrouble(cause).reason.replaceAll(/\bvars\.store\b/g, 'the address')
    throw new AvisoError(cause.code, `No answer from the store ${address}: ${reason}`, { cause })
  }
}

/** The folder of the embedded store: that of the flag, of the services' configuration, or the usual one. */
export async function dataFolderOf(flags: ServicesFlags): Promise<string> {
  if (flags.data !== undefined) return flags.data
  return (await readConfig(flags, await detectPlatform())).dev.data
}

/** @throws {AvisoError} `ERR_CONFIG` for a folder without an embedded store: opening it would make an empty one there. */
export function requireEmbedded(dataFolder: string): void {
  if (existsSync(databasePath(dataFolder))) return
  throw new AvisoError('ERR_CONFIG', `There is no store in ${dataFolder}: name its folder with --data`)
}

/** The parts of a store without credentials. */
export async function plainParts(dataFolder: string, output: Output): Promise<OpenStoreParts> {
  return toParts(await detectPlatform(), dataFolder, output, {})
}

async function readConfig(flags: ServicesFlags, { readText, environment }: Platform): Promise<Config> {
  const { servicesConfig, env, store, data } = flags
  const options = {
    services: [],
    config: servicesConfig ?? DEFAULT_CONFIG_FILE,
    isConfigNamed: servicesConfig !== undefined,
    ...(env !== undefined && { env }),
    ...(store !== undefined && { store }),
    ...(data !== undefined && { data }),
  }
  const given = await findConfigToRead(options, { readText, environment, home: homedir() })
  return resolveConfig(given.options, given.readText)
}

function toParts(
  platform: Platform,
  dataFolder: string,
  output: Output,
  credentials: Pick<OpenStoreParts, 'auth' | 'bearer'>,
): OpenStoreParts {
  return { platform, dataFolder, clock: systemClock, logger: loggerOf(output), ...credentials }
}

/** What the store says, for the user of a command. */
function loggerOf(output: Output): Logger {
  const levels = { debug: 'DEBUG', info: 'DEBUG', warn: 'WARNING', error: 'WARNING' } as const
  return (level, message) => output.log(levels[level], message)
}
