/**
 * Parts of generated Markdown.
 *
 * @module
 */

/** A document that a program writes. `command` says how to write it again. */
export function generatedDocument(title: string, source: string, parts: readonly string[]): string {
  const note = `<!-- Made from ${source} by \`npm run generate\`. Change it there. -->`
  return `${[`# ${title}`, note, ...parts].join('\n\n')}\n`
}

/** A table. An empty list of rows gives an empty text. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return ''
  const rule = head.map(() => '---')
  return [head, rule, ...rows].map((cells) => `| ${cells.map(cell).join(' | ')} |`).join('\n')
}

/** Text in backticks; nothing for empty text. */
export function code(text: string): string {
  return text === '' ? '' : `\`${text}\``
}

/** One line, in which nothing outside backticks is HTML. */
function cell(text: string): string {
  const parts = text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ').split('`')
  return parts.map((part, index) => (index % 2 === 0 ? part.replaceAll('<', '&lt;') : part)).join('`')
}
