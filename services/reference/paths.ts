/**
 * Where the documents are, and in which versions.
 *
 * @module
 */

/** The document of the API, here and where 2.x has it. */
export const CONTRACT_PATHS = { ours: '/openapi.json', of2x: '/api-docs/openapi.json' } as const

/** The same as a page. */
export const API_PAGE = '/swagger-ui'

/** The documents of the repository. */
export const DOCS = '/docs'

/** Where the style of pages is. */
export const STYLE_PATH = `${DOCS}/style.css`

/** The versions of OpenAPI that there are; the first is the one that a client without a wish gets. */
export const VERSIONS = ['3.1', '3.2'] as const
export type OpenApiVersion = (typeof VERSIONS)[number]

/** All paths, as routes of a configuration. Every process answers them, whatever its routes are. */
export const REFERENCE_ROUTES: readonly string[] = [
  CONTRACT_PATHS.ours,
  CONTRACT_PATHS.of2x,
  API_PAGE,
  `${API_PAGE}/*`,
  DOCS,
  `${DOCS}/*`,
]
