/**
 * Reads secrets from files, as container platforms mount them. When the configuration names a secret NAME, the environment may hold the
 * secret as NAME, or the path of a file with the secret as NAME_FILE. Files are read again while the services run.
 *
 * The mode of a file is not checked, because platforms mount secrets readable for all users of a container, and there are no others.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'

/** Longest secret: as long as the longest token that is accepted from a client. */
const MAX_SECRET_CHARACTERS = 8192

/** An environment that includes the secrets in files. */
export interface SecretFiles {
  /** The variables and their values. They change when a changed file is read again. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /**
   * Reads the files of these secrets for the first time.
   *
   * @returns the names of the secrets that were found in files
   * @throws {AvisoError} `ERR_CONFIG` when a file cannot be read, is empty or too long, and when a secret is given in both ways. The
   *   environment has not changed then.
   */
  read(names: readonly string[]): Promise<readonly string[]>
  /**
   * Reads all files again. When one file cannot be used, the other secrets still get their new values.
   *
   * @param more Further secrets.
   * @param onRefused Called for each file that cannot be used. Its secret keeps its value.
   * @returns the names of the secrets that have changed
   */
  readAgain(more: readonly string[], onRefused: (problem: AvisoError) => void): Promise<readonly string[]>
}

/** Makes an environment. No file is read before {@link SecretFiles.read}. */
export function createSecretFiles(
  given: Readonly<Record<string, string | undefined>>,
  readText: (path: string) => Promise<string>,
): SecretFiles {
  const environment = { ...given }
  const inFiles = new Set<string>()

  /** Has these read again from now on. @returns the names among them that are in files, each once */
  function note(names: readonly string[]): readonly string[] {
    const found = new Set(names.filter((name) => isGiven(given[fileVariable(name)])))
    for (const name of found) inFiles.add(name)
    return [...found]
  }
  const keep = (found: readonly FoundSecret[]): readonly string[] => {
    const changed = found.filter(({ name, secret }) => environment[name] !== secret)
    for (const { name, secret } of changed) environment[name] = secret
    return changed.map(({ name }) => name)
  }
  return {
    environment,
    read: async (names) =>
      keep(await Promise.all(note(names).map((name) => readSecret(name, given, readText)))),
    async readAgain(more, onRefused) {
      note(more)
      const found = await Promise.all(
        [...inFiles].map((name) =>
          readSecret(name, given, readText).catch((error: unknown) => {
            if (!isAvisoError(error, 'ERR_CONFIG')) throw error
            onRefused(error)
            return undefined
          }),
        ),
      )
      return keep(found.filter((secret) => secret !== undefined))
    },
  }
}

interface FoundSecret {
  readonly name: string
  readonly secret: string
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
): Promise<FoundSecret> {
  const variable = fileVariable(name)
  if (isGiven(given[name]))
    throw new AvisoError('ERR_CONFIG', `The secret ${name} is given twice: unset ${name} or ${variable}`)
  const path = given[variable] ?? ''
  const text = await readText(path).catch((cause: unknown) => {
    throw new AvisoError('ERR_CONFIG', `Cannot read "${path}", the file that ${variable} names`, { cause })
  })
  const secret = text.trim()
  if (secret !== '' && secret.length <= MAX_SECRET_CHARACTERS) return { name, secret }
  const problem = secret === '' ? 'is empty' : `is longer than ${MAX_SECRET_CHARACTERS} characters`
  throw new AvisoError('ERR_CONFIG', `The file "${path}", which ${variable} names, ${problem}`)
}
