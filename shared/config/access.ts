/**
 * The configuration's part on identity and policy: who is believed, and who may do what. Secrets are named, never held.
 *
 * @module
 */

import * as v from 'valibot'

/** As far as clocks of well-kept machines are ever apart, and what Envoy and gRPC allow. */
const DEFAULT_TOLERANCE_SECONDS = 60
/** The most that lets a revocation be noticed within 65 s. */
const MAX_CACHE_SECONDS = 30

const LOOPBACK = ['127.0.0.1', '[::1]', 'localhost']
const SYMMETRIC = ['HS256', 'HS384', 'HS512'] as const
const ASYMMETRIC = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const

const text = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(256),
  v.check((value) => value.trim() === value, 'Must not begin or end with white space'),
)
/** It stands between quotes in `WWW-Authenticate`. */
const realm = v.pipe(text, v.regex(/^[\w .:/@-]{1,64}$/, 'A realm has letters, digits and . : / @ - _ only'))
const secretName = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'Name of an environment variable, not the secret'),
)
const cacheSeconds = v.optional(
  v.pipe(v.number(), v.minValue(1), v.maxValue(MAX_CACHE_SECONDS)),
  MAX_CACHE_SECONDS,
)

/** An address of another server, without credentials, query or fragment. */
const address = v.pipe(
  v.string(),
  v.url(),
  v.check((value) => {
    // What is no address at all has been told.
    if (!URL.canParse(value)) return true
    const { protocol, username, password, search, hash } = new URL(value)
    return /^https?:$/.test(protocol) && username === '' && password === '' && search === '' && hash === ''
  }, 'An http(s) address without credentials, query or fragment'),
)

/** `plaintext: true` allows http to another machine, e.g. inside a cluster whose network is trusted. */
const plaintext = v.optional(v.boolean(), false)

function isReachedSafely(url: string | undefined, allowPlaintext: boolean): boolean {
  if (url === undefined || allowPlaintext || !URL.canParse(url)) return true
  const { protocol, hostname } = new URL(url)
  return protocol === 'https:' || LOOPBACK.includes(hostname)
}

const UNSAFE =
  'http is for loopback; use https, or say "plaintext": true if the network in between is trusted'

/** Where the keys of an issuer come from: exactly one of the three. */
const keySource = {
  /** Address of a JSON Web Key Set. */
  keysUrl: v.optional(address),
  /** A JSON Web Key Set itself. */
  keys: v.optional(v.looseObject({ keys: v.array(v.looseObject({ kty: v.string() })) })),
  /** Shared secrets, the newest first. */
  secretEnvs: v.optional(v.pipe(v.array(secretName), v.minLength(1), v.maxLength(2))),
}

interface KeyChoice {
  readonly algorithms: readonly string[]
  readonly keysUrl?: string | undefined
  readonly keys?: unknown
  readonly secretEnvs?: readonly string[] | undefined
}

function hasOneKeySource({ keysUrl, keys, secretEnvs }: KeyChoice): boolean {
  return [keysUrl, keys, secretEnvs].filter((source) => source !== undefined).length === 1
}

/** Mixed, a public key could be taken for a shared secret (CVE-2022-29217 and its kind). */
function algorithmsFit({ algorithms, secretEnvs }: KeyChoice): boolean {
  const allowed: readonly string[] = secretEnvs === undefined ? ASYMMETRIC : SYMMETRIC
  return algorithms.every((algorithm) => allowed.includes(algorithm))
}

const ONE_SOURCE = 'Give exactly one of keysUrl, keys and secretEnvs'
const FITTING = 'HS* algorithms go with secretEnvs, all others with keysUrl or keys'

const algorithms = v.pipe(v.array(v.picklist([...ASYMMETRIC, ...SYMMETRIC])), v.minLength(1))
const tolerance = v.optional(
  v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(300)),
  DEFAULT_TOLERANCE_SECONDS,
)

/** The client's own token is verified with the keys of its issuer. */
const jwt = v.pipe(
  v.strictObject({
    kind: v.literal('jwt'),
    name: text,
    issuer: text,
    audience: v.pipe(v.array(text), v.minLength(1)),
    algorithms,
    ...keySource,
    /** Required `typ` header, e.g. `at+jwt`. */
    type: v.optional(text),
    clockToleranceSeconds: tolerance,
    /** Claim with the user name. */
    usernameClaim: v.optional(text, 'sub'),
    /** Claim with the list of roles; dots go into objects. */
    rolesClaim: v.optional(text, 'roles'),
    /** Claim with the realm; absent: everybody is of `realm`. */
    realmClaim: v.optional(text),
    realm,
    plaintext,
  }),
  v.check((provider) => hasOneKeySource(provider), ONE_SOURCE),
  v.check((provider) => algorithmsFit(provider), FITTING),
  v.check(({ keysUrl, plaintext: allowed }) => isReachedSafely(keysUrl, allowed), UNSAFE),
)

/** auth-o-tron is shown the credential and answers with a token of its own, which is verified. */
const authOTron = v.pipe(
  v.strictObject({
    kind: v.literal('auth-o-tron'),
    name: v.optional(text, 'auth-o-tron'),
    /** Without `/authenticate`. */
    url: address,
    issuer: text,
    /** `none`: it names no audience. */
    audience: v.union([v.literal('none'), v.pipe(v.array(text), v.minLength(1))]),
    algorithms: v.optional(algorithms, ['HS256']),
    ...keySource,
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

/** The older ECMWF server, for `EmailKey`. */
const whoAmI = v.pipe(
  v.strictObject({
    kind: v.literal('who-am-i'),
    name: v.optional(text, 'who-am-i'),
    url: v.optional(address, 'https://api.ecmwf.int/v1/who-am-i'),
    realm: v.optional(realm, 'ecmwf'),
    cacheSeconds,
    plaintext,
  }),
  v.check(({ url, plaintext: allowed }) => isReachedSafely(url, allowed), UNSAFE),
)

/** Tokens that the operator gives out. */
const tokens = v.strictObject({
  kind: v.literal('tokens'),
  name: v.optional(text, 'tokens'),
  tokens: v.pipe(
    v.array(
      v.strictObject({
        username: text,
        realm,
        roles: v.optional(v.array(text), []),
        secretEnv: secretName,
      }),
    ),
    v.minLength(1),
  ),
})

/** Who is believed: providers, asked in this order; or `none`, which listens on loopback only. */
export const identityConfig = v.lazy((value) => (value === 'none' ? nobody : providers))

const nobody = v.literal('none')
const providers = v.strictObject({
  /** Named in the challenge of a 401. */
  realm: v.optional(realm, 'aviso'),
  providers: v.pipe(
    v.array(v.variant('kind', [jwt, authOTron, whoAmI, tokens])),
    v.minLength(1),
    v.maxLength(8),
  ),
})

const everything = v.literal('everything')
const prefixes = v.pipe(v.array(v.string()), v.minLength(1))

/** One rule: all conditions must hold, then everything it grants is granted. */
const rule = v.pipe(
  v.strictObject({
    /** `*` stands for every realm. */
    realm: v.union([v.literal('*'), realm]),
    roles: v.optional(v.pipe(v.array(text), v.minLength(1))),
    users: v.optional(v.pipe(v.array(text), v.minLength(1))),
    /** Claim → one of these values. */
    claims: v.optional(v.record(v.string(), v.pipe(v.array(v.string()), v.minLength(1)))),
    /** Prefixes of keys, ending in a slash; `{claim}` stands for each value of a claim. */
    listen: v.optional(v.union([everything, prefixes])),
    publish: v.optional(
      v.union([
        everything,
        v.pipe(v.array(v.strictObject({ event: text, prefixes: v.optional(prefixes) })), v.minLength(1)),
      ]),
    ),
    admin: v.optional(v.boolean()),
    /** They are another Aviso, whose hub stands on this one: they also get numbers, dates and removals of what they may listen to. */
    relay: v.optional(v.boolean()),
  }),
  v.check(
    ({ listen, publish, admin, relay }) =>
      listen !== undefined || publish !== undefined || admin === true || relay === true,
    'A rule grants something: listen, publish, admin or relay',
  ),
)

/** Destinations of users, as ECPDS lists them. */
const destinations = v.pipe(
  v.strictObject({
    /** Address of the list, to which `?id=<user>` is added, e.g. `https://host/ecpds/v1/destination/list`. */
    url: address,
    username: text,
    passwordEnv: secretName,
    /** A user of destination FOO may listen to `<prefix>FOO/`. */
    prefix: v.optional(v.string(), '/ec/diss/'),
    /** Realms whose user names mean the same there; `*`: all. */
    realms: v.pipe(v.array(v.union([v.literal('*'), realm])), v.minLength(1)),
    cacheSeconds,
    plaintext,
  }),
  v.check(({ url, plaintext: allowed }) => isReachedSafely(url, allowed), UNSAFE),
)

/** Who may do what. What is not granted is refused. */
export const policyConfig = v.strictObject({
  /** Event types that need no identity. */
  public: v.optional(
    v.strictObject({ listen: v.optional(v.array(text), []), publish: v.optional(v.array(text), []) }),
    {},
  ),
  /** Prefixes that every identity may listen to. */
  open: v.optional(v.array(v.string()), []),
  rules: v.optional(v.array(rule), []),
  destinations: v.optional(destinations),
})

const rate = v.strictObject({
  perSecond: v.pipe(v.number(), v.minValue(0.01), v.maxValue(1e6)),
  burst: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1e6)),
})

/** What one principal or address may take; for identities only, since without them everybody is one principal. */
export const quotaConfig = v.strictObject({
  streamsPerPrincipal: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 32),
  opensPerPrincipal: v.optional(rate, { perSecond: 1, burst: 30 }),
  /** Reads of stored keys by `/v3/kv/range`: a user with a thousand listeners of 1.x that ask every half minute takes 33. */
  readsPerPrincipal: v.optional(rate, { perSecond: 200, burst: 400 }),
  /** Requests of the ingest; a batch is one. */
  publishesPerPrincipal: v.optional(rate, { perSecond: 200, burst: 400 }),
  wrongCredentialsPerAddress: v.optional(rate, { perSecond: 0.5, burst: 30 }),
  /** Proxies of ours in front, each of which adds an address to `X-Forwarded-For`; 0: the header is not believed. */
  trustedProxies: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(8)), 0),
})

export type IdentityConfig = v.InferOutput<typeof identityConfig>
export type ProviderConfig = Exclude<IdentityConfig, 'none'>['providers'][number]
export type PolicyConfig = v.InferOutput<typeof policyConfig>
export type QuotaConfig = v.InferOutput<typeof quotaConfig>
