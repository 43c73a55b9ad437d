/**
 * Makes the headers that identify the client, in the forms of 1.x.
 *
 * @module
 */

import { encodeBase64 } from '#shared/bytes/base64.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { ClientError, messageOf } from './client_error.ts'

/**
 * How a client authenticates: `plain` sends user and key; `bearer`, `ecmwf` and `openid` send a token. The last three are 1.x's names, which
 * go with it.
 */
export type AuthType = 'none' | 'bearer' | 'ecmwf' | 'openid' | 'plain'

export interface CredentialSettings {
  readonly authType: AuthType
  /** User name, which only `plain` needs. */
  readonly username?: string
  /** Path of the file that holds the key. */
  readonly keyFile: string
  /** What messages call that file; absent: `key_file`. */
  readonly keySetting?: string
  /** The key itself. Then no file is read. */
  readonly key?: string
}

/** The headers of every request. */
export interface Credentials {
  headers(): Readonly<Record<string, string>>
  /** Reads the key file again, because keys are renewed while listeners run. @returns whether the key has changed */
  reload(): Promise<boolean>
}

/**
 * Reads the key file, unless `auth_type` is none.
 *
 * @throws {ClientError} when the file cannot be read, is empty, or a user name is missing.
 */
export async function createCredentials(
  config: CredentialSettings,
  readText: (path: string) => Promise<string | undefined>,
): Promise<Credentials> {
  if (config.authType === 'none') return { headers: () => ({}), reload: () => Promise.resolve(false) }
  const build = headersOf(config)
  if (config.key !== undefined) {
    const fixed = checkKey(config.key, 'The token')
    return { headers: () => build(fixed), reload: () => Promise.resolve(false) }
  }
  let key = await readKey(config, readText)
  return {
    headers: () => build(key),
    async reload() {
      const fresh = await readKey(config, readText)
      const changed = fresh !== key
      key = fresh
      return changed
    },
  }
}

function headersOf({ authType, username }: CredentialSettings): (key: string) => Record<string, string> {
  if (authType === 'bearer') return (key) => ({ Authorization: `Bearer ${key}` })
  if (authType !== 'plain') return (key) => ({ Authorization: `Bearer ${key}`, 'X-Auth-Type': authType })
  if (username === undefined)
    throw new ClientError('auth_type plain needs a user name: set username or username_file')
  return (key) => ({
    Authorization: `Basic ${encodeBase64(toBytes(`${username}:${key}`))}`,
    'X-Auth-Type': authType,
  })
}

async function readKey(
  { keyFile: path, keySetting = 'key_file' }: CredentialSettings,
  readText: (path: string) => Promise<string | undefined>,
): Promise<string> {
  const text = await readText(path).catch((cause: unknown) => {
    throw new ClientError(`Cannot read the ${keySetting} ${path}: ${messageOf(cause)}`, { cause })
  })
  if (text === undefined)
    throw new ClientError(`Cannot read the ${keySetting} ${path}: there is no such file`)
  return checkKey(text.trim(), `The ${keySetting} ${path}`)
}

function checkKey(key: string, where: string): string {
  if (key !== '' && /^[\u0021-\u007E]+$/.test(key)) return key
  throw new ClientError(
    key === '' ? `${where} is empty` : `${where} must hold the key on one line, and nothing else`,
  )
}
