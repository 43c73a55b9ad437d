/**
 * The port to a SHA-256 that is computed piece by piece. Web standards have none, so each runtime brings its own.
 *
 * @module
 */

/** A running SHA-256. */
export interface Sha256 {
  update(bytes: Uint8Array): void
  /** Ends it. @returns 32 bytes. */
  digest(): Uint8Array
}

/** Begins one. */
export type NewSha256 = () => Sha256

/** Bytes of a SHA-256. */
export const SHA256_BYTES = 32

/** Bytes as hexadecimal digits in lower case. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
