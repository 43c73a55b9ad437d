/**
 * Finds the credentials of Amazon's services where 1.x (boto3) finds them: the listener file, the environment, and the files of a profile.
 *
 * @module
 */

import { readFileSync } from 'node:fs'
import { ClientError, messageOf } from '#shared/client/client_error.ts'
import { expandHome } from '../paths.ts'
import type { TriggerHost } from './trigger.ts'

/** A key, in the form that the signer takes. */
export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Present for a temporary key. */
  readonly sessionToken?: string
}

/** What a listener file may say. */
export interface GivenCredentials {
  readonly aws_access_key_id?: string | null | undefined
  readonly aws_secret_access_key?: string | null | undefined
}

/** Files in the home folder, each with the variable that names another one, and the name of a profile's section in it. */
const FILES = [
  {
    variable: 'AWS_SHARED_CREDENTIALS_FILE',
    path: '~/.aws/credentials',
    section: (profile: string) => profile,
  },
  {
    variable: 'AWS_CONFIG_FILE',
    path: '~/.aws/config',
    section: (profile: string) => (profile === 'default' ? profile : `profile ${profile}`),
  },
] as const

type Values = Readonly<Record<string, string | null | undefined>>

/**
 * Reads the credentials. Roles that a machine of Amazon's or an identity provider hands out are not looked for.
 *
 * @throws {ClientError} when there are none, or only one half of a key.
 */
export function readAwsCredentials(
  given: GivenCredentials,
  host: Pick<TriggerHost, 'environment' | 'home'>,
): AwsCredentials {
  const { environment, home } = host
  const inFile = keyOf({ ...given }, 'the protocol')
  if (inFile !== undefined) return inFile
  const profile = environment['AWS_PROFILE'] ?? ''
  // A profile that is named wins over keys in the environment, as in boto3.
  const fromEnvironment = profile === '' ? keyOf(lowerCase(environment), 'the environment') : undefined
  if (fromEnvironment !== undefined) return fromEnvironment
  const name = profile === '' ? 'default' : profile
  const looked: string[] = []
  for (const { variable, path: usual, section } of FILES) {
    const path = expandHome(environment[variable] ?? usual, home)
    looked.push(path)
    const found = keyOf(readSection(path, section(name)), `${path}, profile ${name}`)
    if (found !== undefined) return found
  }
  throw new ClientError(
    `there are no AWS credentials: give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile ${name} in ${looked.join(' or ')}`,
  )
}

function lowerCase(environment: TriggerHost['environment']): Values {
  return Object.fromEntries(
    ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'].map((name) => [
      name.toLowerCase(),
      environment[name],
    ]),
  )
}

/** The key in a place; `undefined`: there is none. */
function keyOf(values: Values, where: string): AwsCredentials | undefined {
  const [id, secret, token] = ['aws_access_key_id', 'aws_secret_access_key', 'aws_session_token'].map(
    (name) => values[name] ?? '',
  )
  if (id === '' && secret === '') return undefined
  if (id === undefined || secret === undefined || id === '' || secret === '') {
    const missing = secret === '' ? 'aws_secret_access_key' : 'aws_access_key_id'
    throw new ClientError(`one half of the AWS key is missing: ${where} has no ${missing}`)
  }
  return {
    accessKeyId: id,
    secretAccessKey: secret,
    ...(token !== undefined && token !== '' && { sessionToken: token }),
  }
}

/** The values of one section of an INI file; empty where there is none. */
function readSection(path: string, section: string): Values {
  const values: Record<string, string> = {}
  let current = ''
  for (const line of readLines(path)) {
    const heading = /^\s*\[\s*(.*?)\s*\]/.exec(line)?.[1]
    if (heading !== undefined) current = heading.replaceAll(/\s+/g, ' ')
    const [, name, value] = /^\s*([^#;=\s]+)\s*=\s*(.*?)\s*$/.exec(line) ?? []
    if (heading === undefined && current === section && name !== undefined && value !== undefined)
      values[name.toLowerCase()] = value
  }
  return values
}

function readLines(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8').split(/\r?\n/)
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR'))
      return []
    throw new ClientError(`cannot read ${path}: ${messageOf(cause)}`, { cause })
  }
}
