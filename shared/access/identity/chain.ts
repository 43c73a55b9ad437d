/**
 * Several providers as one, in the order of the configuration: the first yes wins, a failure outweighs a no.
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

/** What all providers together say. */
export type ChainVerdict = IdentifiedVerdict | RefusedVerdict

/** Every configured provider. */
export interface IdentityChain {
  /** What a client without a credential is told to send. */
  readonly challenges: readonly Challenge[]
  /**
   * @throws {AvisoError} `ERR_VERDICT_UNAVAILABLE` when nobody vouches for the credential and somebody who might cannot be asked; at the
   *   latest after {@link VERDICT_LIMIT_MS}.
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
  /** Asks from `first` on, given what came of those before; at once as long as nobody has to be waited for. */
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
    return outcome.refusal ?? { kind: 'refused', reason: 'nobody knows this credential' }
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

/** A failure at once is one like any other. */
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

/** What is known after some of the providers. */
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
