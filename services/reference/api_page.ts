/**
 * The document of the API as a page: every route with its parameters, bodies, answers and errors, and every schema. It is made here and has
 * no script, so it needs nothing from elsewhere.
 *
 * @module
 */

import type { JsonSchema } from '#shared/http/doc.ts'
import { escapeHtml, pageText, type PageLinks } from './html.ts'
import type { OpenApiDocument, Operation } from './openapi.ts'
import { schemaHtml } from './schema_text.ts'

/** A route, with where it is. */
interface Placed {
  readonly method: string
  readonly path: string
  readonly operation: Operation
}

/** The text of the page. */
export function apiPage(document: OpenApiDocument, { console }: PageLinks = {}): string {
  const { info, tags, components } = document
  const placed = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  )
  const of = (tag: string): readonly Placed[] =>
    placed.filter(({ operation }) => operation.tags.includes(tag))
  const title = `${String(info['title'])} ${String(info['version'])}`
  const sections = tags.map(
    ({ name, description }) =>
      `<h2 id="${escapeHtml(name)}">${escapeHtml(name)}</h2>\n<p>${escapeHtml(description)}</p>\n${of(name)
        .map((one) => operationHtml(one, document))
        .join('\n')}`,
  )
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) =>
      `<details id="schema-${escapeHtml(name)}" open><summary><code>${escapeHtml(name)}</code> ${aboutOf(schema)}</summary>\n<pre>${schemaHtml(schema)}</pre>${constantsHtml(schema)}</details>`,
  )
  const others = [
    '<a href="/docs">Documents</a>',
    console === undefined ? [] : `<a href="${console}">Console</a>`,
  ]
    .flat()
    .join(' · ')
  return pageText({
    title,
    aside: `<p>${others}</p>\n${asideHtml(document, of)}`,
    main: `<h1>${escapeHtml(title)}</h1>
${paragraphs(String(info['description']))}
<p><a href="/openapi.json">OpenAPI 3.1</a> · <a href="/openapi.json?version=3.2">OpenAPI 3.2</a> · ${others}</p>
${sections.join('\n')}
<h2 id="schemas">schemas</h2>
${schemas.join('\n')}`,
  })
}

function asideHtml({ tags }: OpenApiDocument, of: (tag: string) => readonly Placed[]): string {
  const lists = tags.map(({ name }) => {
    const items = of(name).map(
      ({ method, path, operation }) =>
        `<li><a href="#${escapeHtml(operation.operationId)}">${method.toUpperCase()} ${escapeHtml(path)}</a></li>`,
    )
    return `<h2>${escapeHtml(name)}</h2>\n<ul>${items.join('\n')}</ul>`
  })
  return `${lists.join('\n')}\n<h2><a href="#schemas">schemas</a></h2>`
}

function operationHtml({ method, path, operation }: Placed, document: OpenApiDocument): string {
  const { operationId, summary, description, security } = operation
  const who =
    security.length === 0 ? 'Everyone may ask.' : `Credentials: ${security.map(securityName).join(' or ')}.`
  return `<details id="${escapeHtml(operationId)}" open><summary><span class="method ${method}">${method.toUpperCase()}</span> <code>${escapeHtml(path)}</code> ${escapeHtml(summary)}</summary>
${description === undefined ? '' : paragraphs(description)}
<p class="quiet">${escapeHtml(who)}</p>
${parametersHtml(operation)}
${bodyHtml(operation)}
${curlHtml(method, path, operation)}
${responsesHtml(operation, document)}
</details>`
}

function securityName(one: object): string {
  return Object.keys(one)[0] ?? 'none, where the policy allows that'
}

function parametersHtml({ parameters = [] }: Operation): string {
  const rows = parameters.map(({ name, in: place, required, schema, description }) => [
    `<code>${escapeHtml(name)}</code>${required === true ? '' : '?'}`,
    place,
    schemaHtml(schema),
    inline(description),
  ])
  return rows.length === 0 ? '' : `<h3>Parameters</h3>\n${table(['name', 'in', 'value', 'means'], rows)}`
}

function bodyHtml({ requestBody }: Operation): string {
  if (requestBody === undefined) return ''
  return `<h3>Body${requestBody['required'] === true ? '' : ' (optional)'}</h3>\n${contentHtml(requestBody)}`
}

function contentHtml({ content }: JsonSchema): string {
  return Object.entries(isRecord(content) ? content : {})
    .map(([type, media]) => {
      const { schema, 'x-itemSchema': item } = isRecord(media) ? media : {}
      const shown = isRecord(item) ? item : schema
      const each = isRecord(item) ? ', each item' : ''
      return `<p><code>${escapeHtml(type)}</code>${each}</p>\n<pre>${schemaHtml(isRecord(shown) ? shown : {})}</pre>`
    })
    .join('\n')
}

/** A command that a person copies. Values in capitals are to be filled in. */
function curlHtml(method: string, path: string, { parameters = [], requestBody }: Operation): string {
  const query = parameters
    .filter(({ in: place, required }) => place === 'query' && required === true)
    .map(({ name, example }) => `${name}=${example ?? name.toUpperCase()}`)
  const filled = path.replaceAll(/\{(\w+)\}/g, (_part, name: string) => {
    const example = parameters.find((one) => one.in === 'path' && one.name === name)?.example
    return example ?? name.toUpperCase()
  })
  const { content } = requestBody ?? {}
  const [type, media] = Object.entries(isRecord(content) ? content : {})[0] ?? []
  const [example] = Object.values(isRecord(media) && isRecord(media['examples']) ? media['examples'] : {})
  const value = isRecord(example) ? example['value'] : undefined
  const parts = [
    'curl',
    ...(method === 'get' ? [] : [`-X ${method.toUpperCase()}`]),
    `'$AVISO${filled}${query.length === 0 ? '' : `?${query.join('&')}`}'`.replaceAll("'", '"'),
    ...(value === undefined ? [] : [`-H 'Content-Type: ${type}'`, `-d '${JSON.stringify(value)}'`]),
  ]
  return `<pre>${escapeHtml(parts.join(' '))}</pre>`
}

function responsesHtml({ responses }: Operation, { components }: OpenApiDocument): string {
  const rows = Object.entries(responses).map(([status, response]) => {
    const { $ref } = response
    const name = typeof $ref === 'string' ? $ref.replace('#/components/responses/', '') : undefined
    const answer = name === undefined ? response : (components.responses[name] ?? {})
    const about = paragraphs(String(answer['description']))
    return [`<code>${status}</code>`, name === undefined ? `${about}${contentHtml(answer)}` : about]
  })
  return `<h3>Answers</h3>\n${table(['status', 'means'], rows)}`
}

/** The constants of a schema that lists them with their meanings. */
function constantsHtml({ oneOf }: JsonSchema): string {
  const rows = (Array.isArray(oneOf) ? oneOf : []).flatMap((each: unknown) => {
    if (!isRecord(each) || typeof each['description'] !== 'string' || !('const' in each)) return []
    const { const: value, title, description } = each
    return [[`<code>${escapeHtml(String(value))}</code>`, escapeHtml(String(title)), inline(description)]]
  })
  return rows.length === 0 ? '' : table(['code', 'name in 2.x', 'means'], rows)
}

function aboutOf({ description }: JsonSchema): string {
  return typeof description === 'string' ? `<span class="quiet">${inline(description)}</span>` : ''
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[], name: string): string =>
    `<tr>${cells.map((cell) => `<${name}>${cell}</${name}>`).join('')}</tr>`
  return `<div class="table"><table><thead>${line(head, 'th')}</thead><tbody>${rows.map((row) => line(row, 'td')).join('')}</tbody></table></div>`
}

/** Paragraphs and lists of a description, and what stands in backticks. */
function paragraphs(text: string): string {
  return text
    .split('\n\n')
    .map((part) => {
      const items = part.split('\n').filter((line) => line.startsWith('- '))
      const rest = part.split('\n').filter((line) => !line.startsWith('- '))
      const list = items.map((item) => `<li>${inline(item.slice(2))}</li>`).join('')
      return `${rest.length === 0 ? '' : `<p>${inline(rest.join('\n'))}</p>`}${list === '' ? '' : `<ul>${list}</ul>`}`
    })
    .join('\n')
}

function inline(text: string): string {
  return escapeHtml(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>')
}

function isRecord(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
