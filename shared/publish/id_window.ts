/**
 * The ids of recent notifications of one event type, from this ingest and from others. They make publishing idempotent.
 *
 * @module
 */

import { HASH_WORDS, type IdentityHash } from './identity_hash.ts'

/** What is known about a stored notification. */
export interface StoredItem {
  readonly key: string
  /** Fingerprint of its value. */
  readonly hash: string
  readonly revision: bigint
  readonly seq: number
  /** RFC 3339 UTC with milliseconds. */
  readonly at: string
  /** The same in milliseconds since 1970. */
  readonly atMs: number
}

/** The parts that identify a notification. */
export interface Named {
  readonly id: string
  readonly source: string
  readonly key: string
}

/**
 * The text that identifies a notification. Providers of 1.x send one constant id for everything, so an id counts together with its key. If
 * ids are strict, each must name one notification, and the key does not count.
 */
export function identityOf({ id, source, key }: Named, strictIds: boolean): string {
  // The length keeps ("a", "bc") apart from ("ab", "c"), and no key contains NUL.
  return `${source.length}:${source}${id}${strictIds ? '' : `\0${key}`}`
}

/** The key in an identity; empty where ids are strict. */
function keyIn(identity: string): string {
  const end = identity.lastIndexOf('\0')
  return end === -1 ? '' : identity.slice(end + 1)
}

/** Whether {@link keyIn} gives this key. */
function hasKey(identity: string, key: string): boolean {
  const start = identity.length - key.length
  return key !== '' && identity.endsWith(key) && identity.lastIndexOf('\0') === start - 1
}

/** Room for the names of identities: to make one takes longer than to look it up. */
export interface Names {
  readonly words: Uint32Array
}

/** Room for the names of `count` identities. */
export function roomForNames(count: number): Names {
  return { words: new Uint32Array(HASH_WORDS * count) }
}

/** Remembers the last notification of each identity. */
export interface IdWindow {
  /** @param names Is given the name of the identity, at `index`. */
  get(identity: string, names?: Names, index?: number): StoredItem | undefined
  /**
   * Items come in the order of their sequence numbers.
   *
   * @param names Has the name of the identity, at `index`, as {@link IdWindow.get} gave it.
   */
  add(identity: string, item: StoredItem, names?: Names, index?: number): void
  /** Number of identities; one that is remembered twice counts twice. */
  size(): number
}

/** Bounds of a window, and how it tells identities apart. */
export interface IdWindowParts {
  readonly maxItems: number
  readonly maxAgeMs: number
  readonly hash: IdentityHash
}

/** A window of at most `maxItems` identities. It surely has the last `maxItems / 2`, or those of the last `maxAgeMs` if these are fewer. */
export function createIdWindow({ maxItems, maxAgeMs, hash }: IdWindowParts): IdWindow {
  // Two generations: dropping half of the identities at once is free, while deleting the oldest one by one is slow.
  let young = createGeneration(maxItems / 2)
  let old = createGeneration(0)
  let youngSince = -Infinity
  const own = roomForNames(1)
  return {
    get: (identity, { words } = own, index = 0) => {
      const at = HASH_WORDS * index
      hash(identity, words, at)
      return young.get(identity, words, at) ?? old.get(identity, words, at)
    },
    add: (identity, item, names, index = 0) => {
      if (young.size() >= maxItems / 2 || item.atMs - youngSince > maxAgeMs) {
        old = young
        young = createGeneration(maxItems / 2)
        youngSince = item.atMs
      }
      if (names === undefined) hash(identity, own.words)
      const at = names === undefined ? 0 : HASH_WORDS * index
      young.add(identity, { words: names?.words ?? own.words, at }, item)
    },
    size: () => young.size() + old.size(),
  }
}

/** Identities with the hashes that name them: those of `words` from `at` on. */
interface Generation {
  size(): number
  get(identity: string, words: Uint32Array, at: number): StoredItem | undefined
  add(identity: string, name: { readonly words: Uint32Array; readonly at: number }, item: StoredItem): void
}

const FIRST_ROOM = 64
/** Slots for each place at least, so that a search looks at two of them. */
const SLOTS_A_PLACE = 2
/** Digits of a word in a fingerprint. */
const WORD_DIGITS = 8

/**
 * Items as columns of numbers, which take 56 bytes an item, where objects took 400 and the text of an identity 150. There is nothing that a
 * garbage collection has to look at.
 *
 * @param most Items for which there will be room without waste.
 */
function createGeneration(most: number): Generation {
  let room = FIRST_ROOM
  let size = 0
  let names = new Uint32Array(HASH_WORDS * room)
  let hashes = new Uint32Array(2 * room)
  let numbers = new Float64Array(3 * room)
  /** One more than the place of the name that belongs there, or in a slot before; 0: empty. */
  let slots = new Uint32Array(slotsFor(room))
  /** Keys that their identity does not tell, and hashes that are no fingerprints: another program wrote those. By place. */
  const keys = new Map<number, string>()
  const foreign = new Map<number, string>()

  /** The slot of a name, or the empty one where it belongs. */
  function slotOf(words: Uint32Array, at: number): number {
    const mask = slots.length - 1
    let slot = (words[at] ?? 0) & mask
    for (;;) {
      const place = (slots[slot] ?? 0) - 1
      if (place < 0 || isName(place, words, at)) return slot
      slot = (slot + 1) & mask
    }
  }

  function isName(place: number, words: Uint32Array, at: number): boolean {
    for (let word = 0; word < HASH_WORDS; word++)
      if (names[HASH_WORDS * place + word] !== words[at + word]) return false
    return true
  }

  function makeRoom(): void {
    // The last time no further than needed, because most of it would never be used.
    room = room < most && 2 * room > most ? Math.ceil(most) : 2 * room
    const [oldNames, oldHashes, oldNumbers] = [names, hashes, numbers]
    names = new Uint32Array(HASH_WORDS * room)
    names.set(oldNames)
    hashes = new Uint32Array(2 * room)
    hashes.set(oldHashes)
    numbers = new Float64Array(3 * room)
    numbers.set(oldNumbers)
    slots = new Uint32Array(slotsFor(room))
    for (let place = 0; place < size; place++) slots[slotOf(names, HASH_WORDS * place)] = place + 1
  }

  /** The place of a name, which is made where there is none. */
  function placeFor(words: Uint32Array, at: number): number {
    let slot = slotOf(words, at)
    const known = slots[slot] ?? 0
    if (known > 0) return known - 1
    if (size === room) {
      makeRoom()
      slot = slotOf(words, at)
    }
    const place = size++
    for (let word = 0; word < HASH_WORDS; word++) names[HASH_WORDS * place + word] = words[at + word] ?? 0
    slots[slot] = place + 1
    return place
  }
  return {
    size: () => size,
    get: (identity, words, nameAt) => {
      const place = (slots[slotOf(words, nameAt)] ?? 0) - 1
      if (place < 0) return undefined
      const [high = 0, low = 0] = hashes.subarray(2 * place)
      const [revision = 0, seq = 0, atMs = 0] = numbers.subarray(3 * place)
      return {
        key: keys.get(place) ?? keyIn(identity),
        hash: foreign.get(place) ?? toHexadecimal(high) + toHexadecimal(low),
        revision: BigInt(revision),
        seq,
        at: new Date(atMs).toISOString(),
        atMs,
      }
    },
    add: (identity, { words, at }, { key, hash, revision, seq, atMs }) => {
      const place = placeFor(words, at)
      // They are mostly empty.
      if (keys.size > 0) keys.delete(place)
      if (!hasKey(identity, key)) keys.set(place, key)
      if (foreign.size > 0) foreign.delete(place)
      const high = wordIn(hash, 0)
      const low = wordIn(hash, WORD_DIGITS)
      if (hash.length === 2 * WORD_DIGITS && high !== undefined && low !== undefined) {
        hashes[2 * place] = high
        hashes[2 * place + 1] = low
      } else foreign.set(place, hash)
      numbers[3 * place] = Number(revision)
      numbers[3 * place + 1] = seq
      numbers[3 * place + 2] = atMs
    },
  }
}

/** A power of two. */
function slotsFor(room: number): number {
  return 2 ** Math.ceil(Math.log2(SLOTS_A_PLACE * room))
}

/** The word that {@link toHexadecimal} writes so; `undefined` for other text. */
function wordIn(text: string, start: number): number | undefined {
  let word = 0
  for (let index = start; index < start + WORD_DIGITS; index++) {
    const code = text.charCodeAt(index)
    if (code >= 0x30 && code <= 0x39) word = (word << 4) | (code - 0x30)
    else if (code >= 0x61 && code <= 0x66) word = (word << 4) | (code - 0x57)
    else return undefined
  }
  return word
}

function toHexadecimal(word: number): string {
  return word.toString(16).padStart(8, '0')
}
