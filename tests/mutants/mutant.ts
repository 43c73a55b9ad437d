/**
 * Mutants of the security core and of what keeps promises: each drops or turns one check. A test that does not notice is no test.
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
  credential: ['tests/unit/shared/access/identity/credential.test.ts'],
  challenge: ['tests/unit/shared/access/identity/challenge.test.ts'],
  compact: ['tests/unit/shared/access/identity/compact_token.test.ts'],
  verifier: ['tests/unit/shared/access/identity/token_verifier.test.ts'],
  keys: ['tests/unit/shared/access/identity/key_set.test.ts'],
  remote: ['tests/unit/shared/access/identity/remote_keys.test.ts'],
  jwt: ['tests/unit/shared/access/identity/jwt.test.ts'],
  authOTron: ['tests/unit/shared/access/identity/auth_o_tron.test.ts'],
  whoAmI: ['tests/unit/shared/access/identity/who_am_i.test.ts'],
  tokens: ['tests/unit/shared/access/identity/static_tokens.test.ts'],
  chain: ['tests/unit/shared/access/identity/chain.test.ts'],
  cache: ['tests/unit/shared/access/identity/verdict_cache.test.ts'],
  dependency: ['tests/unit/shared/access/identity/dependency.test.ts'],
  secret: ['tests/unit/shared/secret.test.ts'],
  address: ['tests/unit/shared/access/policy/address.test.ts'],
  prefix: ['tests/unit/shared/access/policy/prefix.test.ts'],
  decision: ['tests/unit/shared/access/policy/decision.test.ts'],
  rules: ['tests/unit/shared/access/policy/rules.test.ts'],
  grants: ['tests/unit/shared/access/policy/grants.test.ts'],
  explain: ['tests/unit/scripts/aviso/explain_access.test.ts'],
  policies: ['tests/service/policies.test.ts'],
  runsRights: ['tests/service/runs_rights.test.ts'],
  checkConfig: ['tests/unit/services/system/check_config.test.ts'],
  destinations: ['tests/unit/shared/access/policy/destinations.test.ts'],
  policy: ['tests/unit/shared/access/policy/policy.test.ts'],
  requester: ['tests/unit/shared/access/policy/requester.test.ts'],
  authorise: ['tests/unit/shared/access/authorise_read.test.ts'],
  publishing: ['tests/unit/shared/access/publishing.test.ts'],
  administration: ['tests/unit/shared/access/administration.test.ts'],
  open: ['tests/unit/shared/access/open_access.test.ts'],
  rights: ['tests/unit/shared/access/policy/stream_rights.test.ts'],
  quota: ['tests/unit/shared/access/quota/buckets.test.ts'],
  audit: ['tests/unit/shared/access/audit/audit.test.ts'],
  facade: [
    'tests/unit/services/auth/etcd_facade/range.test.ts',
    'tests/unit/services/auth/etcd_facade/rights.test.ts',
  ],
  watch: ['tests/unit/services/auth/etcd_facade/watch.test.ts'],
  relay: ['tests/service/tree.test.ts'],
  parity: ['tests/parity/auth_1x.test.ts', 'tests/parity/auth_2x.test.ts'],
  hostile: ['tests/service/hostile.test.ts'],
  streams: ['tests/service/identity_streams.test.ts'],
  shares: ['tests/unit/shared/access/listening_limits.test.ts', 'tests/service/shares.test.ts'],
  tickets: ['tests/unit/shared/access/identity/ticket.test.ts', 'tests/service/tickets.test.ts'],
  pages: ['tests/unit/shared/http/pages.test.ts', 'tests/service/pages.test.ts'],
  ownMachine: ['tests/service/own_machine.test.ts'],
  launcher: ['tests/unit/scripts/serve/options.test.ts'],
  config: ['tests/unit/shared/access/settings.test.ts'],
  strict: ['tests/unit/shared/runtime/node_strict.test.ts'],
  json: ['tests/unit/shared/json/strict_json.test.ts'],
  admission: ['tests/unit/shared/hub/admission.test.ts'],
  follow: ['tests/unit/shared/hub/source/follow.test.ts'],
  publisher: ['tests/unit/shared/publish/publisher.test.ts'],
  jointCommit: ['tests/unit/shared/publish/joint_commit.test.ts'],
  jointRevision: ['tests/service/joint_revision.test.ts'],
  positions: ['tests/unit/shared/journal/positions.test.ts'],
  replaced: ['tests/service/replaced.test.ts'],
  damaged: ['tests/service/damaged.test.ts'],
  damage: [
    'tests/unit/shared/store/embedded/damage.test.ts',
    'tests/unit/shared/store/embedded/pages.test.ts',
  ],
  salvage: ['tests/unit/shared/store/embedded/salvage.test.ts'],
  cutShort: ['tests/unit/shared/runtime/exchange.test.ts', 'tests/flow/salvage_cut_short.test.ts'],
  jobs: ['tests/unit/services/admin/jobs/jobs.test.ts'],
  interval: ['tests/unit/shared/access/interval.test.ts'],
} as const
