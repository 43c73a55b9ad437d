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

/** Remembers the last notification of each identity. */
export interface IdWindow {
  get(identity: string): StoredItem | undefined
  /** Items come in the order of their sequence numbers. */
  add(identity: string, item: StoredItem): void
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
  let young = createGeneration()
  let old = createGeneration()
  let youngSince = -Infinity
  const name = new Uint32Array(HASH_WORDS)
  return {
    get: (identity) => {
      hash(identity, name)
      return young.get(identity, name) ?? old.get(identity, name)
    },
    add: (identity, item) => {
      if (young.size() >= maxItems / 2 || item.atMs - youngSince > maxAgeMs) {
        old = young
        young = createGeneration()
        youngSince = item.atMs
      }
      hash(identity, name)
      young.add(identity, name, item)
    },
    size: () => young.size() + old.size(),
  }
}

/** Identities with the hashes that name them. */
interface Generation {
  size(): number
  get(identity: string, name: Uint32Array): StoredItem | undefined
  add(identity: string, name: Uint32Array, item: StoredItem): void
}

const FIRST_ROOM = 64
/** Slots for each place, so that a search looks at two of them. */
const SLOTS_A_PLACE = 2
const FINGERPRINT = /^[\da-f]{16}$/

/**
 * Items as columns of numbers, which take 56 bytes an item, where objects took 400 and the text of an identity 150. There is nothing that a
 * garbage collection has to look at.
 */
function createGeneration(): Generation {
  let room = FIRST_ROOM
  let size = 0
  let names = new Uint32Array(HASH_WORDS * room)
  let hashes = new Uint32Array(2 * room)
  let numbers = new Float64Array(3 * room)
  /** One more than the place of the name that belongs there, or in a slot before; 0: empty. */
  let slots = new Uint32Array(SLOTS_A_PLACE * room)
  /** Keys that their identity does not tell, and hashes that are no fingerprints: another program wrote those. By place. */
  const keys = new Map<number, string>()
  const foreign = new Map<number, string>()

  /** The slot of a name, or the empty one where it belongs. */
  function slotOf(name: Uint32Array): number {
    const mask = slots.length - 1
    let slot = (name[0] ?? 0) & mask
    for (;;) {
      const place = (slots[slot] ?? 0) - 1
      if (place < 0 || isName(place, name)) return slot
      slot = (slot + 1) & mask
    }
  }

  function isName(place: number, name: Uint32Array): boolean {
    for (let word = 0; word < HASH_WORDS; word++)
      if (names[HASH_WORDS * place + word] !== name[word]) return false
    return true
  }

  function makeRoom(): void {
    room *= 2
    const [oldNames, oldHashes, oldNumbers] = [names, hashes, numbers]
    names = new Uint32Array(HASH_WORDS * room)
    names.set(oldNames)
    hashes = new Uint32Array(2 * room)
    hashes.set(oldHashes)
    numbers = new Float64Array(3 * room)
    numbers.set(oldNumbers)
    slots = new Uint32Array(SLOTS_A_PLACE * room)
    for (let place = 0; place < size; place++)
      slots[slotOf(names.subarray(HASH_WORDS * place, HASH_WORDS * (place + 1)))] = place + 1
  }

  /** The place of a name, which is made where there is none. */
  function placeFor(name: Uint32Array): number {
    const known = slots[slotOf(name)] ?? 0
    if (known > 0) return known - 1
    if (size === room) makeRoom()
    const place = size++
    names.set(name, HASH_WORDS * place)
    slots[slotOf(name)] = place + 1
    return place
  }
  return {
    size: () => size,
    get: (identity, name) => {
      const place = (slots[slotOf(name)] ?? 0) - 1
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
    add: (identity, name, { key, hash, revision, seq, atMs }) => {
      const place = placeFor(name)
      if (keyIn(identity) === key) keys.delete(place)
      else keys.set(place, key)
      if (FINGERPRINT.test(hash)) {
        hashes[2 * place] = Number.parseInt(hash.slice(0, 8), 16)
        hashes[2 * place + 1] = Number.parseInt(hash.slice(8), 16)
        foreign.delete(place)
      } else foreign.set(place, hash)
      numbers[3 * place] = Number(revision)
      numbers[3 * place + 1] = seq
      numbers[3 * place + 2] = atMs
    },
  }
}

function toHexadecimal(word: number): string {
  return word.toString(16).padStart(8, '0')
}
