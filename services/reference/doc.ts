/**
 * Describes the routes with documents.
 *
 * @module
 */

import { oneOf, text, type AnswerDoc, type OperationDoc, type RoomDoc } from '#shared/http/doc.ts'
import { VERSIONS } from './paths.ts'

const ETAG = { ETag: 'Of this document' }
const KNOWN = { 'If-None-Match': { about: 'ETag of a copy' } }
const NOT_MODIFIED: AnswerDoc = { about: 'The copy is good', headers: ETAG }

const contract = (route: OperationDoc['route'], summary: string): OperationDoc => ({
  route,
  summary,
  access: 'everyone',
  form: 1,
  query: { version: { about: 'Version of OpenAPI. Default: 3.1', schema: oneOf(VERSIONS) } },
  headers: KNOWN,
  answers: {
    200: {
      about: 'The document',
      content: { 'application/json': { type: 'object', additionalProperties: true } },
      headers: ETAG,
    },
    304: NOT_MODIFIED,
  },
  errors: ['ERR_BAD_REQUEST', 'ERR_NOT_ACCEPTABLE'],
})

const page = (
  route: OperationDoc['route'],
  summary: string,
  more: Partial<OperationDoc> = {},
): OperationDoc => ({
  route,
  summary,
  access: 'everyone',
  form: 1,
  headers: KNOWN,
  answers: {
    200: { about: 'A page', content: { 'text/html': text() }, headers: ETAG },
    304: NOT_MODIFIED,
    // Where this process has no files, it says where they are.
    404: { about: 'There is no such page', content: { 'text/html': text() } },
  },
  errors: ['ERR_NOT_ACCEPTABLE'],
  ...more,
})

/** The routes. */
export const doc: RoomDoc = {
  tag: 'documents',
  about: 'The documents of the version that runs.',
  operations: {
    openapi: contract('GET /openapi.json', 'This document'),
    openapiOf2x: contract('GET /api-docs/openapi.json', 'The same, where 2.x has it'),
    swagger: page('GET /swagger-ui', 'The same, as a page'),
    swaggerIndex: page('GET /swagger-ui/index.html', 'The same, where 2.x has it'),
    docs: page('GET /docs', 'The first page of the documents'),
    document: page('GET /docs/*', 'A document', {
      path: { path: { about: 'Path of a Markdown file of the repository', example: 'services/README.md' } },
    }),
    docsStyle: {
      route: 'GET /docs/style.css',
      summary: 'The style of these pages',
      access: 'everyone',
      form: 1,
      headers: KNOWN,
      answers: {
        200: { about: 'The style', content: { 'text/css': text() }, headers: ETAG },
        304: NOT_MODIFIED,
      },
    },
  },
}
