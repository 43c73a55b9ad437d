/**
 * Mutants of the identity: the servers behind it, and what is remembered of them.
 *
 * @module
 */

import type { Mutant } from './mutant.ts'

const identity = (file: string): string => `shared/access/identity/${file}.ts`

/** Every one. */
export const VERDICT_MUTANTS: readonly Mutant[] = [
  {
    file: identity('key_set'),
    from: "algorithm.startsWith('HS') ? keys : []",
    to: 'keys',
    tests: ['verifier'],
  },
  { file: identity('remote_keys'), from: 'ageMs() < limits.unknownKeyMs', to: 'false', tests: ['remote'] },
  {
    file: identity('remote_keys'),
    from: 'if (ageMs() >= limits.staleMs) throw error',
    to: '',
    tests: ['remote'],
  },
  {
    file: identity('remote_keys'),
    from: 'if (clock.monotonic() < nextAttemptAt)',
    to: 'if (false)',
    tests: ['remote'],
  },
  {
    file: identity('remote_keys'),
    from: 'clock.monotonic() - fetched.fetchedAt',
    to: 'clock.now() - fetched.fetchedAt',
    tests: ['remote'],
  },
  {
    file: identity('remote_keys'),
    from: 'answer.status === 200 ? readKeys',
    to: 'true ? readKeys',
    tests: ['remote'],
  },
  { file: identity('jwt'), from: '      verified.clear()\n', to: '', tests: ['jwt'] },
  { file: identity('jwt'), from: 'Math.min(endsAt - clock.now(), KEEP_MS)', to: 'KEEP_MS', tests: ['jwt'] },
  {
    file: identity('jwt'),
    from: 'isYes: true, keepMs, endsAt }',
    to: 'isYes: true, keepMs }',
    tests: ['jwt'],
  },
  { file: identity('jwt'), from: '|| !verifier.isAddressed(unverified)', to: '', tests: ['jwt'] },
  {
    file: identity('auth_o_tron'),
    from: '|| !isConsistent(identity, outcome.claims)',
    to: '',
    tests: ['authOTron'],
  },
  {
    file: identity('auth_o_tron'),
    from: 'if (status < 200 || status > 299) throw contractBroken(parts, name, `status ${status}`)',
    to: '',
    tests: ['authOTron'],
  },
  {
    file: identity('dependency'),
    from: "throw broken('redirect')",
    to: 'void 0',
    tests: ['dependency'],
  },
  {
    file: identity('dependency'),
    from: "throw broken('oversized answer')",
    to: 'break',
    tests: ['dependency'],
  },
  {
    file: identity('dependency'),
    from: "throw broken('compressed answer')",
    to: 'void 0',
    tests: ['dependency'],
  },
  {
    file: identity('dependency'),
    from: "redirect: 'manual', signal }",
    to: "redirect: 'follow' as 'manual', signal }",
    tests: ['dependency'],
  },
  {
    file: identity('who_am_i'),
    from: 'if (owner.toLowerCase() !== email.toLowerCase())',
    to: 'if (false)',
    tests: ['whoAmI'],
  },
  {
    file: identity('who_am_i'),
    from: 'if (status !== 200) throw',
    to: 'if (false) throw',
    tests: ['whoAmI'],
  },
  {
    file: identity('static_tokens'),
    from: 'if (isOwn && (username === undefined || username === identity.username))',
    to: 'if (isOwn)',
    tests: ['tokens'],
  },
  {
    file: identity('static_tokens'),
    from: 'let difference = presented.length ^ own.length',
    to: 'let difference = 0',
    tests: ['tokens'],
  },
  {
    file: identity('chain'),
    from: 'if (outcome.failure !== undefined) throw outcome.failure.error',
    to: '',
    tests: ['chain'],
  },
  { file: identity('chain'), from: 'if (verdict.final === true) return verdict', to: '', tests: ['chain'] },
  {
    file: identity('chain'),
    from: 'return verdictInTime(clock, verdict).then',
    to: 'return verdict.then',
    tests: ['chain'],
  },
  {
    file: identity('verdict_cache'),
    from: 'key += `${part.length}:${part}`',
    to: 'key += `${part}:`',
    tests: ['cache'],
  },
  {
    file: identity('verdict_cache'),
    from: 'if (ageMs > maxAgeMs) return undefined',
    to: '',
    tests: ['cache'],
  },
  {
    file: identity('verdict_cache'),
    from: 'const ageMs = clock.monotonic() - entry.loadedAt',
    to: 'const ageMs = clock.now() - entry.loadedAt',
    tests: ['cache'],
  },
  {
    file: identity('verdict_cache'),
    from: '|| clock.now() >= entry.endsAt',
    to: '',
    tests: ['cache'],
  },
  {
    file: identity('verdict_cache'),
    from: 'if (startedIn !== generation) return value',
    to: '',
    tests: ['cache'],
  },
  {
    file: identity('verdict_cache'),
    from: 'const entry = { value, loadedAt, keepMs, endsAt }',
    to: 'const entry = { value, loadedAt: clock.monotonic(), keepMs, endsAt }',
    tests: ['cache'],
  },
  {
    file: identity('opaque'),
    from: "cacheKey(['email_key', credential.email, credential.token])",
    to: "cacheKey(['email_key', credential.token])",
    tests: ['authOTron'],
  },
  {
    file: 'shared/secret.ts',
    from: 'toString: mask, toJSON: mask',
    to: 'toString: reveal, toJSON: mask',
    tests: ['secret'],
  },
  {
    file: 'shared/secret.ts',
    from: 'toBytes(value).length >= minBytes ?',
    to: 'true ?',
    tests: ['secret'],
  },
  { file: 'shared/secret.ts', from: 'TOKEN.test(value) ?', to: 'true ?', tests: ['secret'] },
  { file: 'shared/secret.ts', from: 'else value = next', to: '', tests: ['secret'] },
  { file: identity('key_set'), from: 'version++', to: '', tests: ['keys'] },
]
