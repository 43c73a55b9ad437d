/**
 * Writes JSON Schemas as short texts that people read, in HTML.
 *
 * @module
 */

import type { JsonSchema } from '#shared/http/doc.ts'
import { escapeHtml } from './html.ts'

/** Deeper parts are left out; named schemas are links. */
const MAX_DEPTH = 6
const REFERENCE = '#/components/schemas/'

/** A schema as HTML for a `pre`. */
export function schemaHtml(schema: JsonSchema, depth = 0): string {
  const { $ref, allOf, properties } = schema
  if (typeof $ref === 'string') return linkTo($ref)
  if (depth > MAX_DEPTH) return '…'
  const choices = schema['anyOf'] ?? schema['oneOf']
  if (isList(choices)) return choices.map((each) => schemaHtml(each, depth)).join(' | ')
  if (isList(allOf)) {
    const parts = allOf.map((each) => schemaHtml(each, depth))
    return [...parts, ...(properties === undefined ? [] : [objectHtml(schema, depth)])].join(' &amp; ')
  }
  return plainHtml(schema, depth)
}

function plainHtml(schema: JsonSchema, depth: number): string {
  const { type, items, properties, additionalProperties } = schema
  if ('const' in schema) return valueHtml(schema['const'])
  if (Array.isArray(schema['enum'])) return schema['enum'].map(valueHtml).join(' | ')
  if (properties !== undefined) return objectHtml(schema, depth)
  if (type === 'array')
    return `list of ${isSchema(items) ? inBrackets(schemaHtml(items, depth)) : 'anything'}`
  if (type === 'object')
    return isSchema(additionalProperties)
      ? `{ [name]: ${schemaHtml(additionalProperties, depth)} }`
      : 'object'
  if (typeof type === 'string') return wordOf(type)
  return Array.isArray(type) ? type.map((each) => wordOf(String(each))).join(' | ') : 'anything'
}

function objectHtml({ properties, required }: JsonSchema, depth: number): string {
  const indent = '  '.repeat(depth + 1)
  const names = Array.isArray(required) ? required : []
  const lines = Object.entries(isSchema(properties) ? properties : {}).map(([name, member]) => {
    const schema = isSchema(member) ? member : {}
    const about = schema['description']
    const note = typeof about === 'string' ? `  <span class="quiet">${escapeHtml(about)}</span>` : ''
    return `${indent}${escapeHtml(name)}${names.includes(name) ? '' : '?'}: ${schemaHtml(schema, depth + 1)}${note}\n`
  })
  return `{\n${lines.join('')}${'  '.repeat(depth)}}`
}

/** A choice in a list could be taken for a choice of lists. */
function inBrackets(html: string): string {
  return html.includes(' | ') && !html.startsWith('{') ? `(${html})` : html
}

function linkTo(reference: string): string {
  const name = escapeHtml(reference.replace(REFERENCE, ''))
  return `<a href="#schema-${name}">${name}</a>`
}

function valueHtml(value: unknown): string {
  return escapeHtml(JSON.stringify(value) ?? '')
}

function wordOf(type: string): string {
  return type === 'string' ? 'text' : type
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isList(value: unknown): value is readonly JsonSchema[] {
  return Array.isArray(value) && value.every(isSchema)
}
