/**
 * Settings of identity: which providers are believed (`vars.identity`). They hold the names of secrets, never the secrets.
 *
 * @module
 */

import * as v from 'valibot'
import { section } from '#shared/config/section.ts'
import { secretName } from '#shared/config/shapes.ts'
import { address, cacheSeconds, isReachedSafely, plaintext, realm, text, UNSAFE } from '../shapes.ts'
import { ALGORITHMS, ASYMMETRIC, MIN_SECRET_BYTES, SYMMETRIC } from './key_set.ts'
import { MIN_TOKEN_BYTES } from './static_tokens.ts'
import { ANY } from './token_verifier.ts'

/** The clocks of well-kept machines are never further apart. Envoy and gRPC allow the same. */
const TOLERANCE_SECONDS = 60
/** The older ECMWF server that 1.x asks. */
const WHO_AM_I_URL = 'https://api.ecmwf.int/v1/who-am-i'

const providerName = v.pipe(text, v.description('Name in logs, metrics and the audit log'))
const issuer = v.pipe(
  text,
  v.description('Issuer (`iss`) of the tokens; "any": it is not looked at, as in 2.x'),
)
const realmOfUsers = v.pipe(
  realm,
  v.description('Realm of the users that this provider knows; rules name it'),
)

/** The source of an issuer's keys: exactly one of the three. */
const keySource = {
  keysUrl: v.optional(v.pipe(address, v.description('Address of a JSON Web Key Set'))),
  keys: v.optional(
    v.pipe(
      v.looseObject({ keys: v.array(v.looseObject({ kty: v.string() })) }),
      v.description('A JSON Web Key Set itself'),
    ),
  ),
  secretEnvs: v.optional(
    v.pipe(
      v.array(secretName),
      v.minLength(1),
      v.maxLength(2),
      v.description(`Shared secrets of at least ${MIN_SECRET_BYTES} bytes, the newest first`),
    ),
  ),
}

/** RFC 7518 §3.2. 2.x takes any secret, so an operator may have a shorter one that other programs know, too. */
const weakSecrets = v.optional(
  v.pipe(
    v.boolean(),
    v.description(
      `Allow secrets in secretEnvs that are shorter than ${MIN_SECRET_BYTES} bytes, as 2.x does: whoever has a token may find such a secret by trying`,
    ),
  ),
  false,
)

interface KeyChoice {
  readonly algorithms: readonly string[]
  readonly keysUrl?: string | undefined
  readonly keys?: unknown
  readonly secretEnvs?: readonly string[] | undefined
}

function hasOneKeySource({ keysUrl, keys, secretEnvs }: KeyChoice): boolean {
  return [keysUrl, keys, secretEnvs].filter((source) => source !== undefined).length === 1
}

/** Keys of both kinds are not mixed, because a public key could then be taken for a shared secret (as in CVE-2022-29217). */
function algorithmsFit({ algorithms, secretEnvs }: KeyChoice): boolean {
  const allowed: readonly string[] = secretEnvs === undefined ? ASYMMETRIC : SYMMETRIC
  return algorithms.every((algorithm) => allowed.includes(algorithm))
}

const ONE_SOURCE = 'Give exactly one of keysUrl, keys and secretEnvs'
const FITTING = 'HS* algorithms go with secretEnvs, all others with keysUrl or keys'

const algorithms = v.pipe(
  v.array(v.picklist(ALGORITHMS)),
  v.minLength(1),
  v.description('Signature algorithms that are accepted'),
)
const audiences = v.pipe(v.array(text), v.minLength(1))
const tolerance = v.optional(
  v.pipe(
    v.number(),
    v.integer(),
    v.minValue(0),
    v.maxValue(300),
    v.metadata({ unit: 'seconds' }),
    v.description('How far the clocks of the issuer and of this service may be apart'),
  ),
  TOLERANCE_SECONDS,
)

const jwt = v.pipe(
  section({
    kind: v.pipe(
      v.literal('jwt'),
      v.description("The client's own token is verified with the keys of its issuer"),
    ),
    name: providerName,
    issuer,
    audience: v.pipe(
      v.union([v.literal(ANY), audiences]),
      v.description('A token must name one of these in `aud`; "any": it is not looked at, as in 2.x'),
    ),
    algorithms,
    ...keySource,
    weakSecrets,
    type: v.optional(
      v.pipe(text, v.description('Required `typ` header, such as at+jwt. Default: it is not looked at')),
    ),
    clockToleranceSeconds: tolerance,
    usernameClaim: v.optional(v.pipe(text, v.description('Claim with the user name')), 'sub'),
    rolesClaim: v.optional(
      v.pipe(text, v.description('Claim with the list of roles; a dot goes into an object')),
      'roles',
    ),
    realmClaim: v.optional(
      v.pipe(text, v.description('Claim with the realm. Default: every user is of the provider\'s "realm"')),
    ),
    realm: realmOfUsers,
    plaintext,
  }),
  v.check((provider) => hasOneKeySource(provider), ONE_SOURCE),
  v.check((provider) => algorithmsFit(provider), FITTING),
  v.check(({ keysUrl, plaintext: allowed }) => isReachedSafely(keysUrl, allowed), UNSAFE),
)

const authOTron = v.pipe(
  section({
    kind: v.pipe(
      v.literal('auth-o-tron'),
      v.description('auth-o-tron receives the credential and answers with a token, which is verified'),
    ),
    name: v.optional(providerName, 'auth-o-tron'),
    url: v.pipe(address, v.description('Address of the server, without /authenticate')),
    issuer,
    audience: v.pipe(
      v.union([v.literal('none'), v.literal(ANY), audiences]),
      v.description(
        'A token must name one of these in `aud`; "none": the server names no audience; "any": it is not looked at, as in 2.x',
      ),
    ),
    algorithms: v.optional(algorithms, ['HS256']),
    ...keySource,
    weakSecrets,
    clockToleranceSeconds: tolerance,
    cacheSeconds,
    plaintext,
  }),
  v.check((provider) => hasOneKeySource(provider), ONE_SOURCE),
  v.check((provider) => algorithmsFit(provider), FITTING),
  v.check(
    ({ url, keysUrl, plaintext: allowed }) =>
      isReachedSafely(url, allowed) && isReachedSafely(keysUrl, allowed),
    UNSAFE,
  ),
)

const whoAmI = v.pipe(
  section({
    kind: v.pipe(v.literal('who-am-i'), v.description('The older ECMWF server, for EmailKey')),
    name: v.optional(providerName, 'who-am-i'),
    url: v.optional(v.pipe(address, v.description('Address of the server')), WHO_AM_I_URL),
    realm: v.optional(realmOfUsers, 'ecmwf'),
    cacheSeconds,
    plaintext,
  }),
  v.check(({ url, plaintext: allowed }) => isReachedSafely(url, allowed), UNSAFE),
)

const tokens = section({
  kind: v.pipe(v.literal('tokens'), v.description('Tokens that the operator gives out')),
  name: v.optional(providerName, 'tokens'),
  tokens: v.pipe(
    v.array(
      section({
        username: v.pipe(text, v.description('Whose token it is')),
        realm: realmOfUsers,
        roles: v.optional(v.pipe(v.array(text), v.description('Roles of that user')), []),
        secretEnv: v.pipe(
          secretName,
          v.description(`Secret with the token, of at least ${MIN_TOKEN_BYTES} bytes`),
        ),
      }),
    ),
    v.minLength(1),
    v.description('Each token and whose it is'),
  ),
})

const identified = section({
  realm: v.optional(v.pipe(realm, v.description('Realm that the challenge of a 401 names')), 'aviso'),
  providers: v.pipe(
    v.array(v.variant('kind', [jwt, authOTron, whoAmI, tokens])),
    v.minLength(1),
    v.maxLength(8),
    v.description('Identity providers, asked in this order'),
  ),
})

export const identitySettings = v.union([v.literal('none'), identified])

export type IdentitySettings = v.InferOutput<typeof identitySettings>
export type ProviderSettings = v.InferOutput<typeof identified>['providers'][number]
