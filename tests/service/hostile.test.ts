/**
 * Runs the list of bad inputs through the Fetch handler of the whole system. Besides its status each answer is checked for what must never
 * happen: a call of a store or another server, an answer that takes long, a secret, a polluted prototype.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import { createMemoryStore } from '#shared/store/memory.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/telemetry/clock.ts'
import { credentialRows } from '../hostile/credential_rows.ts'
import { CURSOR_ROWS } from '../hostile/cursor_rows.ts'
import { INGEST_ROWS } from '../hostile/ingest_rows.ts'
import { JSON_ROWS } from '../hostile/json_rows.ts'
import { RANGE_ROWS } from '../hostile/range_rows.ts'
import { ROUTING_ROWS } from '../hostile/routing_rows.ts'
import type { HostileRow, Sender } from '../hostile/row.ts'
import { JOE_TOKEN, OPERATOR_TOKEN, PROVIDER_TOKEN } from '../support/auth_servers_system.ts'
import { CANARY } from '../support/tokens.ts'
import { BASE_URL, bearer, startIdentitySystem, type IdentitySystem } from './identity_fixture.ts'

const SENDERS: Readonly<Record<Sender, Readonly<Record<string, string>>>> = {
  nobody: {},
  joe: bearer(JOE_TOKEN),
  provider: bearer(PROVIDER_TOKEN),
  operator: bearer(OPERATOR_TOKEN),
}
/** Far above what any row takes, far below what would be felt; two cores run everything. */
const ANSWER_LIMIT_MS = 1000
/** More answers than this are no longer looked at one by one. */
const SHOWN = 40

/** A store whose calls are counted, but for those that read nothing a client asked for. */
function countCalls(store: Store): { readonly store: Store; readonly calls: () => number } {
  let calls = 0
  const counted = <Method extends 'range' | 'txn' | 'grantLease' | 'compact'>(
    method: Method,
  ): Store[Method] =>
    ((...given: Parameters<Store[Method]>) => {
      calls++
      return (store[method] as (...values: unknown[]) => unknown)(...given)
    }) as Store[Method]
  return {
    calls: () => calls,
    store: {
      ...store,
      range: counted('range'),
      txn: counted('txn'),
      grantLease: counted('grantLease'),
      compact: counted('compact'),
    },
  }
}

describe('bad inputs', () => {
  const counting = countCalls(createMemoryStore({ clock: systemClock }))
  const prototype = Object.getOwnPropertyNames(Object.prototype).join()
  let test: IdentitySystem
  let slowestMs = 0
  let rows = 0

  before(async () => {
    // Each row is a wrong credential more from the same place.
    const quota = { wrongCredentialsPerAddress: { perSecond: 1e6, burst: 1e6 } }
    test = await startIdentitySystem({ store: counting.store, vars: { quota } })
    for (const destination of ['FOO', 'FOOBAR', 'BAR']) await test.publish(destination, 1)
    // Known from here on: what a row costs beyond is the row's.
    const warm = { event_type: 'dissemination', identifier: { destination: 'FOO' }, from_id: '1' }
    await (await test.post('/api/v1/replay', warm, SENDERS.joe)).text()
  })
  after(() => test.close())

  const asked = (): number => {
    const { authOTron, whoAmI, ecpds, keySet } = test.standIns
    return [authOTron, whoAmI, ecpds, keySet].reduce((sum, { seen }) => sum + seen.length, 0)
  }

  /** @returns What is wrong with the answer. */
  async function problemsOf(row: HostileRow): Promise<readonly string[]> {
    const { method = 'POST', path, headers = {}, body, from = 'joe' } = row
    const init = { method, headers: { ...SENDERS[from], ...headers }, ...(body !== undefined && { body }) }
    const request = new Request(BASE_URL + path, init as RequestInit)
    const [callsBefore, askedBefore, startedAt] = [counting.calls(), asked(), performance.now()]
    const response = await test.system.fetch(request)
    const text = row.status === 200 && path.includes('watch') ? '' : await response.text()
    const tookMs = performance.now() - startedAt
    slowestMs = Math.max(slowestMs, tookMs)
    const problems: string[] = []
    const check = (isRight: boolean, problem: string): void => {
      if (!isRight) problems.push(problem)
    }
    check(
      response.status === row.status,
      `status ${response.status}, not ${row.status}: ${text.slice(0, 120)}`,
    )
    check(row.reads === true || counting.calls() === callsBefore, 'the store was called')
    check(row.asks === true || asked() === askedBefore, 'another server was asked')
    check(tookMs < ANSWER_LIMIT_MS, `${Math.round(tookMs)} ms`)
    check(!`${text}${[...response.headers].join()}`.includes(CANARY), 'a secret in the answer')
    check(
      Object.getOwnPropertyNames(Object.prototype).join() === prototype,
      'the prototype of everything has changed',
    )
    check(
      !response.headers.has('access-control-allow-credentials'),
      'pages of other origins may send credentials',
    )
    if (response.status >= 400 && method !== 'HEAD') {
      check(isErrorBody(text), `no error body: ${text.slice(0, 80)}`)
      check(response.headers.get('cache-control')?.includes('no-store') === true, 'a cache may keep it')
    }
    if (response.status === 401) check(response.headers.has('www-authenticate'), 'no challenge')
    if (response.status === 429 || response.status === 503)
      check(response.headers.has('retry-after'), 'no Retry-After')
    return problems
  }

  async function run(all: readonly HostileRow[]): Promise<void> {
    const wrong: string[] = []
    for (const row of all) {
      const problems = await problemsOf(row)
      rows++
      if (problems.length > 0) wrong.push(`${row.id} (${row.what}): ${problems.join('; ')}`)
    }
    assert.equal(wrong.length, 0, `${wrong.length} of ${all.length}\n${wrong.slice(0, SHOWN).join('\n')}`)
  }

  it('B: paths, methods, headers', () => run(ROUTING_ROWS))
  it('C: credentials', async () => {
    await run(await credentialRows(test.standIns.issuerKey, Date.now()))
    const keySetReads = test.standIns.keySet.seen.length
    assert.ok(keySetReads <= 2, `${keySetReads} reads of the key set`)
  })
  it('D: JSON', () => run(JSON_ROWS))
  it('E, F: ranges and watches', () => run(RANGE_ROWS))
  it('G: notifications', () => run(INGEST_ROWS))
  it('H: positions, filters, administration', () => run(CURSOR_ROWS))

  it('leaves the system as it was', async (context) => {
    const own = { event_type: 'dissemination', identifier: { destination: 'FOO' }, from_id: '1' }
    const replay = await test.post('/api/v1/replay', own, SENDERS.joe)
    const text = await replay.text()
    assert.equal(replay.status, 200)
    assert.match(text, /"destination":"FOO"/)
    assert.doesNotMatch(text, /FOOBAR|BAR"/)
    context.diagnostic?.(`${rows} bad inputs, the slowest answered in ${slowestMs.toFixed(1)} ms`)
  })
})

function isErrorBody(text: string): boolean {
  try {
    const { message } = JSON.parse(text) as { message?: unknown }
    return typeof message === 'string' && message.length > 0 && message.length < 600
  } catch {
    return false
  }
}
