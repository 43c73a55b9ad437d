/**
 * The newest records of the audit log in memory, so that operators see what happened without the file. A restart forgets them.
 *
 * @module
 */

/** A record that is kept. */
export interface KeptRecord {
  /** Rises from record to record of this process, the first is 1. */
  readonly number: number
  /** JSON, as in the audit log. */
  readonly line: string
}

/** Keeps the newest records of each kind. */
export interface AuditTail {
  /** @param kind Names that the code gives, a few: each has its own room. */
  keep(kind: string, line: string): void
  /** The newest first. */
  list(): readonly KeptRecord[]
}

/**
 * Records of one kind that are kept: a few pages for a person. Each kind has its own room, so that a flood of one, such as refusals during an
 * attack, pushes out no record of administration. A usual record has some hundred bytes. The largest that a stranger can cause has 16 keys of
 * 256 characters of six bytes each, so refusals take at most 7 MB.
 */
export const KEPT_OF_EACH_KIND = 200

/** A tail that keeps nothing yet. */
export function createAuditTail(): AuditTail {
  const kinds = new Map<string, (KeptRecord | undefined)[]>()
  const counts = new Map<string, number>()
  let last = 0
  return {
    keep: (kind, line) => {
      const kept = kinds.get(kind) ?? []
      const count = counts.get(kind) ?? 0
      // The oldest gives up its place.
      kept[count % KEPT_OF_EACH_KIND] = { number: ++last, line }
      kinds.set(kind, kept)
      counts.set(kind, count + 1)
    },
    list: () =>
      [...kinds.values()]
        .flat()
        .filter((record) => record !== undefined)
        .toSorted((a, b) => b.number - a.number),
  }
}
