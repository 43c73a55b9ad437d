/**
 * Certificate, key and authority for the store, from the files that the configuration names. They are looked at before they are used, and
 * read again while the services run.
 *
 * @module
 */

import { createPrivateKey, createPublicKey, X509Certificate, type KeyObject } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import type { Config } from '#services/system/settings.ts'
import { AvisoError, isAvisoError } from '#shared/errors.ts'
import type { Platform } from '#shared/runtime/runtime.ts'
import type { StoreTls } from '#shared/runtime/store_tls.ts'

/** Longest PEM file: some two hundred certificates. */
const MAX_FILE_BYTES = 1_048_576
/** Bits of a file's mode with which others than its user and group may read or write it. */
const OTHERS = 0o007

type StoreTlsSettings = NonNullable<Config['vars']['storeTls']>

/** What the files hold. */
export interface StoreTlsFiles {
  /** What they held when they could last be used. */
  readonly current: () => StoreTls
  /**
   * Reads them again. What cannot be used is refused as a whole, and what was there before stays.
   *
   * @param onRefused Called with each problem, as `vars.storeTls.key: …`.
   * @returns whether anything has changed.
   */
  readAgain(onRefused: (problem: string) => void): boolean
}

/**
 * Reads the files.
 *
 * @param now Milliseconds since 1970.
 * @throws {AvisoError} `ERR_CONFIG` with the first problem.
 */
export function openStoreTls(settings: StoreTlsSettings, now: () => number): StoreTlsFiles {
  const first = readStoreTls(settings, now())
  const [problem] = first.problems
  if (problem !== undefined) throw new AvisoError('ERR_CONFIG', problem)
  let current = first.tls
  return {
    current: () => current,
    readAgain: (onRefused) => {
      const { tls, problems } = readStoreTls(settings, now())
      for (const line of problems) onRefused(line)
      const isSame = (['authority', 'certificate', 'key'] as const).every(
        (name) => tls[name] === current[name],
      )
      if (problems.length > 0 || isSame) return false
      current = tls
      return true
    },
  }
}

/** @returns everything that is wrong with the files, a line each. */
export function checkStoreTls({ storeTls }: Config['vars'], nowMs: number): readonly string[] {
  return storeTls === undefined ? [] : readStoreTls(storeTls, nowMs).problems
}

/** The platform, whose ways to the store are secured as configured. @throws {AvisoError} `ERR_CONFIG` where the runtime cannot. */
export function secured(platform: Platform, files: StoreTlsFiles | undefined): Platform {
  if (files === undefined) return platform
  const { storeOverTls } = platform
  if (storeOverTls === undefined)
    throw new AvisoError(
      'ERR_CONFIG',
      'vars.storeTls: this runtime has no certificates of its own: remove it',
    )
  return { ...platform, ...storeOverTls(files.current) }
}

function readStoreTls(
  settings: StoreTlsSettings,
  nowMs: number,
): { readonly tls: StoreTls; readonly problems: readonly string[] } {
  const problems: string[] = []
  const tell = <Value>(name: string, work: () => Value): Value | undefined => {
    try {
      return work()
    } catch (error) {
      if (!isAvisoError(error, 'ERR_CONFIG')) throw error
      problems.push(`vars.storeTls.${name}: ${error.message}`)
      return undefined
    }
  }
  const { authority, certificate, key } = settings
  const tls: { -readonly [Name in keyof StoreTls]: StoreTls[Name] } = {}
  if (authority !== undefined) {
    const text = tell('authority', () => readFile(authority))
    if (text !== undefined) tell('authority', () => readCertificate(authority, text, nowMs))
    if (text !== undefined) tls.authority = text
  }
  if (certificate !== undefined && key !== undefined) {
    const shown = tell('certificate', () => readFile(certificate))
    const own = tell('key', () => readFile(key, true))
    const read =
      shown === undefined ? undefined : tell('certificate', () => readCertificate(certificate, shown, nowMs))
    const secret = own === undefined ? undefined : tell('key', () => readKey(key, own))
    if (read !== undefined && secret !== undefined)
      tell('key', () => refuseOtherKey({ certificate: read, key: secret }, settings))
    if (shown !== undefined) tls.certificate = shown
    if (own !== undefined) tls.key = own
  }
  return { tls, problems }
}

function refused(message: string, cause?: unknown): AvisoError {
  return new AvisoError('ERR_CONFIG', message, { cause })
}

/** @param isSecret Whether it is refused where other users may read it. */
function readFile(path: string, isSecret = false): string {
  let text: string
  try {
    const { size, mode } = statSync(path)
    if (size > MAX_FILE_BYTES)
      throw refused(`"${path}" is larger than ${MAX_FILE_BYTES} bytes: name a PEM file`)
    if (isSecret && (mode & OTHERS) !== 0)
      throw refused(`everybody on this machine may read "${path}": chmod 600 it`)
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (isAvisoError(error)) throw error
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    throw refused(isMissing ? `"${path}" is not there` : `"${path}" cannot be read by this user`, error)
  }
  if (!text.includes('-----BEGIN '))
    throw refused(`"${path}" is no PEM file: it has no line that begins with "-----BEGIN"`)
  return text
}

/** The first certificate of a file. */
function readCertificate(path: string, text: string, nowMs: number): X509Certificate {
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(text)
  } catch (error) {
    throw refused(`"${path}" holds no certificate that can be read`, error)
  }
  const { validFrom, validTo } = certificate
  if (Date.parse(validTo) <= nowMs) throw refused(`the certificate in "${path}" expired on ${validTo}`)
  if (Date.parse(validFrom) > nowMs)
    throw refused(`the certificate in "${path}" is valid from ${validFrom} on, which is in the future`)
  return certificate
}

function readKey(path: string, text: string): KeyObject {
  try {
    return createPrivateKey(text)
  } catch (error) {
    throw refused(`"${path}" holds no private key that can be read without a passphrase`, error)
  }
}

function refuseOtherKey(
  { certificate, key }: { readonly certificate: X509Certificate; readonly key: KeyObject },
  settings: StoreTlsSettings,
): void {
  const form = { type: 'spki', format: 'der' } as const
  const ofKey = createPublicKey(key.export({ type: 'pkcs8', format: 'pem' })).export(form)
  if (ofKey.equals(certificate.publicKey.export(form))) return
  throw refused(`the key in "${settings.key}" is not that of the certificate in "${settings.certificate}"`)
}
