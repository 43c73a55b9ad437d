/**
 * Recognizes a store whose certificate is not trusted. There never was a connection, and only an operator can fix it.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'

/** How runtimes say it, in an error's code or text. */
const SIGNS = [
  // Node and Bun; gRPC has the texts only
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'SELF_SIGNED_CERT',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'unable to verify the first certificate',
  'unable to get local issuer certificate',
  'self-signed certificate',
  'certificate has expired',
  'certificate is not yet valid',
  "does not match certificate's altnames",
  // Deno
  'invalid peer certificate',
  // gRPC on Deno and Bun with the address of a store as numbers
  "'options.servername'",
]

/** Whether a code or text says that a certificate is not trusted. */
export function isUntrusted(text: string): boolean {
  return SIGNS.some((sign) => text.includes(sign))
}

/** The error of a connection that was not made for it. */
export function untrusted(cause: unknown): AvisoError {
  return new AvisoError(
    'ERR_STORE_UNAVAILABLE',
    "The store's certificate is not trusted: name its authority in NODE_EXTRA_CA_CERTS, and the store by a name that the certificate holds",
    { cause },
  )
}
