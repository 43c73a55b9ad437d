/**
 * The ids of recent notifications of one event type, from this ingest and from others. They make publishing idempotent.
 *
 * @module
 */

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

/** A window of at most `maxItems` identities. It surely has the last `maxItems / 2`, or those of the last `maxAgeMs` if these are fewer. */
export function createIdWindow({
  maxItems,
  maxAgeMs,
}: {
  readonly maxItems: number
  readonly maxAgeMs: number
}): IdWindow {
  // Two generations: dropping half of the identities at once is free, while deleting the oldest of a Map one by one is slow.
  let young = createGeneration()
  let old = createGeneration()
  let youngSince = -Infinity
  return {
    get: (identity) => young.get(identity) ?? old.get(identity),
    add: (identity, item) => {
      if (young.size() >= maxItems / 2 || item.atMs - youngSince > maxAgeMs) {
        old = young
        young = createGeneration()
        youngSince = item.atMs
      }
      young.add(identity, item)
    },
    size: () => young.size() + old.size(),
  }
}

interface Generation {
  size(): number
  get(identity: string): StoredItem | undefined
  add(identity: string, item: StoredItem): void
}

const FIRST_ROOM = 64
const FINGERPRINT = /^[\da-f]{16}$/

/**
 * Items as columns of numbers, which take 40 bytes an item where objects took 400. All that a garbage collection has to look at is one text an
 * identity.
 */
function createGeneration(): Generation {
  const places = new Map<string, number>()
  let room = FIRST_ROOM
  let hashes = new Uint32Array(2 * room)
  let numbers = new Float64Array(3 * room)
  /** Keys that their identity does not tell, and hashes that are no fingerprints: another program wrote those. By place. */
  const keys = new Map<number, string>()
  const foreign = new Map<number, string>()

  function makeRoom(): void {
    room *= 2
    const [oldHashes, oldNumbers] = [hashes, numbers]
    hashes = new Uint32Array(2 * room)
    hashes.set(oldHashes)
    numbers = new Float64Array(3 * room)
    numbers.set(oldNumbers)
  }
  return {
    size: () => places.size,
    get: (identity) => {
      const place = places.get(identity)
      if (place === undefined) return undefined
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
    add: (identity, { key, hash, revision, seq, atMs }) => {
      const place = places.get(identity) ?? places.size
      if (place === room) makeRoom()
      places.set(identity, place)
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
