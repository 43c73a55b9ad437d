/**
 * Writes the parts of generated Markdown.
 *
 * @module
 */

/** A generated document. Its note names the source and the command that writes it again. */
export function generatedDocument(title: string, source: string, parts: readonly string[]): string {
  const note = `<!-- Made from ${source} by \`npm run generate\`. Change it there. -->`
  return `${[`# ${title}`, note, ...parts].join('\n\n')}\n`
}

/** A table; an empty text when there are no rows. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return ''
  const rule = head.map(() => '---')
  return [head, rule, ...rows].map((cells) => `| ${cells.map(cell).join(' | ')} |`).join('\n')
}

/** A text in backticks; an empty text stays empty. */
export function code(text: string): string {
  return text === '' ? '' : `\`${text}\``
}

/** The text of a cell: one line, in which `<` outside backticks is escaped. */
function cell(text: string): string {
  const parts = text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ').split('`')
  return parts.map((part, index) => (index % 2 === 0 ? part.replaceAll('<', '&lt;') : part)).join('`')
}
