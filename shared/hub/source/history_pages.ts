/**
 * Keeps pages of history that were read from the store, for the streams that need them at about the same time.
 *
 * @module
 */

import { firstIndex } from '#shared/search.ts'
import type { Revision } from '#shared/store/store.ts'
import type { EntrySource } from './chunk.ts'
import { hold, release, type Account, type Entry } from './entry.ts'

/** A complete stretch of history. */
export interface Page extends EntrySource {
  /** The page holds everything from this revision up to `through`. */
  readonly from: Revision
}

/** A bounded collection of pages. */
export interface HistoryPages {
  /** The page that holds a revision. */
  find(revision: Revision): Page | undefined
  add(from: Revision, through: Revision, entries: readonly Entry[]): void
  /** Drops pages while they have too many bytes. Pages grow after they were added, because frames are made from them. */
  trim(): void
  clear(): void
}

interface Kept {
  readonly page: Page
  readonly entries: readonly Entry[]
  readonly account: Account
  usedAt: number
}

/** Memory of a page's own objects. */
const PAGE_OVERHEAD_BYTES = 500

/** Pages of at most `maxBytes` at a time. The page that was used least recently is dropped first. */
export function createHistoryPages(maxBytes: () => number): HistoryPages {
  /** Ascending in `from` and in `through`, because no page lies within another. */
  let pages: Kept[] = []
  let uses = 0

  const drop = (kept: Kept): void => {
    pages = pages.filter((other) => other !== kept)
    kept.entries.forEach(release)
  }
  const trim = (): void => {
    // The last page stays, whatever the bound, which takes a look at all streams.
    if (pages.length < 2) return
    const most = maxBytes()
    let bytes = pages.reduce((sum, { account }) => sum + account.bytes, 0)
    while (bytes > most && pages.length > 1) {
      const oldest = pages.reduce((least, kept) => (kept.usedAt < least.usedAt ? kept : least))
      bytes -= oldest.account.bytes
      drop(oldest)
    }
  }
  return {
    find: (revision) => {
      const kept = pages[lastAtOrBefore(pages, revision)]
      if (kept === undefined || kept.page.through < revision) return undefined
      kept.usedAt = ++uses
      return kept.page
    },
    add: (from, through, entries) => {
      const around = pages[lastAtOrBefore(pages, from)]
      if (around !== undefined && around.page.through >= through) return
      for (const kept of pages) if (kept.page.from >= from && kept.page.through <= through) drop(kept)
      const account: Account = { bytes: PAGE_OVERHEAD_BYTES }
      for (const entry of entries) hold(entry, account)
      const page = createPage(from, through, entries)
      pages.splice(lastAtOrBefore(pages, from) + 1, 0, { page, entries, account, usedAt: ++uses })
      trim()
    },
    trim,
    clear: () => {
      for (const { entries } of pages) entries.forEach(release)
      pages = []
    },
  }
}

function createPage(from: Revision, through: Revision, entries: readonly Entry[]): Page {
  return {
    from,
    through,
    at: (position) => entries[position],
    find: (revision) => firstIndex(entries, (entry) => entry.revision >= revision),
  }
}

/** Index of the last page that begins at or before a revision; -1 without one. */
function lastAtOrBefore(pages: readonly Kept[], revision: Revision): number {
  return firstIndex(pages, ({ page }) => page.from > revision) - 1
}
