/**
 * The settings that services share: the `vars` of the whole file.
 *
 * @module
 */

import * as v from 'valibot'
import { identitySettings } from '#shared/access/identity/settings.ts'
import { policySettings } from '#shared/access/policy/settings.ts'
import { quotaSettings } from '#shared/access/quota/settings.ts'
import { section } from '#shared/config/section.ts'
import { secretName } from '#shared/config/shapes.ts'
import { ANY_ORIGIN } from '#shared/http/pages.ts'
import { telemetrySettings } from '#shared/observe/telemetry/settings.ts'
import { runsShape } from '#shared/runs/expectation_shape.ts'

/** An origin of web pages, as browsers write it, or any. */
const pageOrigin = v.pipe(
  v.string(),
  v.check(
    (text) => text === ANY_ORIGIN || isOrigin(text),
    'An origin is a scheme, a host and perhaps a port, without a path, such as https://pages.example.org; * is any',
  ),
)

/** Patterns such as `https://*.example.org` are none: a browser never sends them. */
function isOrigin(text: string): boolean {
  return /^https?:\/\/[^*]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text
}

const storeUser = section({
  name: v.pipe(v.string(), v.description('User of etcd')),
  passwordEnv: v.pipe(secretName, v.description('Secret with the password')),
})

const storeTls = v.pipe(
  section({
    authority: v.optional(
      v.pipe(
        v.string(),
        v.minLength(1),
        v.description(
          'Path of a PEM file with the authorities that are trusted. Default: what the machine trusts',
        ),
      ),
    ),
    certificate: v.optional(
      v.pipe(v.string(), v.minLength(1), v.description('Path of a PEM file with the certificate to show')),
    ),
    key: v.optional(
      v.pipe(v.string(), v.minLength(1), v.description('Path of a PEM file with its private key')),
    ),
  }),
  v.check(
    ({ certificate, key }) => (certificate === undefined) === (key === undefined),
    'Give certificate and key together',
  ),
)

/** Half of the numbers that are exact: the others are for those that follow. */
const MOST_FIRST = 2 ** 52

/** Settings that services share. */
export const sharedVars = v.pipe(
  section({
    store: v.optional(
      v.pipe(
        v.string(),
        v.description(
          'Store address: embedded:, embedded:memory, http://a:2379,http://b:2379 for etcd (by gRPC where it answers that; grpc:// or gateway:// for one way alone); http://host:8080 for another Aviso',
        ),
      ),
      'embedded:',
    ),
    storeUser: v.optional(
      v.pipe(storeUser, v.description('User of a store that is etcd. Default: none, etcd without users')),
    ),
    storeTls: v.optional(
      v.pipe(
        storeTls,
        v.description(
          'Certificates for a store at https://, grpcs:// or gateways://. They are read again when they change. Default: what the machine trusts',
        ),
      ),
    ),
    storeTokenEnv: v.optional(
      v.pipe(
        secretName,
        v.description(
          'Secret with the bearer token for a store that is another Aviso. That store is only read. Default: none',
        ),
      ),
    ),
    schemas: v.optional(
      v.pipe(
        v.array(v.string()),
        v.minLength(1),
        v.description(
          'Names of shipped schemas (flight, ecmwf), or paths of schema files: JSON or YAML, of 1.x or 2.x',
        ),
      ),
      ['flight', 'ecmwf'],
    ),
    schemaService: v.optional(
      v.pipe(
        v.string(),
        v.description(
          'Service whose files in the store hold the schema, such as aviso/v1. That schema replaces "schemas", and its changes count at once. Default: none',
        ),
      ),
    ),
    baseUrl: v.optional(
      v.pipe(
        v.string(),
        v.url(),
        v.description(
          'Public address: the `source` of delivered CloudEvents. Without identities, requests for its host are answered too, besides those for loopback. Default: the address that the launcher listens on',
        ),
      ),
    ),
    firstNumbers: v.optional(
      v.pipe(
        v.record(v.string(), v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(MOST_FIRST))),
        v.description(
          'Event type → number of its first notification, where numbers go on from another server: one above the last that it gave out. It counts while an event type has no number yet. Default: 1',
        ),
      ),
      {},
    ),
    runs: v.optional(
      v.pipe(
        runsShape,
        v.description(
          'Runs of a forecast: event type → what belongs to a run, and when it is due; true takes what is shipped for mars and dissemination. Their state is published as event type run. Default: none, and there is no event type run',
        ),
      ),
    ),
    allowedOrigins: v.optional(
      v.pipe(
        v.array(pageOrigin),
        v.description(
          'Origins of the web pages that may read answers (CORS). A page of an origin that is named may also publish. Needs identities. Default: pages may read streams that need no credential, as in 2.x, and nothing else',
        ),
      ),
    ),
    console: v.optional(
      v.pipe(
        v.boolean(),
        v.description(
          'Whether browsers get the console at /. It shows people what the API tells them, with their own token. Default: where the public address is one of loopback',
        ),
      ),
    ),
    logLevel: v.optional(
      v.pipe(
        v.picklist(['debug', 'info', 'warn', 'error']),
        v.description('Least important records that are logged, as JSON lines on standard error'),
      ),
      'info',
    ),
    telemetry: v.optional(
      v.pipe(
        telemetrySettings,
        v.description(
          'Where services send telemetry, besides answering /metrics. Default: to the monitoring in the same process, if there is one',
        ),
      ),
    ),
    identity: v.optional(
      v.pipe(
        identitySettings,
        v.description('How users are identified. "none": every request may do everything, on loopback only'),
      ),
      'none',
    ),
    policy: v.optional(
      v.pipe(
        policySettings,
        v.description(
          'Who may do what. Everything that it does not grant is refused. It is read again on SIGHUP, for open streams too',
        ),
      ),
      {},
    ),
    quota: v.optional(v.pipe(quotaSettings, v.description('Limits of one identity or address')), {}),
    audit: v.optional(
      v.pipe(
        section({
          file: v.pipe(
            v.string(),
            v.minLength(1),
            v.description('Path of a file, which gets mode 0600, or - for standard output'),
          ),
        }),
        v.description('Audit log: who did what, as one JSON line each. Default: none'),
      ),
    ),
  }),
  v.check(
    ({ storeUser: user, storeTokenEnv }) => user === undefined || storeTokenEnv === undefined,
    'Give storeUser if the store is etcd, or storeTokenEnv if it is another Aviso, not both',
  ),
  v.forward(
    v.check(
      ({ allowedOrigins, identity }) => allowedOrigins === undefined || identity !== 'none',
      'Without vars.identity every page could do everything here, so only this machine is let in: configure vars.identity, or leave the origins out',
    ),
    ['allowedOrigins'],
  ),
)
