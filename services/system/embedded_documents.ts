/**
 * The documents in a bundle, whose maker replaces this module (`scripts/release/documents.ts`). A clone has files instead.
 *
 * @module
 */

/** Path below the top folder → text. */
export const embedded: Readonly<Record<string, string>> | undefined = undefined
