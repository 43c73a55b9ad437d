/**
 * The document of the API and the documents of the repository, of the version that runs. Everyone may read them.
 *
 * @module
 */

import { apiPage } from './api_page.ts'
import {
  documentPage,
  FIRST_DOCUMENT,
  isDocumentPath,
  missingPage,
  type ReadDocument,
} from './document_page.ts'
import { pageAnswer, STYLE } from './html.ts'
import { makeOpenApi, VERSIONS, type OpenApiVersion } from './openapi.ts'
import { API_PAGE, CONTRACT_PATHS, DOCS, STYLE_PATH } from './paths.ts'
import { AvisoError } from '#shared/errors.ts'
import type { Answer, HandlerRequest } from '#shared/handler.ts'
import { answerUnlessKnown } from '#shared/http/conditional.ts'
import type { RoomDoc } from '#shared/http/doc.ts'
import { readQuery } from '#shared/http/query.ts'
import { jsonResponse } from '#shared/http/respond.ts'
import { OFFERS_JSON, rawPath, type Route, type RouteHandler } from '#shared/http/route.ts'

export interface ReferenceParts {
  /** That of Aviso. */
  readonly version: string
  /** Loads the descriptions of all routes. */
  readonly loadContract: () => Promise<readonly RoomDoc[]>
  readonly readDocument: ReadDocument
}

/** The routes. Nothing is made before somebody asks. */
export function createReferenceRoutes(parts: ReferenceParts): readonly Route[] {
  const made = new Map<OpenApiVersion, Promise<string>>()
  const contractText = async (openapi: OpenApiVersion): Promise<string> =>
    JSON.stringify(makeOpenApi(await parts.loadContract(), { version: parts.version, openapi }))
  const contract: RouteHandler = async (request) => {
    const openapi = versionIn(request)
    const text = made.get(openapi) ?? contractText(openapi)
    made.set(openapi, text)
    return answerUnlessKnown(request, { ...jsonResponse(200, {}), body: await text })
  }
  const page: RouteHandler = async (request) =>
    pageAnswer(request, apiPage(makeOpenApi(await parts.loadContract(), parts)))
  const document =
    (path: string): RouteHandler =>
    (request) =>
      answerDocument(parts, request, path)
  const style: RouteHandler = (request) => answerUnlessKnown(request, styleAnswer())
  const html = { method: 'GET', offers: ['text/html'] } as const
  const json = { method: 'GET', handle: contract, offers: OFFERS_JSON } as const
  return [
    { ...json, path: CONTRACT_PATHS.ours, doc: 'openapi' },
    { ...json, path: CONTRACT_PATHS.of2x, doc: 'openapiOf2x' },
    { ...html, path: API_PAGE, doc: 'swagger', trailingSlash: true, handle: page },
    { ...html, path: `${API_PAGE}/index.html`, doc: 'swaggerIndex', handle: page },
    { ...html, path: DOCS, doc: 'docs', trailingSlash: true, handle: document(FIRST_DOCUMENT) },
    { method: 'GET', path: STYLE_PATH, doc: 'docsStyle', handle: style },
    {
      ...html,
      path: `${DOCS}/*`,
      doc: 'document',
      handle: (request) => answerDocument(parts, request, rawPath(request.url).slice(DOCS.length + 1)),
    },
  ]
}

/** @throws {AvisoError} `ERR_BAD_REQUEST`. */
function versionIn(request: HandlerRequest): OpenApiVersion {
  const query = readQuery(request.url)
  const wanted = query.get('version') ?? VERSIONS[0]
  const version = VERSIONS.find((one) => one === wanted)
  if (version !== undefined) return version
  throw new AvisoError('ERR_BAD_REQUEST', `Query parameter 'version' must be ${VERSIONS.join(' or ')}`, {
    details: { field: 'version' },
  })
}

async function answerDocument(
  { readDocument, version }: ReferenceParts,
  request: HandlerRequest,
  path: string,
): Promise<Answer> {
  const text = isDocumentPath(path) ? await readDocument(path) : undefined
  if (text === undefined) return pageAnswer(request, missingPage(path, version), 404)
  return pageAnswer(request, await documentPage(path, text))
}

function styleAnswer(): Answer {
  return {
    status: 200,
    headers: { 'content-type': 'text/css; charset=utf-8', 'x-content-type-options': 'nosniff' },
    body: STYLE,
  }
}
