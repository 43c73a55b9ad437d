/**
 * What connections to the store are secured with, besides what the machine trusts.
 *
 * @module
 */

/** Texts of PEM files. Certificate and key come together. */
export interface StoreTls {
  /** Authorities that are trusted instead of those of the machine. */
  readonly authority?: string
  /** What this process shows to the store, with the certificates between it and its authority behind it. */
  readonly certificate?: string
  readonly key?: string
}

/** Finds it for each new connection. It is the same object until a file changes. */
export type FindStoreTls = () => StoreTls

/** As the TLS options of Node and Bun name it. */
export function toTlsOptions({ authority, certificate, key }: StoreTls): {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
} {
  return {
    ...(authority !== undefined && { ca: authority }),
    ...(certificate !== undefined && { cert: certificate }),
    ...(key !== undefined && { key }),
  }
}
