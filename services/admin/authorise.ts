/**
 * Who may administrate: a port, so that identity and policy are somebody else's matter.
 *
 * @module
 */

/** Somebody who administrates. */
export interface Administrator {
  /** Name for audit records, never a secret. */
  readonly name: string
}

/** Tells who sends a request to the admin service, and whether they may. It never reads the body. */
export interface AdminAuthoriser {
  /**
   * @throws {AvisoError} `ERR_UNAUTHENTICATED`, `ERR_FORBIDDEN` (a listener's token is no administrator's), `ERR_VERDICT_UNAVAILABLE`.
   *   Any other failure is answered 500. None of them lets the request through.
   */
  authorise(request: Request): Promise<Administrator>
}

/** Everybody may: for development, where the service listens on loopback only. */
export const openAdminAuthoriser: AdminAuthoriser = {
  authorise: () => Promise.resolve({ name: 'anonymous' }),
}
