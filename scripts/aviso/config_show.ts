/**
 * The command `aviso config show`: prints the effective settings, and where each comes from.
 *
 * @module
 */

import { printAnswer } from './answer.ts'
import type { ClientConfig } from './config.ts'
import type { CommandContext } from './context.ts'
import { tableText } from './table.ts'

/** Prints the settings and the files that were looked for. It needs no service and no credential. */
export function showConfig(config: ClientConfig, context: Pick<CommandContext, 'output' | 'json'>): void {
  const { settings, files } = config.origin
  const listeners = config.listeners?.file.locate(['listeners'])
  const text = [
    tableText(
      ['setting', 'value', 'from'],
      [
        ...settings.map(({ name, value, from }) => [name, value, from]),
        ...(listeners === undefined ? [] : [['listeners', '', listeners]]),
      ],
    ),
    tableText(
      ['file', ''],
      files.map(({ path, isThere }) => [path, isThere ? 'read' : 'not there']),
    ),
  ].join('\n\n')
  const json = {
    settings: Object.fromEntries(settings.map(({ name, value, from }) => [name, { value, from }])),
    ...(listeners !== undefined && { listeners }),
    files: Object.fromEntries(files.map(({ path, isThere }) => [path, isThere ? 'read' : 'not there'])),
  }
  printAnswer({ text, json }, context)
}
