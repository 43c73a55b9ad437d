/**
 * Mutants of the policy.
 *
 * @module
 */

import type { Mutant } from './mutant.ts'

const policy = (file: string): string => `shared/access/policy/${file}.ts`

/** Every one. */
export const POLICY_MUTANTS: readonly Mutant[] = [
  {
    file: policy('prefix'),
    from: "if (!prefix.startsWith('/') || !prefix.endsWith('/'))",
    to: "if (!prefix.startsWith('/'))",
    tests: ['prefix'],
  },
  {
    file: policy('prefix'),
    from: 'if (prefix.startsWith(INTERNAL_PREFIX))',
    to: 'if (false)',
    tests: ['prefix'],
  },
  {
    file: policy('prefix'),
    from: "typeof item === 'string' && isSegment(item)",
    to: "typeof item === 'string'",
    tests: ['prefix'],
  },
  {
    file: policy('decision'),
    from: 'return subtract(keys, INTERNAL)',
    to: 'return keys',
    tests: ['decision'],
  },
  {
    file: policy('decision'),
    from: 'if (wanted.length > 0 && covers(granted, wanted))',
    to: 'if (wanted.length > 0)',
    tests: ['decision'],
  },
  {
    file: policy('decision'),
    from: 'const effective = intersect(wanted, granted)',
    to: 'const effective = wanted',
    tests: ['decision'],
  },
  {
    file: policy('decision'),
    from: 'if (end === undefined || compareBytes(end, prefixEnd(key)) !== 0) return false',
    to: 'if (end === undefined) return false',
    tests: ['decision'],
  },
  {
    file: policy('decision'),
    from: 'return contains(granted, joinBytes([key, SLASH]))',
    to: 'return true',
    tests: ['decision'],
  },
  {
    file: policy('rules'),
    from: 'if (realm !== ANYBODY && realm !== identity.realm)',
    to: 'if (false)',
    tests: ['rules'],
  },
  {
    file: policy('rules'),
    from: 'if (users !== undefined && !users.includes(identity.username))',
    to: 'if (false)',
    tests: ['rules'],
  },
  {
    file: policy('rules'),
    from: 'Object.entries(claims ?? {}).find(',
    to: 'Object.entries(claims ?? {}).slice(0, 1).find(',
    tests: ['rules'],
  },
  {
    file: policy('rules'),
    from: 'whyNot: (identity) => (identity === undefined ? NAMELESS : undefined),',
    to: 'whyNot: () => undefined,',
    tests: ['rules', 'policy'],
  },
  {
    file: policy('rules'),
    from: 'identity === undefined ? NAMELESS : whyNot(rule, identity)',
    to: 'identity === undefined ? undefined : whyNot(rule, identity)',
    tests: ['rules', 'policy'],
  },
  {
    file: policy('rules'),
    from: 'compile(policy.public.listen,',
    to: 'compile([],',
    tests: ['rules', 'policies'],
  },
  {
    file: policy('grants'),
    from: "if (event === undefined || right === 'publish') return ALL_KEYS",
    to: 'return ALL_KEYS',
    tests: ['grants', 'policies'],
  },
  {
    file: policy('grants'),
    from: 'if (prefix.startsWith(root)) return [template]',
    to: 'return [template]',
    tests: ['grants'],
  },
  {
    file: policy('grants'),
    from: 'if (known.some((root) => root.startsWith(before) || before.startsWith(root))) return false',
    to: 'return false',
    tests: ['grants'],
  },
  {
    file: policy('grants'),
    from: 'if (named.has(other) || !(otherRoot.startsWith(root) || root.startsWith(otherRoot))) continue',
    to: 'continue',
    tests: ['grants'],
  },
  {
    file: policy('policy'),
    from: 'perEvent.get(event) ?? forAnyEvent',
    to: 'forAnyEvent',
    tests: ['policy'],
  },
  {
    file: policy('policy'),
    from: 'normalise([...forAnyEvent, ...keysOf(own)])',
    to: 'keysOf(own)',
    tests: ['policy'],
  },
  {
    file: policy('policy'),
    from: 'grants.publish.filter((grant) => grant.event === event)',
    to: 'grants.publish',
    tests: ['policy', 'policies'],
  },
  {
    file: 'services/system/policy.ts',
    from: 'if (users.some((user) => couldMeet(rule, user))) return []',
    to: 'return []',
    tests: ['checkConfig'],
  },
  { file: policy('destinations'), from: 'if (active !== true) return []', to: '', tests: ['destinations'] },
  {
    file: policy('destinations'),
    from: "typeof name === 'string' && isSegment(name)",
    to: "typeof name === 'string'",
    tests: ['destinations'],
  },
  {
    file: policy('destinations'),
    from: 'error.includes(`User ${username} not found`)',
    to: "error.includes('not found')",
    tests: ['destinations'],
  },
  {
    file: policy('destinations'),
    from: 'encodeURIComponent(username)',
    to: 'username',
    tests: ['destinations'],
  },
  {
    file: policy('destinations'),
    from: 'if (answer.status !== 200)',
    to: 'if (false)',
    tests: ['destinations'],
  },
  {
    file: policy('destinations'),
    from: "if (success !== 'yes') {",
    to: "if (success === 'no') {",
    tests: ['destinations'],
  },
  {
    file: policy('policy'),
    from: 'if (identity === undefined) return granted',
    to: '',
    tests: ['policy'],
  },
  {
    file: policy('policy'),
    from: 'destinations.realms.includes(identity.realm)',
    to: 'true',
    tests: ['policy'],
  },
  { file: policy('policy'), from: '`${prefix}${name}/`', to: '`${prefix}${name}`', tests: ['policy'] },
  {
    file: policy('policy'),
    from: 'if (clock.monotonic() >= list.validUntil + VERDICT_LIMIT_MS) {',
    to: 'if (false) {',
    tests: ['policy'],
  },
  {
    file: policy('policy'),
    from: 'contains(rightsOf(identity).publishable(event), key)',
    to: 'rightsOf(identity).publishable(event).length > 0',
    tests: ['policy'],
  },
  {
    file: policy('requester'),
    from: 'const isOld = clock.monotonic() >= validUntil + VERDICT_LIMIT_MS',
    to: 'const isOld = false',
    tests: ['requester'],
  },
  {
    file: policy('requester'),
    from: '(endsAt !== undefined && clock.now() >= endsAt)',
    to: 'false',
    tests: ['requester'],
  },
  {
    file: policy('requester'),
    from: 'if (network !== undefined) failures.take(network)',
    to: '',
    tests: ['requester'],
  },
  {
    file: policy('requester'),
    from: 'JSON.stringify([realm, username])',
    to: 'JSON.stringify([username])',
    tests: ['requester'],
  },
  {
    file: 'shared/access/authorise_read.ts',
    from: "if (wide === 'refuse' || !ranges",
    to: 'if (!ranges',
    tests: ['authorise'],
  },
  {
    file: 'shared/access/authorise_read.ts',
    from: "if (wide === 'narrow' && policy().isRelay(identity))",
    to: 'if (policy().isRelay(identity))',
    tests: ['authorise', 'relay'],
  },
  {
    file: 'shared/access/authorise_read.ts',
    from: '!ranges.every((range) => mayNarrow(range, visible))',
    to: 'false',
    tests: ['authorise'],
  },
  {
    file: 'shared/access/authorise_read.ts',
    from: "decideAccess(granted, keys).kind === 'whole'",
    to: 'true',
    tests: ['authorise'],
  },
  {
    file: 'shared/access/publishing.ts',
    from: 'if (!policy().mayPublish(identity, { event, key: toBytes(key) })) throw requester.refusal()',
    to: '',
    tests: ['publishing'],
  },
  {
    file: 'shared/access/administration.ts',
    from: 'if (!policy().isAdmin(requester.identity)) throw',
    to: 'if (false) throw',
    tests: ['administration'],
  },
  {
    file: 'shared/access/authorise_read.ts',
    from: 'await requester.again(maxAgeMs)',
    to: 'requester',
    tests: ['streams'],
  },
  {
    file: policy('stream_rights'),
    from: 'return clock.now() + limits.tickMs > endsAt',
    to: 'return false',
    tests: ['rights'],
  },
  {
    file: policy('stream_rights'),
    from: "hasEnded(entry) ? 'auth_expired' : 'auth_revoked'",
    to: "'auth_revoked'",
    tests: ['rights'],
  },
  {
    file: policy('stream_rights'),
    from: 'now >= entry.standing.validUntil + limits.graceMs',
    to: 'false',
    tests: ['rights'],
  },
  {
    file: policy('stream_rights'),
    from: "isAvisoError(error, 'ERR_UNAUTHENTICATED', 'ERR_FORBIDDEN')",
    to: 'false',
    tests: ['rights'],
  },
  {
    file: policy('stream_rights'),
    from: 'const now = clock.monotonic()',
    to: 'const now = clock.now()',
    tests: ['rights'],
  },
  {
    file: policy('stream_rights'),
    from: 'await entry.right.check(limits.maxAgeMs)',
    to: 'await entry.right.check(Infinity)',
    tests: ['streams', 'rights'],
  },
  {
    file: policy('policy'),
    from: 'isRelay: (identity) => rightsOf(identity).relay',
    to: 'isRelay: () => true',
    tests: ['decision', 'authorise', 'relay'],
  },
  {
    file: 'shared/access/open_access.ts',
    from: 'withoutInternal(normalise(ranges.map(toInterval)))',
    to: 'normalise(ranges.map(toInterval))',
    tests: ['open', 'relay'],
  },
  {
    file: 'shared/access/authorise_read.ts',
    from: 'policy().isRelay(again.identity) && covers(keys, relay.visible)',
    to: 'covers(keys, relay.visible)',
    tests: ['authorise', 'relay'],
  },
  {
    file: 'shared/access/authorise_read.ts',
    from: 'policy().isRelay(again.identity) && covers(keys, relay.visible)',
    to: 'policy().isRelay(again.identity)',
    tests: ['authorise', 'relay'],
  },
  {
    file: 'services/auth/etcd_facade/relay.ts',
    from: 'redact(kv, (key) => contains(visible, key))',
    to: 'kv.value',
    tests: ['relay'],
  },
  {
    file: policy('decision'),
    from: 'return intersect(requested, RELAYED)',
    to: 'return requested',
    tests: ['decision', 'authorise', 'relay'],
  },
]
