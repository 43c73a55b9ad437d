/**
 * Runs the list of bad inputs through the Fetch handler of the whole system. Besides its status each answer is checked for what must never
 * happen: a call of a store or another server, an answer that takes long, a secret, a polluted prototype.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import { createMemoryStore } from '../support/memory_store.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { isStream, problemsOf, requestOf } from '../hostile/answer.ts'
import { credentialRows } from '../hostile/credential_rows.ts'
import { CURSOR_ROWS } from '../hostile/cursor_rows.ts'
import { INGEST_ROWS } from '../hostile/ingest_rows.ts'
import { JSON_ROWS } from '../hostile/json_rows.ts'
import { RANGE_ROWS } from '../hostile/range_rows.ts'
import { ROUTING_ROWS } from '../hostile/routing_rows.ts'
import type { HostileRow } from '../hostile/row.ts'
import { JOE_TOKEN } from '../support/auth_servers_system.ts'
import { bearer, startIdentitySystem, type IdentitySystem } from './identity_fixture.ts'
import { BASE_URL } from '../support/system.ts'

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
    // Each row is a wrong credential or a read more of the same sender.
    const many = { perSecond: 1e6, burst: 1e6 }
    const quota = { wrongCredentialsPerAddress: many, readsPerPrincipal: many }
    test = await startIdentitySystem({ store: counting.store, vars: { quota } })
    for (const destination of ['FOO', 'FOOBAR', 'BAR']) await test.publish(destination, 1)
    // Known from here on: what a row costs beyond is the row's.
    const warm = { event_type: 'dissemination', identifier: { destination: 'FOO' }, from_id: '1' }
    await (await test.post('/api/v1/replay', warm, bearer(JOE_TOKEN))).text()
  })
  after(() => test.close())

  const asked = (): number => {
    const { authOTron, whoAmI, ecpds, keySet } = test.standIns
    return [authOTron, whoAmI, ecpds, keySet].reduce((sum, { seen }) => sum + seen.length, 0)
  }

  /** @returns What is wrong with the answer, and with what it cost. */
  async function attempt(row: HostileRow): Promise<readonly string[]> {
    const [callsBefore, askedBefore, startedAt] = [counting.calls(), asked(), performance.now()]
    const { status, headers, body } = await test.system.fetch(requestOf(row, BASE_URL))
    const text = isStream(row.path, status) ? '' : await new Response(body).text()
    const tookMs = performance.now() - startedAt
    slowestMs = Math.max(slowestMs, tookMs)
    const problems = [...problemsOf(row, { status, headers, text, tookMs, asked: asked() - askedBefore })]
    if (status !== row.status) problems.unshift(`status ${status}, not ${row.status}: ${text.slice(0, 120)}`)
    if (row.reads !== true && counting.calls() !== callsBefore) problems.push('the store was called')
    if (Object.getOwnPropertyNames(Object.prototype).join() !== prototype)
      problems.push('the prototype of everything has changed')
    return problems
  }

  async function run(all: readonly HostileRow[]): Promise<void> {
    const wrong: string[] = []
    for (const row of all) {
      const problems = await attempt(row)
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
    const replay = await test.post('/api/v1/replay', own, bearer(JOE_TOKEN))
    const text = await replay.text()
    assert.equal(replay.status, 200)
    assert.match(text, /"destination":"FOO"/)
    assert.doesNotMatch(text, /FOOBAR|BAR"/)
    context.diagnostic?.(`${rows} bad inputs, the slowest answered in ${slowestMs.toFixed(1)} ms`)
  })
})
