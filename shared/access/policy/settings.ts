/**
 * Settings of the policy: who may do what (`vars.policy`). The policy refuses everything that it does not grant.
 *
 * @module
 */

import * as v from 'valibot'
import { section } from '#shared/config/section.ts'
import { secretName } from '#shared/config/shapes.ts'
import { address, anyRealm, cacheSeconds, isReachedSafely, plaintext, text, UNSAFE } from '../shapes.ts'

const everything = v.literal('everything')
const prefixes = v.pipe(v.array(v.string()), v.minLength(1))

const publishGrant = section({
  event: v.pipe(text, v.description('Event type')),
  prefixes: v.optional(
    v.pipe(
      prefixes,
      v.description('Prefixes of keys, each ending in a slash. Default: all keys of the event type'),
    ),
  ),
})

const rule = v.pipe(
  section({
    realm: v.pipe(anyRealm, v.description('Realm of the identities that the rule is for; "*": every realm')),
    roles: v.optional(
      v.pipe(v.array(text), v.minLength(1), v.description('One of these roles; "*": any. Default: any')),
    ),
    users: v.optional(
      v.pipe(v.array(text), v.minLength(1), v.description('One of these user names. Default: any')),
    ),
    claims: v.optional(
      v.pipe(
        v.record(v.string(), v.pipe(v.array(v.string()), v.minLength(1))),
        v.description('Claim → one of these values. Default: any'),
      ),
    ),
    listen: v.optional(
      v.pipe(
        v.union([everything, prefixes]),
        v.description(
          'Prefixes of keys they may listen to, each ending in a slash; {claim} stands for each value of a claim. Default: none',
        ),
      ),
    ),
    publish: v.optional(
      v.pipe(
        v.union([everything, v.pipe(v.array(publishGrant), v.minLength(1))]),
        v.description('What they may publish. Default: nothing'),
      ),
    ),
    admin: v.optional(v.pipe(v.boolean(), v.description('They may administer. Default: false'))),
    relay: v.optional(
      v.pipe(
        v.boolean(),
        v.description(
          'They are another Aviso whose hub reads from this one: they also get numbers, dates and removals of what they may listen to. Default: false',
        ),
      ),
    ),
  }),
  v.check(
    ({ listen, publish, admin, relay }) =>
      listen !== undefined || publish !== undefined || admin === true || relay === true,
    'A rule must grant something: listen, publish, admin or relay',
  ),
)

/** 1.x's prefix of dissemination. */
const DESTINATION_PREFIX = '/ec/diss/'

const destinations = v.pipe(
  section({
    url: v.pipe(
      address,
      v.description(
        'Address of the list, to which ?id=<user> is added, such as https://host/ecpds/v1/destination/list',
      ),
    ),
    username: v.pipe(text, v.description("The service's own account there")),
    passwordEnv: v.pipe(secretName, v.description('Secret with its password')),
    prefix: v.optional(
      v.pipe(v.string(), v.description('A user of destination FOO may listen to <prefix>FOO/')),
      DESTINATION_PREFIX,
    ),
    realms: v.pipe(
      v.array(anyRealm),
      v.minLength(1),
      v.description('Realms whose user names ECPDS has too; "*": all'),
    ),
    cacheSeconds,
    plaintext,
  }),
  v.check(({ url, plaintext: allowed }) => isReachedSafely(url, allowed), UNSAFE),
)

const events = (verb: string) =>
  v.optional(v.pipe(v.array(text), v.description(`Event types that anyone may ${verb}`)), [])

export const policySettings = section({
  public: v.optional(
    v.pipe(
      section({ listen: events('listen to'), publish: events('publish') }),
      v.description('Event types that need no identity'),
    ),
    {},
  ),
  open: v.optional(
    v.pipe(v.array(v.string()), v.description('Prefixes of keys that every identity may listen to')),
    [],
  ),
  rules: v.optional(
    v.pipe(
      v.array(rule),
      v.description('A rule grants what it names to every identity that meets all of its conditions'),
    ),
    [],
  ),
  destinations: v.optional(
    v.pipe(destinations, v.description('Destinations of users, as ECPDS lists them. Default: not asked')),
  ),
})

export type PolicySettings = v.InferOutput<typeof policySettings>
