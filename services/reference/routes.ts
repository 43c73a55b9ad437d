/**
 * The document of the API and the documents of the repository, of the version that runs. Everyone may read them.
 *
 * The first request for one loads what makes them, so that a start does not pay for it.
 *
 * @module
 */

import type { ReadDocument } from './document_page.ts'
import type { PageLinks } from './html.ts'
import type { OpenApiDocument } from './openapi.ts'
import { API_PAGE, CONTRACT_PATHS, DOCS, STYLE_PATH, VERSIONS, type OpenApiVersion } from './paths.ts'
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
  /** Whether the console is at the same address. Default: no. */
  readonly hasConsole?: () => boolean
}

/** The routes. */
export function createReferenceRoutes(parts: ReferenceParts): readonly Route[] {
  const texts = new Map<OpenApiVersion, Promise<string>>()
  const contract: RouteHandler = async (request) => {
    const openapi = versionIn(request)
    const text = texts.get(openapi) ?? makeContract(parts, openapi).then((made) => JSON.stringify(made))
    texts.set(openapi, text)
    return answerUnlessKnown(request, { ...jsonResponse(200, {}), body: await text })
  }
  let apiPage: Promise<string> | undefined
  const page: RouteHandler = async (request) => {
    const { pageAnswer } = await import('./html.ts')
    return pageAnswer(request, await (apiPage ??= makeApiPage(parts)))
  }
  const pages: MadePages = new Map()
  const document: RouteHandler = (request) => answerDocument(parts, pages, request)
  const html = { method: 'GET', offers: ['text/html'] } as const
  const json = { method: 'GET', handle: contract, offers: OFFERS_JSON } as const
  return [
    { ...json, path: CONTRACT_PATHS.ours, doc: 'openapi' },
    { ...json, path: CONTRACT_PATHS.of2x, doc: 'openapiOf2x' },
    { ...html, path: API_PAGE, doc: 'swagger', trailingSlash: true, handle: page },
    { ...html, path: `${API_PAGE}/index.html`, doc: 'swaggerIndex', handle: page },
    { ...html, path: DOCS, doc: 'docs', trailingSlash: true, handle: document },
    { method: 'GET', path: STYLE_PATH, doc: 'docsStyle', handle: answerStyle },
    { ...html, path: `${DOCS}/*`, doc: 'document', handle: document },
  ]
}

async function makeContract(parts: ReferenceParts, openapi: OpenApiVersion): Promise<OpenApiDocument> {
  const { makeOpenApi } = await import('./openapi.ts')
  return makeOpenApi(await parts.loadContract(), { version: parts.version, openapi })
}

async function makeApiPage(parts: ReferenceParts): Promise<string> {
  const { apiPage } = await import('./api_page.ts')
  return apiPage(await makeContract(parts, VERSIONS[0]), linksOf(parts))
}

/** Where else a reader may go. It is known once the process listens, and does not change. */
function linksOf({ hasConsole = () => false }: ReferenceParts): PageLinks {
  return { console: hasConsole() ? '/console/' : undefined }
}

/** @throws {AvisoError} `ERR_BAD_REQUEST`. */
function versionIn(request: HandlerRequest): OpenApiVersion {
  const wanted = readQuery(request.url).get('version') ?? VERSIONS[0]
  const version = VERSIONS.find((one) => one === wanted)
  if (version !== undefined) return version
  throw new AvisoError('ERR_BAD_REQUEST', `Query parameter 'version' must be ${VERSIONS.join(' or ')}`, {
    details: { field: 'version' },
  })
}

/** Path → page, and what it was made of. Everyone may ask, so a page is not made for each request. There are as many as documents. */
type MadePages = Map<string, { readonly text: string; readonly page: Promise<string> }>

async function answerDocument(
  parts: ReferenceParts,
  pages: MadePages,
  request: HandlerRequest,
): Promise<Answer> {
  const { documentPage, FIRST_DOCUMENT, isDocumentPath, missingPage } = await import('./document_page.ts')
  const { pageAnswer } = await import('./html.ts')
  const { readDocument, version } = parts
  const links = linksOf(parts)
  const rest = rawPath(request.url).slice(DOCS.length + 1)
  const path = rest === '' ? FIRST_DOCUMENT : rest
  const text = isDocumentPath(path) ? await readDocument(path) : undefined
  if (text === undefined) return pageAnswer(request, missingPage(path, version, links), 404)
  const known = pages.get(path)
  const made = known?.text === text ? known : { text, page: documentPage(path, text, links) }
  pages.set(path, made)
  return pageAnswer(request, await made.page)
}

async function answerStyle(request: HandlerRequest): Promise<Answer> {
  const { STYLE } = await import('./html.ts')
  const headers = { 'content-type': 'text/css; charset=utf-8', 'x-content-type-options': 'nosniff' }
  return answerUnlessKnown(request, { status: 200, headers, body: STYLE })
}
