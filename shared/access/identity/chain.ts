/**
 * The chain of identity providers: they are asked in the order of the configuration. The first yes wins. Without a yes, a failure counts
 * more than a no.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'
import type { Challenge } from './challenge.ts'
import type { Count } from './counters.ts'
import type { Credential } from './credential.ts'
import type {
  IdentifiedVerdict,
  IdentityProvider,
  RefusedVerdict,
  Verdict,
  VerdictOptions,
} from './identity.ts'
import { verdictInTime } from './unavailable.ts'

/** The verdict of all providers together. */
export type ChainVerdict = IdentifiedVerdict | RefusedVerdict

/** Every configured provider. */
export interface IdentityChain {
  /** The schemes that a client without a credential may use. */
  readonly challenges: readonly Challenge[]
  /**
   * @throws {AvisoError} `ERR_VERDICT_UNAVAILABLE` when no provider accepts the credential and one of them cannot be asked; at the latest
   *   after {@link VERDICT_LIMIT_MS}.
   */
  identify(credential: Credential, options?: VerdictOptions): ChainVerdict | Promise<ChainVerdict>
}

/** A chain of providers. */
export function createIdentityChain({
  providers,
  clock,
  count,
}: {
  readonly providers: readonly IdentityProvider[]
  readonly clock: Clock
  readonly count: Count
}): IdentityChain {
  /** Asks the providers from `first` on; `before` is the outcome of the earlier ones. Answers at once unless a provider answers later. */
  function decide(
    credential: Credential,
    options: VerdictOptions | undefined,
    first: number,
    before: Outcome,
  ): ChainVerdict | Promise<ChainVerdict> {
    let outcome = before
    for (const [index, provider] of providers.entries()) {
      if (index < first) continue
      const verdict = attempt(provider, credential, options)
      if (verdict instanceof Promise) {
        return verdict.then(
          (value) => {
            const decided = add(outcome, value)
            return isDecided(decided) ? decided : decide(credential, options, index + 1, decided)
          },
          (failure: unknown) =>
            decide(credential, options, index + 1, { ...outcome, failure: { error: failure } }),
        )
      }
      const next = add(outcome, verdict)
      if (isDecided(next)) return next
      outcome = next
    }
    if (outcome.failure !== undefined) throw outcome.failure.error
    return outcome.refusal ?? { kind: 'refused', reason: 'no provider knows this credential' }
  }

  function counted(verdict: ChainVerdict): ChainVerdict {
    count(verdict.kind)
    return verdict
  }

  return {
    challenges: providers.flatMap(({ challenges }) => challenges),
    identify(credential, options) {
      const verdict = decide(credential, options, 0, {})
      if (!(verdict instanceof Promise)) return counted(verdict)
      return verdictInTime(clock, verdict).then(counted, (error: unknown) => {
        count('unavailable')
        throw error
      })
    },
  }
}

/** Asks one provider; an error thrown at once becomes a rejected promise. */
function attempt(
  provider: IdentityProvider,
  credential: Credential,
  options: VerdictOptions | undefined,
): Verdict | Promise<Verdict> {
  try {
    return provider.identify(credential, options)
  } catch (error) {
    return Promise.reject(error)
  }
}

/** What is known after some of the providers were asked. */
interface Outcome {
  readonly refusal?: RefusedVerdict
  readonly failure?: { readonly error: unknown }
}

function isDecided(outcome: Outcome | ChainVerdict): outcome is ChainVerdict {
  return 'kind' in outcome
}

function add(outcome: Outcome, verdict: Verdict): Outcome | ChainVerdict {
  switch (verdict.kind) {
    case 'identified':
      return verdict
    case 'not_mine':
      return outcome
    case 'refused':
      if (verdict.final === true) return verdict
      return outcome.refusal === undefined ? { ...outcome, refusal: verdict } : outcome
  }
}
