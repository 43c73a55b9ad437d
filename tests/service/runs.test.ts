/** The state of runs, from products to notifications and answers. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { prefixRange } from '#shared/bytes/bytes.ts'
import { createManualClock } from '../support/clock.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import {
  createDyingStore,
  NOON,
  NOON_ID,
  startRunsSystem,
  THREE_STEPS,
  withRuns,
  type RunsSystem,
} from './runs_fixture.ts'

const HOUR_MS = 3_600_000

describe('the state of runs', () => {
  it('started and complete are told once each, in order, with what came', () =>
    withRuns(async ({ publish, pass, told, run, page }) => {
      for (const step of [0, 3]) await publish(step)
      await pass()
      const running = await run()
      assert.deepEqual([running.state, running.received, running.expected], ['running', 2, 3])
      assert.deepEqual(running.missing, { count: 1, products: [{ step: '6' }], truncated: false })
      await publish(6)
      await pass()
      const all = await told()
      assert.deepEqual(
        all.map(({ id, data }) => [id, data.identifier['state'], data.payload.received]),
        [
          ['run@1', 'started', 1],
          ['run@2', 'complete', 3],
        ],
      )
      assert.deepEqual(all[1]?.data.identifier, { event_type: 'mars', ...NOON, state: 'complete' })
      assert.equal((await run()).state, 'complete')
      assert.deepEqual(
        (await page()).runs.map(({ id, state }) => [id, state]),
        [[NOON_ID, 'complete']],
      )
    }))

  it('late, recovered: by the clock, though nothing is published', () =>
    withRuns(async ({ publish, pass, states, run }) => {
      await publish(0)
      await pass(2 * HOUR_MS + 5_000)
      assert.deepEqual(await states(), ['started', 'late'])
      assert.equal((await run()).state, 'late')
      await publish(3)
      await publish(6)
      await pass()
      assert.deepEqual(await states(), ['started', 'late', 'recovered'])
    }))

  it('incomplete: closed without all products', () =>
    withRuns(async ({ publish, pass, states, run }) => {
      await publish(0)
      await pass(2 * HOUR_MS + 5_000)
      await pass(5 * HOUR_MS)
      assert.deepEqual(await states(), ['started', 'late', 'incomplete'])
      assert.equal((await run()).state, 'incomplete')
    }))

  it('nothing came at all: an expected run is late', () =>
    withRuns(
      async ({ pass, told, page }) => {
        await pass(3 * HOUR_MS)
        const [late] = await told()
        assert.deepEqual([late?.data.identifier['state'], late?.data.payload.received], ['late', 0])
        assert.deepEqual(
          (await page('?state=late')).runs.map(({ id }) => id),
          [NOON_ID],
        )
      },
      {
        runs: {
          mars: { ...THREE_STEPS.mars, every: { class: 'od', stream: 'oper', expver: '1', time: '12' } },
        },
        clock: createManualClock(Date.UTC(2026, 5, 10, 11, 30)),
      },
    ))

  it('what happened before runs were followed is known, and not told', async () => {
    const clock = createManualClock()
    const store = createMemoryStore({ clock })
    const kept = { ...store, close: async () => undefined }
    await withRuns(
      async ({ publish }) => {
        for (const step of [0, 3, 6]) await publish(step)
      },
      { clock, store: kept, services: ['rest', 'auth'] },
    )
    await clock.advance(60_000)
    await withRuns(
      async ({ states, run }) => {
        await clock.advance(10_000)
        assert.equal((await run()).state, 'complete')
        assert.deepEqual(await states(), [])
      },
      { clock, store: kept },
    )
    await store.close()
  })

  it('what is late when runs are first followed is told, and not what was', async () => {
    const clock = createManualClock()
    const store = createMemoryStore({ clock })
    const kept = { ...store, close: async () => undefined }
    const other = { ...NOON, expver: '0002' }
    await withRuns(
      async ({ publish, pass }) => {
        for (const fields of [NOON, other]) await publish(0, fields)
        await pass(3 * HOUR_MS)
        for (const step of [3, 6]) await publish(step, other)
      },
      { clock, store: kept, services: ['rest', 'auth'] },
    )
    await clock.advance(60_000)
    await withRuns(
      async ({ states, run, publish, pass }) => {
        assert.deepEqual(await states(), ['late'])
        assert.equal((await run()).state, 'late')
        assert.equal((await run('mars:od,oper,0002,20260610,12')).state, 'recovered')
        for (const step of [3, 6]) await publish(step)
        await pass()
        assert.deepEqual(await states(), ['late', 'recovered'])
      },
      { clock, store: kept },
    )
    await withRuns(
      async ({ states, pass }) => {
        await pass()
        assert.deepEqual(await states(), ['late', 'recovered'])
      },
      { clock, store: kept },
    )
    await store.close()
  })

  it('a machine that is suspended right after the last product tells nothing wrong', () =>
    withRuns(async ({ publish, pass, states }) => {
      for (const step of [0, 3, 6]) await publish(step)
      await pass(3 * HOUR_MS)
      assert.deepEqual(await states(), ['started', 'complete'])
    }))

  it('a removed product is missing again', () =>
    withRuns(
      async ({ publish, pass, run, call }) => {
        await publish(0)
        await publish(3)
        await pass()
        const response = await call('/api/v1/admin/notification/mars@2', { method: 'DELETE' })
        assert.equal(response.status, 200, await response.text())
        await pass()
        const found = await run()
        assert.deepEqual([found.received, found.missing.count], [1, 2])
      },
      { services: ['rest', 'auth', 'admin', 'runs'] },
    ))
})

describe('wiping', () => {
  it('products and run: nothing is known of earlier runs, also after a restart, and what comes then is told', async () => {
    const clock = createManualClock()
    const store = createMemoryStore({ clock })
    const options = {
      clock,
      store: { ...store, close: async () => undefined },
      services: ['rest', 'auth', 'admin', 'runs'],
    } as const
    const stored = async (): Promise<number> =>
      Number((await store.range({ ...prefixRange('/_aviso/runs/run/'), countOnly: true })).count)
    const wipe = async ({ call }: RunsSystem, name: string): Promise<void> => {
      const body = JSON.stringify({ stream_name: name })
      let isOver = false
      const wiping = call('/api/v1/admin/wipe/stream', { method: 'DELETE', body }).finally(
        () => (isOver = true),
      )
      // The job pauses between its writes.
      while (!isOver) await clock.advance(100)
      const response = await wiping
      assert.equal(response.status, 200, await response.text())
    }
    await withRuns(async (scene) => {
      const { publish, pass, states, page } = scene
      for (const step of [0, 3, 6]) await publish(step)
      await pass(7 * HOUR_MS)
      await clock.advance(6_000)
      assert.deepEqual([await states(), await stored()], [['started', 'complete'], 1])
      await wipe(scene, 'mars')
      await wipe(scene, 'run')
      await clock.advance(10_000)
      assert.deepEqual([await states(), await stored(), (await page()).runs], [[], 0, []])
    }, options)
    await withRuns(async ({ publish, pass, states, page }) => {
      assert.deepEqual([await states(), (await page()).runs], [[], []])
      await publish(0, { ...NOON, time: '18' })
      await pass()
      assert.deepEqual(await states(), ['started'])
    }, options)
    await store.close()
  })
})

describe('several instances', () => {
  it('one publishes; when it dies, another goes on, and nothing is told twice', async () => {
    const clock = createManualClock()
    const store = createMemoryStore({ clock })
    const dying = createDyingStore(store)
    const first = await startRunsSystem({ clock, store: dying.store })
    await clock.advance(100)
    const second = await startRunsSystem({ clock, store: { ...store, close: async () => undefined } })
    await clock.advance(10_000)
    await second.publish(0)
    await clock.advance(1_000)
    assert.deepEqual(await second.states(), ['started'])
    assert.deepEqual([await publishingIn(first), await publishingIn(second)], [1, 0])
    dying.isDead = true
    for (const step of [3, 6]) await second.publish(step)
    await clock.advance(5_000)
    assert.deepEqual(await second.states(), ['started'])
    await clock.advance(20_000)
    assert.deepEqual(await second.states(), ['started', 'complete'])
    assert.deepEqual([await publishingIn(first), await publishingIn(second)], [0, 1])
    // It comes back, and has the same to tell.
    dying.isDead = false
    await clock.advance(20_000)
    assert.deepEqual(await second.states(), ['started', 'complete'])
    assert.deepEqual([await publishingIn(first), await publishingIn(second)], [0, 1])
    await second.system.close()
    await first.system.close()
    await store.close()
  })
})

/** The metric that says whether an instance publishes. */
async function publishingIn({ call }: RunsSystem): Promise<number> {
  const page = await (await call('/metrics')).text()
  return Number(/^aviso_runs_publishing (\d)\.0$/m.exec(page)?.[1])
}

describe('listening to runs', () => {
  it('a field that the runs of an event type lack need not be given', () =>
    withRuns(
      async ({ publish, pass, call }) => {
        await publish(0)
        await pass()
        for (const [query, status, count] of [
          ['event_type=mars', 200, 1],
          ['event_type=mars&destination=-', 200, 1],
          ['event_type=dissemination', 400, undefined],
          ['event_type=dissemination&destination=FOO', 200, 0],
          ['state=started', 400, undefined],
        ] as const) {
          const response = await call(`/api/v1/notifications?event=run&${query}`)
          const { notifications } = (await response.json()) as { readonly notifications?: readonly unknown[] }
          assert.deepEqual([response.status, notifications?.length], [status, count], query)
        }
        // The schema says the same, so that clients need not guess.
        const { schema } = (await (await call('/api/v1/schema/run')).json()) as {
          readonly schema: { readonly identifier: Readonly<Record<string, object>> }
        }
        const { event_type, destination, state } = schema.identifier
        assert.deepEqual(destination, {
          ...destination,
          required: false,
          required_with: { event_type: ['dissemination'] },
        })
        for (const [field, required] of [
          [event_type, true],
          [state, false],
        ] as const) {
          assert.deepEqual(field, { ...field, required })
          assert.ok(!Object.hasOwn(field ?? {}, 'required_with'))
        }
      },
      { runs: { ...THREE_STEPS, dissemination: true } },
    ))
})

describe('metrics', () => {
  it('say how complete the newest run is, and how late', () =>
    withRuns(async ({ publish, pass, call }) => {
      await publish(0)
      await pass(2 * HOUR_MS + 60_000)
      const page = await (await call('/metrics')).text()
      const labels = 'event_type="mars",run="class=od,stream=oper,expver=0001,time=12"'
      assert.match(page, new RegExp(`^aviso_run_completeness\\{${labels}\\} 0\\.33`, 'm'))
      const [, delay] = new RegExp(`^aviso_run_delay_seconds\\{${labels}\\} ([\\d.]+)$`, 'm').exec(page) ?? []
      assert.ok(Math.abs(Number(delay) - 60) < 5, delay)
      assert.match(page, /^aviso_runs_open\{event_type="mars"\} 1\.0$/m)
    }))
})

describe('GET /api/v1/runs', () => {
  it('filters by event type, fields in any spelling, and state, page by page', () =>
    withRuns(async ({ publish, pass, page }) => {
      for (const time of ['00', '06', '12']) await publish(0, { ...NOON, time })
      await pass()
      const ids = async (query: string): Promise<readonly string[]> =>
        (await page(query)).runs.map(({ run }) => run['time'] ?? '')
      assert.deepEqual(await ids(''), ['12', '06', '00'])
      assert.deepEqual(await ids('?event=mars&time=6'), ['06'])
      assert.deepEqual(await ids('?date=2026-06-10&time=12:00'), ['12'])
      assert.deepEqual(await ids('?date=2026-06-11'), [])
      assert.deepEqual(await ids('?state=complete'), [])
      const first = await page('?limit=2')
      assert.equal(first.runs.length, 2)
      assert.deepEqual(await ids(`?limit=2&cursor=${first.next}`), ['00'])
    }))

  for (const [query, expected] of [
    ['?event=flight', /"flight" is no event type whose runs are followed: known are mars/],
    ['?strem=oper', /"strem" is no field of a run: did you mean "stream"/],
    ['?time=13', /"13" is no value of time/],
    ['?state=done', /"done" is no state of a run: known are abandoned, complete/],
    ['?limit=0', /'limit' must be a whole number from 1 to 500/],
    ['?time=12&time=0', /'time' must be given once/],
    ['?cursor=nonsense', /cursor/],
  ] as const)
    it(`refuses ${query}`, () =>
      withRuns(async ({ call }) => {
        const response = await call(`/api/v1/runs${query}`)
        const { message } = (await response.json()) as { readonly message: string }
        assert.equal(response.status, 400, message)
        assert.match(message, expected)
      }))

  it('a run that is not there is 404, in a name of any form', () =>
    withRuns(async ({ call, publish, pass }) => {
      await publish(0)
      await pass()
      for (const id of [
        'mars:od,oper,0001,20260611,12',
        'nonsense',
        '%ff',
        encodeURIComponent(`${NOON_ID},more`),
      ]) {
        const response = await call(`/api/v1/runs/${id}`)
        assert.ok([400, 404].includes(response.status), id)
        await response.body?.cancel()
      }
      const response = await call(`/api/v1/runs/${encodeURIComponent(NOON_ID)}`)
      assert.equal(response.status, 200)
      await response.body?.cancel()
    }))
})
