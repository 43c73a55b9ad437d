/**
 * Secrets in files, as container platforms mount them: where the configuration names a secret NAME, the environment may hold it as NAME,
 * or the path of a file with it as NAME_FILE. Files are read again while the services run.
 *
 * A file's mode is not looked at: platforms mount secrets readable for all inside a container, where nobody else is.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'

/** The longest token that is taken from a client, too. */
const MAX_SECRET_CHARACTERS = 8192

/** An environment with the secrets that are kept in files. */
export interface SecretFiles {
  /** Changes when a file has changed and was read again. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Whether any secret is in a file. */
  readonly areThere: boolean
  /**
   * Reads the files of these secrets (again).
   *
   * @returns The names of those that have changed.
   * @throws {AvisoError} `ERR_CONFIG` for a file that cannot be read, is empty or too long, and for a secret given in both ways; nothing has
   *   changed then.
   */
  read(names: readonly string[]): Promise<readonly string[]>
}

/** Nothing is read before {@link SecretFiles.read}. */
export function createSecretFiles(
  given: Readonly<Record<string, string | undefined>>,
  readText: (path: string) => Promise<string>,
): SecretFiles {
  const environment = { ...given }
  const inFiles = new Set<string>()
  return {
    environment,
    get areThere() {
      return inFiles.size > 0
    },
    async read(names) {
      const kept = names.filter((name) => isGiven(given[fileVariable(name)]))
      const found = await Promise.all(
        kept.map(async (name) => ({ name, secret: await readSecret(name, given, readText) })),
      )
      const changed = found.filter(({ name, secret }) => environment[name] !== secret)
      for (const { name, secret } of found) {
        environment[name] = secret
        inFiles.add(name)
      }
      return changed.map(({ name }) => name)
    },
  }
}

function fileVariable(name: string): string {
  return `${name}_FILE`
}

function isGiven(value: string | undefined): value is string {
  return value !== undefined && value !== ''
}

async function readSecret(
  name: string,
  given: Readonly<Record<string, string | undefined>>,
  readText: (path: string) => Promise<string>,
): Promise<string> {
  const variable = fileVariable(name)
  if (isGiven(given[name]))
    throw new AvisoError('ERR_CONFIG', `The secret ${name} is given twice: unset ${name} or ${variable}`)
  const path = given[variable] ?? ''
  const text = await readText(path).catch((cause: unknown) => {
    throw new AvisoError('ERR_CONFIG', `Cannot read "${path}", the file that ${variable} names`, { cause })
  })
  const secret = text.trim()
  if (secret !== '' && secret.length <= MAX_SECRET_CHARACTERS) return secret
  const problem = secret === '' ? 'is empty' : `is longer than ${MAX_SECRET_CHARACTERS} characters`
  throw new AvisoError('ERR_CONFIG', `The file "${path}", which ${variable} names, ${problem}`)
}
