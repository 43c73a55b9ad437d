/**
 * Keeps chunks for a while, because streams that come back together need the same chunks.
 *
 * @module
 */

import { readChunk, type Chunk, type EntrySource } from './source/chunk.ts'
import { CHUNK_BYTES } from './source/limits.ts'
import type { Stream } from './stream.ts'

/** Map slot, key and header of a chunk. */
const CHUNK_OVERHEAD_BYTES = 300

/** A kept chunk of at least this size is used again, although there is more to read by now. */
const WORTHWHILE_BYTES = CHUNK_BYTES / 2

/** Reads what comes next for a stream. It does not move the stream's cursor. */
export type ChunkReader = (stream: Stream, source: EntrySource) => Chunk

/** A reader that keeps at most `maxBytes` of chunks; the oldest is dropped first. */
export function createChunkReader(maxBytes: number): ChunkReader {
  const chunks = new Map<string, Chunk>()
  let bytes = 0

  const remove = (key: string): void => {
    const chunk = chunks.get(key)
    if (chunk === undefined) return
    chunks.delete(key)
    bytes -= sizeOf(chunk)
  }
  const keep = (key: string, chunk: Chunk): void => {
    remove(key)
    chunks.set(key, chunk)
    bytes += sizeOf(chunk)
    for (const oldest of chunks.keys()) {
      if (bytes <= maxBytes) break
      remove(oldest)
    }
  }
  return (stream, source) => {
    const { group, historyEnd, until, next, index } = stream
    const isHistory = historyEnd !== undefined
    const reading = {
      matcher: group.matcher,
      encoding: isHistory ? group.history : group.live,
      last: historyEnd ?? until,
    }
    // A chunk for a stream that may have so many more is of no use to others.
    if (isHistory && stream.historyLeft !== undefined)
      return readChunk(source, stream, { ...reading, most: stream.historyLeft })
    if (group.size === 1) return readChunk(source, stream, reading)
    const key = `${group.id}.${isHistory ? 'history' : 'live'}.${next}.${index}`
    const known = chunks.get(key)
    const isTooLong = known !== undefined && reading.last !== undefined && known.next > reading.last + 1n
    if (known !== undefined && !isTooLong && isWorthwhile(known, stream)) return known
    const chunk = readChunk(source, stream, reading)
    keep(key, chunk)
    return chunk
  }
}

/** Whether a kept chunk is used as it is: it ends at a bound, or is large enough, or there is nothing more to read. */
function isWorthwhile({ isFull, isCut, bytes, next }: Chunk, { group }: Stream): boolean {
  return isFull || isCut || (bytes?.length ?? 0) >= WORTHWHILE_BYTES || next > group.lastHit
}

function sizeOf({ bytes }: Chunk): number {
  return CHUNK_OVERHEAD_BYTES + (bytes?.length ?? 0)
}
