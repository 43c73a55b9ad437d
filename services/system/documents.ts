/**
 * Finds the documents of the version that runs: a clone has them as files, and what is bundled has them in itself.
 *
 * @module
 */

import type { ReadDocument } from '#services/reference/document_page.ts'

/** @param readText Reads a file. */
export function createDocumentReader(readText: (path: string) => Promise<string>): ReadDocument {
  return async (path) => {
    // Loaded here, because nothing else needs half a megabyte of text.
    const { embedded } = await import('./embedded_documents.ts')
    if (embedded !== undefined) return Object.hasOwn(embedded, path) ? embedded[path] : undefined
    const { pathname } = new URL(`../../${path}`, import.meta.url)
    return readText(decodeURIComponent(pathname)).catch(() => undefined)
  }
}
