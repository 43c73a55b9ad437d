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

/** What is granted, in one form for all rights: README.md of this folder's parent has the table. */
const grant = v.union([
  v.pipe(
    v.string(),
    v.minLength(1),
    v.description(
      'Event type, such as flight; or prefix of keys with a slash at both ends, such as /ec/mars/',
    ),
  ),
  section({
    event: v.pipe(text, v.description('Event type')),
    prefixes: v.optional(
      v.pipe(
        v.array(v.string()),
        v.minLength(1),
        v.description(
          'Prefixes of keys, each with a slash at both ends. Default: all keys of the event type',
        ),
      ),
    ),
  }),
])

const WHAT =
  'Event types, prefixes of keys, or both ({"event": …, "prefixes": […]}), in a list; "everything": all event types and keys'
const HOLES = 'In a prefix, {claim} stands for each value of a claim'

/** Says how a single entry must be written. */
function notAList({ input }: { readonly input: unknown }): string {
  return typeof input === 'string' && input.length > 0 && input !== 'all' && input !== '*'
    ? `Write [${JSON.stringify(input)}], or "everything"`
    : 'Use "everything", or a list of event types and prefixes of keys'
}

const grantsOfRule = v.union([everything, v.pipe(v.array(grant), v.minLength(1))], notAList)
const grants = v.union([everything, v.array(grant)], notAList)

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
      v.pipe(grantsOfRule, v.description(`What they may listen to. ${WHAT}. ${HOLES}. Default: nothing`)),
    ),
    publish: v.optional(
      v.pipe(grantsOfRule, v.description('What they may publish, in the form of listen. Default: nothing')),
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

/** Each server more is asked by every user. */
const MAX_SERVERS = 8

/** Each prefix more is joined to each destination of a user, of which there may be ten thousand. */
export const MAX_DESTINATION_PREFIXES = 16

/** 1.x's prefix of dissemination. */
const DESTINATION_PREFIX = '/ec/diss/'

const destinations = v.pipe(
  section({
    url: v.pipe(
      v.union([address, v.pipe(v.array(address), v.minLength(1), v.maxLength(MAX_SERVERS))]),
      v.description(
        'Address of the list, to which ?id=<user> is added, such as https://host/ecpds/v1/destination/list; or a list of addresses, which are all asked: a user has the destinations that any of them lists',
      ),
    ),
    partialOutage: v.optional(
      v.pipe(
        v.picklist(['strict', 'any_success']),
        v.description(
          'When one of several servers fails. strict: nothing is allowed until all answer; any_success: what the others list counts',
        ),
      ),
      'strict',
    ),
    targetField: v.optional(
      v.pipe(text, v.description('Member of a record of the list that holds the destination')),
      'name',
    ),
    username: v.pipe(text, v.description("The service's own account there")),
    passwordEnv: v.pipe(secretName, v.description('Secret with its password')),
    prefix: v.optional(
      v.pipe(
        v.union([
          v.string(),
          v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(MAX_DESTINATION_PREFIXES)),
        ]),
        v.description(
          'A user of destination FOO may listen to <prefix>FOO/; or a list of prefixes, one for each event type that has destinations',
        ),
      ),
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
  v.check(
    ({ url, plaintext: allowed }) => [url].flat().every((each) => isReachedSafely(each, allowed)),
    UNSAFE,
  ),
)

const forAnyone = (verb: string) =>
  v.optional(
    v.pipe(grants, v.description(`What anyone may ${verb}, in the form of rules. Without {claim}`)),
    [],
  )

export const policySettings = section({
  public: v.optional(
    v.pipe(
      section({ listen: forAnyone('listen to'), publish: forAnyone('publish') }),
      v.description('What needs no identity'),
    ),
    {},
  ),
  open: v.optional(
    v.pipe(grants, v.description('What every identity may listen to, in the form of rules')),
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

/** What is granted, as it is written. */
export type WrittenGrants = v.InferOutput<typeof grants>
