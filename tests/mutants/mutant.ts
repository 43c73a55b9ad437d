/**
 * Mutants of the security core: each drops or turns one check. A test that does not notice is no test.
 *
 * @module
 */

/** One change of one file, and the tests that must fail by it. */
export interface Mutant {
  readonly file: string
  /** Occurs once. */
  readonly from: string
  readonly to: string
  /** Test files, by suite. */
  readonly tests: readonly Suite[]
}

export type Suite = keyof typeof SUITES

/** Files of each suite. */
export const SUITES = {
  credential: ['tests/unit/shared/identity/credential.test.ts'],
  challenge: ['tests/unit/shared/identity/challenge.test.ts'],
  compact: ['tests/unit/shared/identity/compact_token.test.ts'],
  verifier: ['tests/unit/shared/identity/token_verifier.test.ts'],
  keys: ['tests/unit/shared/identity/key_set.test.ts'],
  remote: ['tests/unit/shared/identity/remote_keys.test.ts'],
  jwt: ['tests/unit/shared/identity/jwt.test.ts'],
  authOTron: ['tests/unit/shared/identity/auth_o_tron.test.ts'],
  whoAmI: ['tests/unit/shared/identity/who_am_i.test.ts'],
  tokens: ['tests/unit/shared/identity/static_tokens.test.ts'],
  chain: ['tests/unit/shared/identity/chain.test.ts'],
  cache: ['tests/unit/shared/identity/verdict_cache.test.ts'],
  dependency: ['tests/unit/shared/identity/dependency.test.ts'],
  secret: ['tests/unit/shared/identity/secret.test.ts'],
  prefix: ['tests/unit/shared/policy/prefix.test.ts'],
  access: ['tests/unit/shared/policy/access.test.ts'],
  rules: ['tests/unit/shared/policy/rules.test.ts'],
  destinations: ['tests/unit/shared/policy/destinations.test.ts'],
  policy: ['tests/unit/shared/policy/policy.test.ts'],
  requester: ['tests/unit/shared/policy/requester.test.ts'],
  control: ['tests/unit/shared/policy/access_control.test.ts'],
  rights: ['tests/unit/shared/policy/stream_rights.test.ts'],
  quota: ['tests/unit/shared/quota/buckets.test.ts'],
  audit: ['tests/unit/shared/audit/audit.test.ts'],
  facade: ['tests/unit/services/auth/facade_range.test.ts', 'tests/unit/services/auth/facade_rights.test.ts'],
  watch: ['tests/unit/services/auth/facade_watch.test.ts'],
  providers: ['tests/unit/services/rest/providers.test.ts'],
  relay: ['tests/service/tree.test.ts'],
  parity: ['tests/parity/auth_1x.test.ts', 'tests/parity/auth_2x.test.ts'],
  hostile: ['tests/service/hostile.test.ts'],
  streams: ['tests/service/identity_streams.test.ts'],
  system: ['tests/unit/services/system_access.test.ts'],
  launcher: ['tests/unit/scripts/serve/options.test.ts'],
  config: ['tests/unit/shared/config/access.test.ts'],
  strict: ['tests/unit/shared/runtime/node_strict.test.ts'],
  json: ['tests/unit/shared/http/strict_json.test.ts'],
  interval: ['tests/unit/shared/interval/interval.test.ts'],
} as const
