/**
 * The ring: it holds the recent revisions, shared by all streams and bounded in bytes. They are packed. What readers need is decoded, and
 * kept with its frames for a while, because streams that come back together need the same.
 *
 * @module
 */

import { firstIndex } from '#shared/search.ts'
import type { KeyRange, Revision, StoreEvent } from '#shared/store/store.ts'
import type { EntrySource } from './chunk.ts'
import type { Decoder } from './decode.ts'
import { hold, release, type Account, type Entry } from './entry.ts'
import {
  addToPack,
  createPack,
  findInPack,
  hasRoom,
  packedEventsIn,
  packedSize,
  unpackEntry,
  type Pack,
} from './packed.ts'

/**
 * Entries are addressed by position, a counter that never goes back. The hull is the range of keys that the hub watches (`hullOf`).
 *
 * Invariant: every revision of the hull from `floor` up to `through` that has something for listeners is in the ring. The hull also had
 * an event at a revision ≥ `floor`. So a reader of the hull's history may go on in the ring as soon as it has seen a revision
 * ≥ `floor - 1`: without a gap, without a repeat and without guessing.
 */
export interface Ring extends EntrySource {
  /** The ring holds everything from this revision on. */
  readonly floor: Revision
  /** Position of the oldest entry. */
  readonly start: number
  /** Position of the next entry. */
  readonly end: number
  readonly bytes: number
  /** The entry at a position, for one reader that needs it once: it is not kept for others. */
  once(position: number): Entry | undefined
  /** The events of an entry whose keys lie in a range, without what is internal. Nothing is decoded for it. */
  eventsIn(position: number, range: KeyRange): readonly StoreEvent[]
  append(entry: Entry): void
  /** Records that there is nothing more for listeners up to a revision. */
  advance(through: Revision): void
  /** Lets go of what no reader has needed for some calls, and of what is too much by now: entries grow while frames are made from them. */
  sweep(): void
  /** Forgets everything. The next entries begin at revision `floor`; positions go on. */
  reset(floor: Revision): void
}

/** Share of its memory in which the ring is packed. The rest is for what is decoded. */
const PACKED_SHARE = 1 / 2
/** Share in which the newest entries stay decoded while there are readers, for streams that are a moment behind. */
const NEWEST_SHARE = 1 / 8
/** A block is packed, and dropped, as one. It is a small part of the ring, and yet so large that there are few of them. */
const BLOCK_SHARE = 1 / 128
/** Objects of a block. */
const BLOCK_OVERHEAD_BYTES = 500
/** Sweeps, some seconds in all, after which what was not read is let go. */
const UNREAD_SWEEPS = 5

/** Entries that follow each other. */
interface Block {
  /** Position of its first entry. */
  readonly start: number
  readonly pack: Pack
  /** Those that are decoded now, by their index. */
  decoded: (Entry | undefined)[]
  readonly account: Account
  /** Whether a reader had to decode some again: then others may come, too. Otherwise only the newest stay decoded. */
  isLate: boolean
  /** At which sweep it was read last. */
  readAt: number
}

/** A ring of at most `maxBytes` that always keeps its newest entry. Its first revision is `from`. */
export function createRing(maxBytes: number, from: Revision, decode: Decoder): Ring {
  const blocks = createBlocks(Math.floor(maxBytes * BLOCK_SHARE))
  let end = 0
  let floor = from
  let through = from - 1n
  let sweeps = 0
  /** At which sweep any entry was read last. */
  let readAt = -Infinity

  function at(position: number): Entry | undefined {
    const block = blocks.at(position)
    if (block === undefined) return undefined
    readAt = sweeps
    block.readAt = sweeps
    const index = position - block.start
    const known = block.decoded[index]
    if (known !== undefined) return known
    if (block.account.bytes === 0) trim()
    const entry = unpackEntry(block.pack, index, decode)
    hold(entry, block.account)
    block.decoded[index] = entry
    block.isLate = true
    return entry
  }

  function trim(): void {
    while (blocks.bytes > maxBytes * PACKED_SHARE && blocks.all.length > 1)
      floor = (blocks.dropFirst()?.pack.last ?? through) + 1n
    letGo(blocks.all, { most: maxBytes - blocks.bytes, newest: maxBytes * NEWEST_SHARE, sweeps })
  }

  return {
    get floor() {
      return floor
    },
    get through() {
      return through
    },
    get start() {
      return blocks.all[0]?.start ?? end
    },
    get end() {
      return end
    },
    get bytes() {
      return blocks.bytes + decodedBytes(blocks.all)
    },
    at,
    once: (position) => {
      const block = blocks.at(position)
      if (block === undefined) return undefined
      const index = position - block.start
      return block.decoded[index] ?? unpackEntry(block.pack, index, decode)
    },
    eventsIn: (position, range) => {
      const block = blocks.at(position)
      return block === undefined ? [] : packedEventsIn(block.pack, position - block.start, range)
    },
    find: (revision) => {
      const block = blocks.all[firstIndex(blocks.all, ({ pack }) => pack.last >= revision)]
      return block === undefined ? end : block.start + findInPack(block.pack, revision)
    },
    append: (entry) => {
      const isRead = sweeps - readAt < UNREAD_SWEEPS
      const block = blocks.add(entry, end)
      if (isRead) {
        hold(entry, block.account)
        block.decoded[end - block.start] = entry
        block.readAt = sweeps
      }
      end++
      through = entry.revision
      if (end - 1 === block.start) trim()
    },
    advance: (revision) => {
      if (revision > through) through = revision
    },
    sweep: () => {
      sweeps++
      trim()
    },
    reset: (revision) => {
      blocks.clear()
      floor = revision
      through = revision - 1n
    },
  }
}

/** The blocks of a ring, the oldest first. */
interface Blocks {
  readonly all: readonly Block[]
  /** What they take packed. */
  readonly bytes: number
  /** The block that has the entry at a position. */
  at(position: number): Block | undefined
  /** Packs an entry. @param position Of the entry: the one after the last. @returns its block. */
  add(entry: Entry, position: number): Block
  dropFirst(): Block | undefined
  clear(): void
}

/** @param blockBytes Of a block, unless an entry has more. */
function createBlocks(blockBytes: number): Blocks {
  let all: Block[] = []
  let bytes = 0
  /** The block that was asked for last, because most readers go on there. */
  let last: Block | undefined

  function roomFor(entry: Entry, start: number): Block {
    const size = packedSize(entry)
    const newest = all.at(-1)
    if (newest !== undefined && hasRoom(newest.pack, entry, size)) return newest
    const pack = createPack(Math.max(size, blockBytes), entry.revision)
    const block = { start, pack, decoded: [], account: { bytes: 0 }, isLate: false, readAt: -Infinity }
    all.push(block)
    bytes += sizeOf(block)
    return block
  }
  return {
    get all() {
      return all
    },
    get bytes() {
      return bytes
    },
    at: (position) => {
      if (last === undefined || !isIn(last, position))
        last = all[firstIndex(all, ({ start }) => start > position) - 1]
      return last !== undefined && isIn(last, position) ? last : undefined
    },
    add: (entry, position) => {
      const block = roomFor(entry, position)
      addToPack(block.pack, entry)
      return block
    },
    dropFirst: () => {
      const block = all.shift()
      if (block === undefined) return undefined
      forget(block)
      bytes -= sizeOf(block)
      if (last === block) last = undefined
      return block
    },
    clear: () => {
      all.forEach(forget)
      all = []
      bytes = 0
      last = undefined
    },
  }
}

function isIn({ start, pack }: Block, position: number): boolean {
  return position >= start && position < start + pack.starts.length
}

/** Lets go of what is decoded. Streams that still use an entry may go on. */
function forget(block: Block): void {
  for (const entry of block.decoded) if (entry !== undefined) release(entry)
  block.decoded = []
  block.isLate = false
}

function sizeOf({ pack }: Block): number {
  return BLOCK_OVERHEAD_BYTES + pack.bytes.length
}

/** How much may stay decoded. */
interface DecodedBounds {
  readonly most: number
  /** Of the newest entries, for readers that are a moment behind. */
  readonly newest: number
  readonly sweeps: number
}

/** Lets go of what was decoded and is not read any more, and then of what was read least recently, while it is too much. */
function letGo(blocks: readonly Block[], { most, newest, sweeps }: DecodedBounds): void {
  let bytes = 0
  for (const block of blocks.toReversed()) {
    bytes += block.account.bytes
    const isNeeded = block.isLate || bytes <= newest
    if (!isNeeded || sweeps - block.readAt >= UNREAD_SWEEPS) forget(block)
  }
  let left = decodedBytes(blocks)
  if (left <= most) return
  for (const block of blocks.toSorted((one, other) => one.readAt - other.readAt)) {
    left -= block.account.bytes
    forget(block)
    if (left <= most) return
  }
}

function decodedBytes(blocks: readonly Block[]): number {
  return blocks.reduce((sum, { account }) => sum + account.bytes, 0)
}
