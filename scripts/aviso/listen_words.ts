/**
 * Reads what `listen` and `replay` are told to listen to without a file: `--event flight country=Italy airport=FCO,MXP`.
 *
 * @module
 */

import { ClientError, EXIT_USAGE } from '#shared/client/client_error.ts'
import type { ListenerDefinition } from './listener_file.ts'
import { createTrigger } from './triggers/create_trigger.ts'
import type { TriggerHost } from './triggers/trigger.ts'

/**
 * A listener that prints. Pairs are separate words, or have commas between them. A part without `=` is a further value of the field before
 * it.
 *
 * @throws {ClientError} for a word that is not a pair.
 */
export function listenerOfWords(
  event: string,
  words: readonly string[],
  host: TriggerHost,
): ListenerDefinition {
  return {
    event,
    request: fieldsOfWords(words, 'With --event write', '; listener files go without --event'),
    triggers: [createTrigger({ type: 'echo' }, host)],
    place: ([first, field]) => (first === 'request' && field !== undefined ? String(field) : '--event'),
  }
}

/**
 * The fields and values of words.
 *
 * @param before What a message about a wrong word says before what is right.
 * @param behind What it says behind that.
 * @throws {ClientError} for a word that is not a pair.
 */
export function fieldsOfWords(
  words: readonly string[],
  before: string,
  behind = '',
): Readonly<Record<string, readonly string[]>> {
  const request = new Map<string, string[]>()
  for (const word of words) {
    let values: string[] | undefined
    for (const part of word.split(',')) {
      const at = part.indexOf('=')
      const name = part.slice(0, Math.max(at, 0)).trim()
      if (at === -1 ? values === undefined : name === '') throw noPair(word, before, behind)
      if (at !== -1) {
        values = request.get(name) ?? []
        request.set(name, values)
      }
      values?.push(part.slice(at + 1))
    }
  }
  return Object.fromEntries(request)
}

function noPair(word: string, before: string, behind: string): ClientError {
  return new ClientError(
    `Not a field and its value: ${word}. ${before} FIELD=VALUE, such as country=Italy or airport=FCO,MXP${behind}`,
    { exitCode: EXIT_USAGE },
  )
}
