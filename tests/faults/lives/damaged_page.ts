/**
 * Pages in the middle of the embedded store's file are overwritten, and what its salvage says is lost.
 *
 * @module
 */

import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Dice } from '../../support/dice.ts'
import { DATABASE, LOG, type EmbeddedSite } from './embedded_site.ts'

const PAGE_BYTES = 4_096
/** Behind the first page, without which nothing can be opened, and SQLite's own map of pages. */
const FIRST_PAGE = 2
const MOST_PAGES = 3
/** Bytes that are written at the begin of a page, at least. */
const LEAST_BYTES = 16
/** Pages that may have to be tried until SQLite sees the damage: some are free, or have a newer content in the log. */
const TRIES = 50
/** Stands in the page that says how far history reaches back. */
const MARKS = 'compacted'

/** What was done to the file. */
export interface DamagedPages {
  /** Numbers from 0. */
  readonly pages: readonly number[]
  /** Whether it is no longer known how far history reaches back, so that none of it is. */
  readonly isMarkGone: boolean
  /** How far history reached back before. */
  readonly wholeFrom: bigint
}

/** Overwrites one page or several, until SQLite sees that. @throws {Error} Where it never does. */
export async function damagePages(site: EmbeddedSite, dice: Dice): Promise<DamagedPages> {
  const { data, folder } = site
  const wholeFrom = await site.wholeFrom()
  const path = join(data, DATABASE)
  const bytes = await readFile(path)
  const count = bytes.length / PAGE_BYTES
  const wanted = dice.whole(1, MOST_PAGES)
  const pages: number[] = []
  let isMarkGone = false
  for (let tries = 0; tries < TRIES && pages.length < wanted; tries++) {
    const page = dice.whole(FIRST_PAGE, count - 1)
    const before = Buffer.from(bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES))
    overwrite(bytes, page, dice)
    await writeFile(path, bytes)
    if (pages.length > 0 || (await isSeen(data, join(folder, 'look')))) {
      pages.push(page)
      isMarkGone ||= before.includes(MARKS)
    } else before.copy(bytes, page * PAGE_BYTES)
  }
  if (pages.length === 0) throw new Error(`SQLite sees no damage in ${count} pages`)
  return { pages, isMarkGone, wholeFrom }
}

function overwrite(bytes: Buffer, page: number, dice: Dice): void {
  const start = page * PAGE_BYTES
  const end = start + dice.whole(LEAST_BYTES, PAGE_BYTES)
  const kind = dice.pick(['zeros', 'ones', 'garbage'])
  for (let at = start; at < end; at++)
    bytes[at] = kind === 'garbage' ? dice.whole(0, 255) : kind === 'ones' ? 0xff : 0
}

/** Looks at a copy, because a look carries the log over. */
async function isSeen(data: string, copy: string): Promise<boolean> {
  await rm(copy, { recursive: true, force: true })
  await mkdir(copy)
  for (const name of [DATABASE, LOG]) await cp(join(data, name), join(copy, name)).catch(() => undefined)
  const database = new DatabaseSync(join(copy, DATABASE))
  try {
    return database.prepare('PRAGMA quick_check(1)').get()?.['quick_check'] !== 'ok'
  } catch {
    return true
  } finally {
    database.close()
  }
}

/** An event that a salvage names as lost. */
export interface NamedEvent {
  readonly key: string
  readonly revision: bigint
}

/** A stretch of revisions; `undefined`: up to the end. */
interface Stretch {
  readonly first: bigint
  readonly last: bigint | undefined
}

/** What a salvage says, read from its log as an operator does. */
export interface NamedLoss {
  /** Its new epoch. */
  readonly revision: bigint
  /** Some, or all. */
  readonly named: readonly NamedEvent[]
  readonly stretches: readonly Stretch[]
  readonly lost: number
  /** Whether all that is lost is named. */
  readonly isNamed: boolean
}

/** A key is named by so much of it. */
const NAMED_BYTES = 200

/** @returns `undefined` where no salvage is told of. */
export function readLoss(log: string): NamedLoss | undefined {
  const lines = log.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Line] : []))
  const end = lines.find(({ message }) => message.startsWith('The store lost what lay on damaged pages'))
  if (end === undefined) return undefined
  const named = lines
    .filter(({ message }) => message === 'An event that cannot be read is given up')
    .map(({ key = '', revision = 0 }) => ({ key, revision: BigInt(revision) }))
  const { lost = 0, revision = 0, revisions = '', unnamed } = end
  return {
    revision: BigInt(revision),
    named,
    stretches: stretchesIn(revisions),
    lost,
    isNamed: unnamed === undefined && named.length === lost,
  }
}

interface Line {
  readonly message: string
  readonly key?: string
  readonly revision?: number | string
  readonly lost?: number
  readonly revisions?: string
  readonly unnamed?: string
}

/** Such as `revisions 7 to 9, 12, 20 and later`, and `none`. */
function stretchesIn(text: string): readonly Stretch[] {
  return [...text.matchAll(/(\d+)(?: to (\d+)| (and later))?/g)].map(([, first = '', last, later]) => ({
    first: BigInt(first),
    last: later === undefined ? BigInt(last ?? first) : undefined,
  }))
}

/** Whether a write may be gone after a salvage. */
export function mayBeLost(loss: NamedLoss, { key, revision }: NamedEvent): boolean {
  if (isNamedLost(loss, { key, revision })) return true
  return (
    !loss.isNamed &&
    loss.stretches.some(({ first, last }) => revision >= first && (last === undefined || revision <= last))
  )
}

/** Whether a write is among those that are named. */
export function isNamedLost({ named }: NamedLoss, { key, revision }: NamedEvent): boolean {
  return named.some(
    (one) =>
      one.revision === revision &&
      (one.key === key || (one.key.length === NAMED_BYTES && key.startsWith(one.key))),
  )
}

/** The first revision behind all that is lost, as far as that is told; 0n where nothing is. */
export function behindLoss({ stretches, revision }: NamedLoss): bigint {
  const ends = stretches.map(({ last }) => (last === undefined ? revision : last + 1n))
  return ends.reduce((latest, end) => (end > latest ? end : latest), 0n)
}
