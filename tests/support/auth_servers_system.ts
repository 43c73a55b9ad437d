/**
 * Identity and policy as a configuration file sets them up, over stand-ins for every server they depend on.
 *
 * @module
 */

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { loadConfig, type Config } from '#services/system/settings.ts'
import { startAccess, type SystemAccess } from '#services/system/access.ts'
import { createLogger, type Logger } from '#shared/logger.ts'
import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import { createSecretReader } from '#shared/secret.ts'
import {
  active,
  AUTH_O_TRON_ISSUER,
  ECPDS_ACCOUNT,
  ECPDS_PASSWORD,
  ECPDS_PATH,
  startAuthOTron,
  startEcpds,
  startKeySet,
  startWhoAmI,
  type AuthOTronStandIn,
  type EcpdsStandIn,
  type KeySetStandIn,
  type WhoAmIStandIn,
} from './auth_servers.ts'
import { createScaledClock, type TestClock } from './clock.ts'
import { AUDIENCE, CANARY, createIssuerKey, ISSUER, SHARED_SECRET, type IssuerKey } from './tokens.ts'

/** Opaque token of joe, whom auth-o-tron knows (realm `ecmwf`, role `reader`; destinations SCL and FOO). */
export const JOE_TOKEN = `${CANARY}-joe`
/** Opaque token of ann, whom auth-o-tron knows (realm `ecmwf`, destination BAR). */
export const ANN_TOKEN = `${CANARY}-ann`
/** Key of kim, whom only who-am-i knows, as `kim@x.int` (destination KIM). */
export const KIM_KEY = `${CANARY}-kim`
/** Static token of a provider that may publish dissemination to SCL. */
export const PROVIDER_TOKEN = `${CANARY}-provider-of-scl`
/** Static token of an operator who may do everything. */
export const OPERATOR_TOKEN = `${CANARY}-the-operator`

/** Every secret there is: none of them may be found anywhere. */
export const SECRETS = [CANARY] as const

/** Everything. */
export interface AccessStandIns {
  readonly authOTron: AuthOTronStandIn
  readonly whoAmI: WhoAmIStandIn
  readonly ecpds: EcpdsStandIn
  readonly keySet: KeySetStandIn
  readonly issuerKey: IssuerKey
  readonly environment: Readonly<Record<string, string>>
  /** `vars` of a configuration file. */
  readonly vars: object
  close(): Promise<void>
}

/** Starts the servers. */
export async function startAccessStandIns(): Promise<AccessStandIns> {
  const issuerKey = await createIssuerKey('issuer-key')
  const authOTron = await startAuthOTron({
    [`Bearer ${JOE_TOKEN}`]: { username: 'joe', roles: ['reader'] },
    [`Bearer ${ANN_TOKEN}`]: { username: 'ann' },
    [`Basic ${btoa(`joe:${CANARY}-joe-password`)}`]: { username: 'joe', roles: ['reader'] },
  })
  const whoAmI = await startWhoAmI({ [KIM_KEY]: { uid: 'kim', email: 'kim@x.int' } })
  const ecpds = await startEcpds({ joe: active('SCL', 'FOO'), ann: active('BAR'), kim: active('KIM') })
  const keySet = await startKeySet([issuerKey.publicJwk])
  return {
    authOTron,
    whoAmI,
    ecpds,
    keySet,
    issuerKey,
    environment: {
      AUTHOTRON_SECRET: SHARED_SECRET,
      ECPDS_PASSWORD,
      PROVIDER_TOKEN,
      OPERATOR_TOKEN,
    },
    vars: varsOf({ authOTron, whoAmI, ecpds, keySet }),
    close: async () => {
      await Promise.all([authOTron.close(), whoAmI.close(), ecpds.close(), keySet.close()])
    },
  }
}

function varsOf({
  authOTron,
  whoAmI,
  ecpds,
  keySet,
}: Pick<AccessStandIns, 'authOTron' | 'whoAmI' | 'ecpds' | 'keySet'>): object {
  return {
    identity: {
      providers: [
        {
          kind: 'tokens',
          tokens: [
            { username: 'provider', realm: 'local', roles: ['disseminator'], secretEnv: 'PROVIDER_TOKEN' },
            { username: 'operator', realm: 'local', roles: ['operator'], secretEnv: 'OPERATOR_TOKEN' },
          ],
        },
        {
          kind: 'jwt',
          name: 'openid',
          issuer: ISSUER,
          audience: [AUDIENCE],
          algorithms: ['ES256'],
          keysUrl: `${keySet.url}/keys`,
          realm: 'openid',
        },
        {
          kind: 'auth-o-tron',
          url: authOTron.url,
          issuer: AUTH_O_TRON_ISSUER,
          audience: 'none',
          secretEnvs: ['AUTHOTRON_SECRET'],
        },
        { kind: 'who-am-i', url: `${whoAmI.url}/v1/who-am-i` },
      ],
    },
    policy: {
      public: { listen: ['flight'], publish: ['flight'] },
      open: ['/ec/mars/', '/ec/config/aviso/'],
      rules: [
        { realm: 'openid', listen: ['/ec/diss/{destinations}/'] },
        {
          realm: 'local',
          roles: ['disseminator'],
          publish: [{ event: 'dissemination', prefixes: ['/ec/diss/SCL/'] }],
        },
        { realm: 'local', roles: ['operator'], listen: 'everything', publish: 'everything', admin: true },
      ],
      destinations: {
        url: `${ecpds.url}${ECPDS_PATH}`,
        username: ECPDS_ACCOUNT,
        passwordEnv: 'ECPDS_PASSWORD',
        realms: ['ecmwf'],
      },
    },
  }
}

/** Access control and all it leaves behind. */
export interface AccessUnderTest {
  readonly access: SystemAccess
  readonly clock: TestClock
  /** What was logged so far. */
  readonly logged: string[]
  /** Lines of the audit log so far; complete once `access` is closed. */
  readonly audited: string[]
}

/** The shipped configuration with these `vars`. */
export function configOf(vars: object): Config {
  return loadConfig(JSON.stringify({ ...configFile, vars: { ...configFile.vars, ...vars } }), 'test.json')
}

/** New access control over the stand-ins, which remembers nothing yet. */
export function openAccess(standIns: AccessStandIns): AccessUnderTest {
  const logged: string[] = []
  const audited: string[] = []
  const logger: Logger = createLogger(
    (line) => logged.push(line),
    () => Date.now(),
    'debug',
  )
  const clock = createScaledClock()
  const access = startAccess({
    config: configOf(standIns.vars),
    schemas: createBuiltinSchemas(),
    readSecret: createSecretReader(standIns.environment),
    auditSink: (lines) => void audited.push(...lines.trimEnd().split('\n')),
    clock,
    random: () => crypto.randomUUID(),
    logger,
    baseUrl: () => 'http://aviso.test',
  })
  return { access, clock, logged, audited }
}
