/**
 * All mutants.
 *
 * @module
 */

import { IDENTITY_MUTANTS } from './identity_mutants.ts'
import type { Mutant } from './mutant.ts'
import { PAGE_MUTANTS } from './page_mutants.ts'
import { POLICY_MUTANTS } from './policy_mutants.ts'
import { PROMISE_MUTANTS } from './promise_mutants.ts'
import { SERVICE_MUTANTS } from './service_mutants.ts'
import { VERDICT_MUTANTS } from './verdict_mutants.ts'

export const ALL_MUTANTS: readonly Mutant[] = [
  ...IDENTITY_MUTANTS,
  ...VERDICT_MUTANTS,
  ...POLICY_MUTANTS,
  ...SERVICE_MUTANTS,
  ...PAGE_MUTANTS,
  ...PROMISE_MUTANTS,
]
