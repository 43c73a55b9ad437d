/**
 * Secrets in files, as container platforms mount them: where the configuration names a secret NAME, the environment may hold it as NAME,
 * or the path of a file with it as NAME_FILE. Files are read again while the services run.
 *
 * A file's mode is not looked at: platforms mount secrets readable for all inside a container, where nobody else is.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'

/** The longest token that is taken from a client, too. */
const MAX_SECRET_CHARACTERS = 8192

/** An environment with the secrets that are kept in files. */
export interface SecretFiles {
  /** Changes when a file has changed and was read again. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /**
   * Reads the files of these secrets for the first time.
   *
   * @returns The names of those that were found in files.
   * @throws {AvisoError} `ERR_CONFIG` for a file that cannot be read, is empty or too long, and for a secret given in both ways; nothing has
   *   changed then.
   */
  read(names: readonly string[]): Promise<readonly string[]>
  /**
   * Reads all files again. One that cannot be used leaves the others their new values.
   *
   * @param more Further secrets.
   * @param onRefused Told of each file that cannot be used; its secret stays what it was.
   * @returns The names of the secrets that have changed.
   */
  readAgain(more: readonly string[], onRefused: (problem: AvisoError) => void): Promise<readonly string[]>
}

/** Nothing is read before {@link SecretFiles.read}. */
export function createSecretFiles(
  given: Readonly<Record<string, string | undefined>>,
  readText: (path: string) => Promise<string>,
): SecretFiles {
  const environment = { ...given }
  const inFiles = new Set<string>()

  /** @returns the names among these that are in files, each once */
  function note(names: readonly string[]): readonly string[] {
    for (const name of names) if (isGiven(given[fileVariable(name)])) inFiles.add(name)
    return [...inFiles]
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
      const found = await Promise.all(
        note(more).map((name) =>
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
