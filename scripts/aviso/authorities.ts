/**
 * Certificate authorities of one's own, which vouch for servers besides those that Node knows.
 *
 * @module
 */

import { X509Certificate } from 'node:crypto'
import * as tls from 'node:tls'
import { ClientError, messageOf, reasonOf } from '#shared/client/client_error.ts'

/** Authorities, and where they come from. */
export interface Authorities {
  /** Those of Node and one's own, PEM. */
  readonly certificates: readonly string[]
  /** Path of the file, for messages. */
  readonly file: string
}

/** A setting that names a file. */
export interface AuthorityFile {
  readonly path: string
  /** The flag, variable or place that names it. */
  readonly from: string
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g
/** How Node and Bun say that no authority vouches for a certificate, in an error's code or text. */
const UNTRUSTED = [
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'SELF_SIGNED_CERT',
  'unable to verify the first certificate',
  'unable to get local issuer certificate',
  'unable to get issuer certificate',
  'self-signed certificate',
  'self signed certificate',
]

/**
 * Reads a file of authorities.
 *
 * @throws {ClientError} for a file that is not there, or holds no certificate.
 */
export async function readAuthorities(
  { path, from }: AuthorityFile,
  readText: (path: string) => Promise<string | undefined>,
): Promise<Authorities> {
  const text = await readText(path).catch((cause: unknown) => {
    throw new ClientError(`${from}: Cannot read ${path}: ${messageOf(cause)}`, { cause })
  })
  if (text === undefined) throw new ClientError(`${from}: There is no file ${path}`)
  const own = text.match(CERTIFICATE) ?? []
  if (own.length === 0)
    throw new ClientError(
      `${from}: ${path} holds no certificate: give certificates in PEM form, -----BEGIN CERTIFICATE-----`,
    )
  for (const [index, certificate] of own.entries())
    checkCertificate(certificate, `${from}: ${path}, certificate ${index + 1}`)
  return { certificates: [...usualAuthorities(), ...own], file: path }
}

/** Names the cause where no authority vouches for a server; any other error stays as it is. */
export function withTrustHint(error: unknown, url: string, authorities: Authorities | undefined): unknown {
  const reason = reasonOf(error)
  const code: unknown =
    error instanceof Error && error.cause instanceof Error ? Reflect.get(error.cause, 'code') : ''
  if (!UNTRUSTED.some((sign) => reason.includes(sign) || String(code).includes(sign))) return error
  const also = authorities === undefined ? '' : ` and none in ${authorities.file}`
  return new Error(
    `no known authority${also} vouches for the certificate of ${new URL(url).host} (${reason}): name the file of its authority with --ca-file, AVISO_CA_FILE or ca_file`,
  )
}

function checkCertificate(certificate: string, where: string): void {
  try {
    // oxlint-disable-next-line no-new -- the constructor is the check
    new X509Certificate(certificate)
  } catch (cause) {
    throw new ClientError(`${where}: not a certificate: ${messageOf(cause)}`, { cause })
  }
}

/** With those of `NODE_EXTRA_CA_CERTS`, where this Node can say them (22.15). */
function usualAuthorities(): readonly string[] {
  const listed: unknown = Reflect.get(tls, 'getCACertificates')
  return typeof listed === 'function' ? tls.getCACertificates('default') : tls.rootCertificates
}
