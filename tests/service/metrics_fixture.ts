/**
 * The whole system with its instruments, without sockets, on a clock in the test's hand.
 *
 * @module
 */

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { loadConfig, type Config } from '#services/system/settings.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import { createManualClock } from '../support/clock.ts'
import { createSecretReader } from '#shared/secret.ts'
import { startTestSystem } from '../support/system.ts'
import { flight } from '../support/notifications.ts'

const TOKEN_ENV = 'TELEMETRY_TOKEN'
const TOKEN = 'token-of-this-test'

/** The project's own configuration, with a token for telemetry. */
export function configOfTest(vars: Readonly<Record<string, unknown>> = {}): Config {
  const { workers } = configFile
  const monitoring = { ...workers.monitoring, vars: { telemetryTokenEnv: TOKEN_ENV } }
  const file = { ...configFile, vars: { ...configFile.vars, ...vars }, workers: { ...workers, monitoring } }
  return loadConfig(JSON.stringify(file), 'test')
}

/** A running system. */
export interface MeasuredSystem {
  call(path: string, init?: RequestInit): Promise<Response>
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>
  /** The OpenMetrics page. */
  page(): Promise<string>
  /** Sends a telemetry message or log line, as a service without UDP does. */
  report(line: string): Promise<Response>
  /** Lets time pass. */
  advance(ms: number): Promise<void>
}

/** A notification of a flight. */
export function flightBody(number: string, country = 'Italy'): Readonly<Record<string, unknown>> {
  return {
    event_type: 'flight',
    identifier: flight(number, country),
    payload: 'Landed',
  }
}

/** Tokens of {@link IDENTITIES}: somebody who runs the system, and somebody who listens. */
export const OPERATOR_TOKEN = 'operator-token-operator-token-operator'
export const LISTENER_TOKEN = 'listener-token-listener-token-listener'

/** Configuration of two people. */
export const IDENTITIES: Readonly<Record<string, unknown>> = {
  identity: {
    realm: 'aviso',
    providers: [
      {
        kind: 'tokens',
        name: 'people',
        tokens: [
          { username: 'olga', realm: 'local', roles: ['operator'], secretEnv: 'OPERATOR' },
          { username: 'joe', realm: 'local', roles: ['listener'], secretEnv: 'LISTENER' },
        ],
      },
    ],
  },
  policy: {
    rules: [
      { realm: 'local', roles: ['operator'], listen: 'everything', publish: 'everything', admin: true },
      { realm: 'local', roles: ['listener'], listen: ['/tmp/aviso/flight/20260810/italy/'] },
    ],
  },
}

/** Runs `use` with a system that is closed afterwards. @param vars Differ from the configuration file. */
export async function withMeasuredSystem(
  use: (system: MeasuredSystem) => Promise<void>,
  vars: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const clock = createManualClock()
  const store = createMemoryStore({ clock })
  const system = startTestSystem({
    config: configOfTest(vars),
    readSecret: createSecretReader({
      [TOKEN_ENV]: TOKEN,
      OPERATOR: OPERATOR_TOKEN,
      LISTENER: LISTENER_TOKEN,
    }),
    services: ['rest', 'auth', 'monitoring'],
    store,
    clock,
  })
  const call = (path: string, init?: RequestInit): Promise<Response> =>
    system.fetch(new Request(`http://aviso.test${path}`, init))
  try {
    await system.ready
    await use({
      call,
      post: (path, body, headers = {}) => call(path, { method: 'POST', headers, body: JSON.stringify(body) }),
      page: async () =>
        (await call('/metrics', { headers: { accept: 'application/openmetrics-text' } })).text(),
      report: (line) =>
        call('/api/v1/telemetry', {
          method: 'POST',
          headers: { authorization: `Bearer ${TOKEN}` },
          body: line,
        }),
      advance: clock.advance,
    })
  } finally {
    await system.close()
  }
}
