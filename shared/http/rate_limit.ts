/**
 * The fields `RateLimit-Policy` and `RateLimit` of the IETF's draft-ietf-httpapi-ratelimit-headers: how much a client may ask for, and how
 * much of that is left.
 *
 * @module
 */

/** Name of the policy in both fields: each answer is counted by one. */
const NAME = '"quota"'

/** What is left of a quota. */
export interface RateLimitLeft {
  /** Most in a window. */
  readonly quota: number
  /** Whole seconds. */
  readonly windowSeconds: number
  readonly left: number
  /** Whole seconds until the quota is whole again. */
  readonly resetSeconds: number
}

/** The fields of an answer that was counted; none where nothing is counted. */
export function rateLimitFields(left: RateLimitLeft | undefined): Readonly<Record<string, string>> {
  if (left === undefined) return {}
  return {
    'ratelimit-policy': `${NAME};q=${left.quota};w=${left.windowSeconds}`,
    ratelimit: `${NAME};r=${left.left};t=${left.resetSeconds}`,
  }
}

/** `RateLimit` of a refusal: nothing is left. @param seconds Text; until something is. */
export function usedUp(seconds: string): string {
  return `${NAME};r=0;t=${seconds}`
}
