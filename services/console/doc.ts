/**
 * Describes the routes of the console.
 *
 * @module
 */

import { text, type RoomDoc } from '#shared/http/doc.ts'

const KNOWN = { 'If-None-Match': { about: 'ETag of a copy' } }

/** The routes. */
export const doc: RoomDoc = {
  tag: 'console',
  about: 'The page for people. A browser gets it at `/`, too.',
  operations: {
    page: {
      route: 'GET /console',
      summary: 'The page',
      access: 'everyone',
      form: 1,
      headers: KNOWN,
      answers: {
        200: { about: 'The page', content: { 'text/html': text() }, headers: { ETag: 'Of the page' } },
        302: { about: 'To the address with a slash', headers: { Location: 'Of the page' } },
        304: { about: 'The copy is good', headers: { ETag: 'Of the page' } },
      },
      errors: ['ERR_NOT_FOUND'],
    },
    file: {
      route: 'GET /console/*',
      summary: 'A file of the page',
      access: 'everyone',
      form: 1,
      path: { path: { about: 'Name of the file', example: 'main.js' } },
      answers: {
        200: {
          about: 'The file, which never changes under its name',
          content: {
            'text/javascript': text(),
            'text/css': text(),
            'image/svg+xml': text(),
            'text/plain': text(),
          },
        },
      },
      errors: ['ERR_NOT_FOUND'],
    },
  },
}
