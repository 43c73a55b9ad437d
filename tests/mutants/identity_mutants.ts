/**
 * Mutants of the identity: credentials, tokens, keys.
 *
 * @module
 */

import type { Mutant } from './mutant.ts'

const identity = (file: string): string => `shared/access/identity/${file}.ts`

/** Every one. */
export const IDENTITY_MUTANTS: readonly Mutant[] = [
  {
    file: identity('credential'),
    from: "if (header.includes(',')) {",
    to: 'if (false) {',
    tests: ['credential'],
  },
  {
    file: identity('credential'),
    from: '|| !TOKEN68.test(token)) return undefined',
    to: ') return undefined',
    tests: ['credential'],
  },
  {
    file: identity('credential'),
    from: '&& !FORMS[authType].includes(kind)',
    to: '&& false',
    tests: ['credential'],
  },
  {
    file: identity('credential'),
    from: "if (rest.length > MAX_TOKEN_CHARACTERS) return malformed('The credential is too long')",
    to: '',
    tests: ['credential'],
  },
  {
    file: identity('credential'),
    from: '  refuseQueryCredentials(request.url)\n',
    to: '',
    tests: ['credential'],
  },
  {
    file: identity('credential'),
    from: 'Object.hasOwn(FORMS, text)',
    to: 'text in FORMS',
    tests: ['credential'],
  },
  {
    file: identity('credential'),
    from: 'if (!isName(username)) return undefined',
    to: '',
    tests: ['credential'],
  },
  { file: identity('credential'), from: '&& NAME.test(text) &&', to: '&&', tests: ['credential'] },
  { file: identity('challenge'), from: 'SAFE_REALM.test(realm)', to: 'true', tests: ['challenge'] },
  { file: identity('compact_token'), from: 'if (more.length > 0 ||', to: 'if (', tests: ['compact'] },
  {
    file: identity('compact_token'),
    from: 'if (!text.endsWith(again)) return undefined',
    to: '',
    tests: ['compact'],
  },
  {
    file: identity('compact_token'),
    from: '  if (REFUSED_MEMBERS.some((name) => Object.hasOwn(header, name))) return undefined\n',
    to: '',
    tests: ['compact'],
  },
  {
    file: identity('compact_token'),
    from: '  if (ID_TOKEN_MEMBERS.some((name) => Object.hasOwn(claims, name))) return undefined\n',
    to: '',
    tests: ['compact'],
  },
  {
    file: identity('token_verifier'),
    from: "if (rules.issuer !== ANY && iss !== rules.issuer) return 'claim iss'",
    to: '',
    tests: ['verifier'],
  },
  {
    file: identity('token_verifier'),
    from: "...(typeof rules.audience !== 'string' && { audience: [...rules.audience] }),",
    to: '',
    tests: ['verifier'],
  },
  {
    file: identity('token_verifier'),
    from: "if (rules.audience === 'none' && aud !== undefined) return 'claim aud'",
    to: '',
    tests: ['verifier'],
  },
  {
    file: identity('token_verifier'),
    from: "['exp', ...rules.requiredClaims]",
    to: "['exp']",
    tests: ['verifier'],
  },
  {
    file: identity('token_verifier'),
    from: '...(rules.type !== undefined && { typ: rules.type }),',
    to: '',
    tests: ['verifier'],
  },
  {
    file: identity('token_verifier'),
    from: "if (algorithm === undefined) return refused('algorithm')",
    to: '',
    tests: ['verifier'],
  },
  {
    file: identity('token_verifier'),
    from: '!isSeconds(value) || value > latest',
    to: '!isSeconds(value)',
    tests: ['verifier'],
  },
  {
    file: identity('token_verifier'),
    from: "typeof value === 'number' && value >= 0",
    to: "typeof value === 'number' && Number.isSafeInteger(value) && value >= 0",
    tests: ['verifier'],
  },
  {
    file: identity('token_verifier'),
    from: "if (!isSeconds(exp)) return 'claim exp'",
    to: '',
    tests: ['verifier'],
  },
  {
    file: identity('token_verifier'),
    from: 'if (error instanceof errors.JWSSignatureVerificationFailed) return SIGNATURE',
    to: 'if (error instanceof errors.JWSSignatureVerificationFailed) return undefined',
    tests: ['verifier'],
  },
  {
    file: identity('key_set'),
    from: 'wanted === undefined || own !== keyId ||',
    to: 'wanted === undefined ||',
    tests: ['keys'],
  },
  {
    file: identity('key_set'),
    from: "jwk['alg'] === undefined || jwk['alg'] === algorithm",
    to: 'true',
    tests: ['keys'],
  },
  { file: identity('key_set'), from: 'if (matching.length !== 1) return []', to: '', tests: ['keys'] },
  { file: identity('key_set'), from: "return !Object.hasOwn(jwk, 'd')", to: 'return true', tests: ['keys'] },
]
