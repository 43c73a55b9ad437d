/**
 * CRC-32 as of zip, PNG and Ethernet, for runtimes that have none of their own.
 *
 * @module
 */

/** The polynomial, its bits in reverse order. */
const POLYNOMIAL = 0xedb88320

const TABLE = makeTable()

/**
 * The CRC-32 of bytes, from 0 to 2^32 - 1.
 *
 * @param before That of the bytes before them, so that a long text can be read in pieces.
 */
export function crc32(bytes: Uint8Array, before = 0): number {
  let sum = ~before
  for (let index = 0; index < bytes.length; index++) {
    sum = (TABLE[(sum ^ (bytes[index] ?? 0)) & 0xff] ?? 0) ^ (sum >>> 8)
  }
  return ~sum >>> 0
}

function makeTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let sum = byte
    for (let bit = 0; bit < 8; bit++) sum = (sum & 1) === 1 ? (sum >>> 1) ^ POLYNOMIAL : sum >>> 1
    return sum
  })
}
