/**
 * Systems that follow runs, without sockets: providers publish products, and what is told of the runs is read by the routes of listeners.
 *
 * @module
 */

import assert from 'node:assert/strict'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { createConfiguredSchemas } from '#services/system/runs.ts'
import { loadConfig } from '#services/system/settings.ts'
import type { System } from '#services/system/system.ts'
import type { SystemParts } from '#services/system/system_parts.ts'
import { BUILTIN_SCHEMAS } from '#shared/notification/builtin_schemas.ts'
import type { RunDetail, RunPage } from '#shared/runs/runs.ts'
import { AvisoError } from '#shared/errors.ts'
import type { Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import { createManualClock, type ManualClock } from '../support/clock.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import { BASE_URL, startTestSystem } from '../support/system.ts'

/** Runs of three steps, due two hours after their nominal time. */
export const THREE_STEPS = {
  mars: {
    run: ['class', 'stream', 'expver', 'date', 'time'],
    product: ['step'],
    nominal: { date: 'date', time: 'time' },
    expect: [{ step: '0/to/6/by/3' }],
    due: '2h',
    close: '6h',
  },
}

/** The fields of the run of 12 UTC on the day on which a manual clock begins. */
export const NOON = { class: 'od', stream: 'oper', expver: '0001', date: '20260610', time: '12' }
/** Its id. */
export const NOON_ID = 'mars:od,oper,0001,20260610,12'

/** A notification of a run, as history gives it. */
export interface Told {
  readonly id: string
  readonly data: {
    readonly identifier: Readonly<Record<string, string>>
    readonly payload: { readonly received: number; readonly missing: { readonly count: number } }
  }
}

/** A running system. */
export interface RunsSystem {
  readonly system: System
  readonly store: Store
  call(path: string, init?: RequestInit): Promise<Response>
  /** Publishes a step of a run; default: of {@link NOON}. */
  publish(step: number, fields?: Readonly<Record<string, string>>): Promise<void>
  page(query?: string): Promise<RunPage>
  run(id?: string): Promise<RunDetail>
  /** All notifications of runs, oldest first. */
  told(): Promise<readonly Told[]>
  /** Their states. */
  states(): Promise<readonly (string | undefined)[]>
}

/** What differs. */
export interface RunsOptions extends Partial<SystemParts> {
  readonly clock: Clock
  readonly runs?: object
  readonly vars?: object
}

/** Starts a system; the test closes it. */
export async function startRunsSystem({
  runs = THREE_STEPS,
  vars = {},
  ...parts
}: RunsOptions): Promise<RunsSystem> {
  const config = loadConfig(
    JSON.stringify({ ...configFile, vars: { ...configFile.vars, ...vars, runs } }),
    'test',
  )
  const { clock, store = createMemoryStore({ clock }) } = parts
  const files = [{ source: 'ecmwf', content: BUILTIN_SCHEMAS.get('ecmwf') }]
  const system = startTestSystem({
    config,
    services: ['rest', 'auth', 'runs'],
    schemas: createConfiguredSchemas(files, config.vars),
    ...parts,
    store,
  })
  await system.ready
  const call = (path: string, init?: RequestInit): Promise<Response> =>
    system.fetch(new Request(BASE_URL + path, init))
  const read = async <Body>(path: string): Promise<Body> => {
    const response = await call(path)
    const body: unknown = await response.json()
    assert.equal(response.status, 200, JSON.stringify(body))
    return body as Body
  }
  const told = async (): Promise<readonly Told[]> => {
    const query = 'event=run&event_type=mars&order=oldest&limit=1000'
    return (await read<{ readonly notifications: readonly Told[] }>(`/api/v1/notifications?${query}`))
      .notifications
  }
  return {
    system,
    store,
    call,
    publish: async (step, fields = NOON) => {
      const body = { event_type: 'mars', identifier: { ...fields, domain: 'g', step }, payload: 'here' }
      const response = await call('/api/v1/notification', { method: 'POST', body: JSON.stringify(body) })
      assert.equal(response.status, 200, await response.text())
    },
    page: (query = '') => read<RunPage>(`/api/v1/runs${query}`),
    run: (id = NOON_ID) => read<RunDetail>(`/api/v1/runs/${id}`),
    told,
    states: async () => (await told()).map(({ data }) => data.identifier['state']),
  }
}

/** A system whose clock is set. */
export interface RunsScene extends RunsSystem {
  readonly clock: ManualClock
  /** Sets the date forward, and waits until what that brings is stored. */
  pass(ms?: number): Promise<void>
}

/** Starts a system, and closes it after its use. */
export async function withRuns(
  use: (scene: RunsScene) => Promise<void>,
  options: Omit<RunsOptions, 'clock'> & { readonly clock?: ManualClock } = {},
): Promise<void> {
  const { clock = createManualClock() } = options
  const runs = await startRunsSystem({ ...options, clock })
  const pass = async (ms = 0): Promise<void> => {
    // What was published comes in the next turn, and no clock goes so far ahead within one.
    await clock.advance(0)
    clock.jump(ms)
    await clock.advance(1_100)
    await clock.advance(100)
  }
  try {
    await pass()
    await use({ ...runs, clock, pass })
  } finally {
    await runs.system.close()
  }
}

/** A store of a machine that is cut off once `isDead` is set: it writes and reads nothing more, and gives nothing up. */
export function createDyingStore(store: Store): { readonly store: Store; isDead: boolean } {
  const cut = (): void => {
    if (dying.isDead) throw new AvisoError('ERR_STORE_UNAVAILABLE', 'This instance is dead')
  }
  const dying = {
    isDead: false,
    store: {
      ...store,
      range: async (...given: Parameters<Store['range']>) => (cut(), store.range(...given)),
      txn: async (...given: Parameters<Store['txn']>) => (cut(), store.txn(...given)),
      close: async () => undefined,
    },
  }
  return dying
}
