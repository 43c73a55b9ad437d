/**
 * The same request in other forms: a listener file, curl, pyaviso and the program `aviso`.
 *
 * @module
 */

import type { Filter } from './catalogue.ts'

export interface Asked {
  readonly base: string
  readonly event: string
  readonly filter: Filter
  /** Whether the person has signed in: then commands need a token, too. */
  readonly isSignedIn: boolean
}

/** A text for a shell, as one word. */
export function shellWord(text: string): string {
  return /^[\w./:=@,+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

/** A text of YAML that no reader takes for something else. */
export function yamlText(text: string): string {
  const isPlain = /^[A-Za-z][\w./-]*$/.test(text) && !/^(?:true|false|yes|no|on|off|null|y|n)$/i.test(text)
  return isPlain ? text : JSON.stringify(text)
}

function yamlValue(values: readonly string[]): string {
  const [only] = values
  return values.length === 1 && only !== undefined ? yamlText(only) : `[${values.map(yamlText).join(', ')}]`
}

/** A listener file. */
export function asYaml({ event, filter }: Pick<Asked, 'event' | 'filter'>): string {
  const fields = Object.entries(filter)
  const lines = ['listeners:', `  - event: ${yamlText(event)}`]
  if (fields.length === 0) lines.push('    request: {}')
  else
    lines.push(
      '    request:',
      ...fields.map(([name, values]) => `      ${yamlText(name)}: ${yamlValue(values)}`),
    )
  lines.push('    triggers:', '      - type: echo')
  return `${lines.join('\n')}\n`
}

/** Fields and values of a query. */
export function queryOf({ event, filter }: Pick<Asked, 'event' | 'filter'>): string {
  const query = new URLSearchParams({ event })
  for (const [name, values] of Object.entries(filter)) for (const value of values) query.append(name, value)
  return query.toString()
}

/** A command line with curl. */
export function asCurl({ base, isSignedIn, ...asked }: Asked): string {
  const header = isSignedIn ? ' -H "Authorization: Bearer $AVISO_TOKEN"' : ''
  return `curl -N${header} ${shellWord(`${base}/api/v1/watch?${queryOf(asked)}`)}\n`
}

/** A command line with our own program. */
export function asAviso({ base, event, filter }: Asked): string {
  const words = Object.entries(filter).map(([name, values]) => shellWord(`${name}=${values.join(',')}`))
  return `AVISO_BASE_URL=${shellWord(base)} ${['aviso listen --event', shellWord(event), ...words].join(' ')}\n`
}

/** A program with pyaviso 2.x. */
export function asPyaviso({ base, event, filter, isSignedIn }: Asked): string {
  const identifier = Object.entries(filter).map(([name, values]) => {
    const [only = ''] = values
    const value = values.length === 1 ? python(only) : `{"in": [${values.map(python).join(', ')}]}`
    return `${python(name)}: ${value}`
  })
  const auth = isSignedIn ? 'Bearer(os.environ["AVISO_TOKEN"])' : 'Anonymous()'
  return [
    ...(isSignedIn ? ['import os', ''] : []),
    `from pyaviso import ${isSignedIn ? 'Bearer' : 'Anonymous'}, AvisoClient`,
    '',
    `client = AvisoClient(base_url=${python(base)}, auth=${auth})`,
    `for notification in client.listen(event_type=${python(event)}, filter={${identifier.join(', ')}}):`,
    '    print(notification.sequence, notification.payload)',
    '',
  ].join('\n')
}

/** A text of Python. JSON's escapes are Python's, too. */
function python(text: string): string {
  return JSON.stringify(text)
}

/** States of a run that people want to be told of. */
const TOLD_STATES = ['complete', 'late', 'recovered', 'incomplete']

/** A listener file for the notifications about runs like this one, of any day. */
export function tellMe(event: string, { date: _date, ...fields }: Readonly<Record<string, string>>): string {
  const own = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, [value]]))
  return asYaml({ event: 'run', filter: { event_type: [event], ...own, state: TOLD_STATES } })
}
