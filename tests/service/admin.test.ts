import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AvisoError } from '#shared/errors.ts'
import { openRemovals } from '#shared/hub/removals.ts'
import type { StoreMaintenance } from '#shared/store/maintenance.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import type { Store } from '#shared/store/store.ts'
import { silentLogger } from '#shared/logger.ts'
import { createSkippingClock } from '../support/clock.ts'
import {
  DAY_MS,
  HOUR_MS,
  NOW,
  day,
  keysUnder,
  mars,
  put,
  putLegacy,
} from '../unit/services/admin/jobs/fixture.ts'
import { setUp } from './admin_fixture.ts'
import { eventually } from '../support/waiting.ts'

const FLIGHTS = '/tmp/aviso/flight/'

describe('the jobs over HTTP', () => {
  it('cleans, at first only on paper', async () => {
    const { store, call } = setUp()
    await put(store, mars(day(20)), mars(day(1)))
    const dry = await call('POST', '/api/v1/admin/clean', { dry_run: true })
    assert.deepEqual(
      [dry.status, dry.body['success'], dry.body['dry_run'], dry.body['deleted']],
      [200, true, true, 1],
    )
    assert.equal((await keysUnder(store, '/ec/mars/')).length, 2)
    const real = await call('POST', '/api/v1/admin/clean')
    assert.deepEqual(
      [real.body['dry_run'], real.body['deleted'], real.body['request_id']],
      [false, 1, real.headers.get('x-request-id')],
    )
    assert.deepEqual(await keysUnder(store, '/ec/mars/'), [mars(day(1))])
  })

  it('compacts and tells its status', async () => {
    const { clock, call } = setUp()
    await call('POST', '/api/v1/admin/compact')
    clock.pass(HOUR_MS)
    const { body } = await call('POST', '/api/v1/admin/compact', {})
    assert.equal(body['outcome'], 'nothing_old_enough')
    const status = (await call('GET', '/api/v1/admin/status')).body
    assert.deepEqual(status['history'], {
      marks: 2,
      oldest_mark: new Date(NOW).toISOString(),
      newest_mark: new Date(NOW + HOUR_MS).toISOString(),
    })
    assert.deepEqual(status['retention'], { history: '16d', age: '15d', events: {} })
    const jobs = status['jobs'] as { readonly compact: { readonly state: string } }
    assert.equal(jobs.compact.state, 'done')
  })

  it('tells when jobs are due, as far as it is known', async () => {
    const schedules = { compact: '0 * * * *', clean: null }
    const nextRun = (cron: string): number | undefined => (cron === '0 * * * *' ? NOW : undefined)
    const { body } = await setUp({ schedules, nextRun }).call('GET', '/api/v1/admin/status')
    assert.deepEqual(body['schedule'], {
      compact: { cron: '0 * * * *', next: new Date(NOW).toISOString() },
      clean: { cron: null },
    })
    const elsewhere = await setUp({ schedules }).call('GET', '/api/v1/admin/status')
    assert.deepEqual(elsewhere.body['schedule'], { compact: { cron: '0 * * * *' }, clean: { cron: null } })
  })

  it('shows progress line by line to whoever asks for it', async () => {
    const { store, call } = setUp()
    for (let step = 0; step < 200; step++) await put(store, mars(day(20), step))
    const { headers, text } = await call(
      'POST',
      '/api/v1/admin/clean',
      {},
      { accept: 'application/x-ndjson' },
    )
    assert.equal(headers.get('content-type'), 'application/x-ndjson')
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, Record<string, unknown>>)
    assert.ok('progress' in (lines[0] ?? {}))
    assert.equal(lines.at(-1)?.['result']?.['deleted'], 200)
  })

  it('ends the lines with the error of a job that fails', async () => {
    const { clock, call } = setUp()
    await call('POST', '/api/v1/admin/compact')
    clock.pass(365 * DAY_MS)
    const { text } = await call('POST', '/api/v1/admin/compact', {}, { accept: 'application/x-ndjson' })
    const last = JSON.parse(text.trim().split('\n').at(-1) ?? '') as { error: Record<string, unknown> }
    assert.deepEqual(
      [last.error['code'], last.error['status'], last.error['success']],
      ['ERR_CLOCK_UNSURE', 409, false],
    )
  })

  it('defragments one member after the other, the leader last, and takes alarms for want of room back', async () => {
    const calls: string[] = []
    const member = (id: string, isLeader: boolean) =>
      ({
        id,
        name: `m${id}`,
        isReachable: true,
        isLeader,
        sizeBytes: 100,
        sizeInUseBytes: 10,
        revision: 5n,
      }) as const
    const maintenance: StoreMaintenance = {
      members: () => Promise.resolve([member('1', true), member('2', false), member('3', false)]),
      defragment: async (id) => void calls.push(`defragment ${id}`),
      alarms: () =>
        Promise.resolve([
          { memberId: '2', kind: 'NOSPACE' },
          { memberId: '3', kind: 'CORRUPT' },
        ]),
      disarm: async ({ memberId }) => void calls.push(`disarm ${memberId}`),
    }
    const { call } = setUp({ maintenance })
    await call('POST', '/api/v1/admin/defragment', { dry_run: true })
    assert.deepEqual(calls, [])
    const { status, body } = await call('POST', '/api/v1/admin/defragment')
    assert.equal(status, 200)
    assert.equal(body['disarmed'], 1)
    assert.deepEqual(calls, ['defragment 2', 'defragment 3', 'defragment 1', 'disarm 2'])
  })

  it('does not pause a member while another one is away', async () => {
    const maintenance: StoreMaintenance = {
      members: () =>
        Promise.resolve([
          { id: '1', name: 'a', isReachable: true, isLeader: true, sizeBytes: 9, sizeInUseBytes: 1 },
          { id: '2', name: 'b', isReachable: false, isLeader: false, sizeBytes: 0, sizeInUseBytes: 0 },
        ]),
      defragment: () => assert.fail('no member is paused'),
      alarms: () => Promise.resolve([]),
      disarm: () => assert.fail('no alarm is touched'),
    }
    const { call } = setUp({ maintenance })
    const { status, body } = await call('POST', '/api/v1/admin/defragment')
    assert.equal(status, 503)
    assert.match(String(body['message']), /b does not answer/)
  })
})

describe('bad calls', () => {
  it('refuses options it does not know, and values of another kind', async () => {
    const { store, call } = setUp()
    await put(store, mars(day(20)))
    for (const body of [
      { dryrun: true },
      { dry_run: 'yes' },
      { events: [] },
      { events: ['nothing'] },
      [],
      'x',
      '{"dry_run":true,"dry_run":false}',
    ]) {
      const { status, body: answer } = await call('POST', '/api/v1/admin/clean', body)
      assert.equal(status, 400, JSON.stringify(body))
      assert.equal(answer['success'], false)
    }
    assert.equal((await keysUnder(store, '/ec/mars/')).length, 1)
  })
  it('takes options from the query, too, for nobody expects them to be ignored there', async () => {
    const { store, call } = setUp()
    await put(store, mars(day(20)))
    const dry = await call('POST', '/api/v1/admin/clean?dry_run=true&events=mars,flight')
    assert.deepEqual([dry.status, dry.body['dry_run'], dry.body['deleted']], [200, true, 1])
    for (const query of ['?dryrun=true', '?dry_run=yes', '?events=nothing', '?dry_run=true&dry_run=false'])
      assert.equal((await call('POST', `/api/v1/admin/clean${query}`)).status, 400, query)
    assert.equal((await call('POST', '/api/v1/admin/clean?dry_run=true', { dry_run: false })).status, 400)
    assert.equal((await keysUnder(store, '/ec/mars/')).length, 1)
  })
  it('refuses pages of other sites', async () => {
    const { store, call } = setUp()
    await put(store, mars(day(20)))
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'http://evil.example' },
      { origin: 'null' },
    ])
      assert.equal((await call('POST', '/api/v1/admin/clean', {}, headers)).status, 403)
    assert.equal((await call('POST', '/api/v1/admin/clean', {}, { origin: 'http://127.0.0.1' })).status, 200)
  })
  it('lets no request through that access refuses', async () => {
    const refusal = new AvisoError('ERR_FORBIDDEN', 'Not an administrator')
    const { store, call } = setUp({ access: { forAdministration: () => Promise.reject(refusal) } })
    await put(store, mars(day(20)))
    for (const [method, path] of [
      ['POST', 'clean'],
      ['POST', 'compact'],
      ['POST', 'defragment'],
      ['GET', 'status'],
      ['DELETE', 'wipe/all'],
      ['DELETE', 'wipe/stream'],
      ['DELETE', 'notification/mars@1'],
    ] as const) {
      const { status } = await call(method, `/api/v1/admin/${path}`)
      assert.equal(status, 403, path)
    }
    assert.equal((await keysUnder(store, '/ec/mars/')).length, 1)
  })
  it('knows its paths and methods', async () => {
    const { call } = setUp()
    assert.equal((await call('GET', '/api/v1/admin/clean')).status, 405)
    assert.equal((await call('POST', '/api/v1/admin/everything')).status, 404)
  })
})

describe('DELETE /api/v1/admin/notification/{id}', () => {
  for (const id of ['bad', 'flight@0', 'flight@x', '@1', 'flight@-1', 'flight@1@2', 'flight@1.5'])
    it(`refuses ${id} (J6)`, async () => {
      const { status, body } = await setUp().call('DELETE', `/api/v1/admin/notification/${id}`)
      assert.deepEqual([status, body['success'], typeof body['request_id']], [400, false, 'string'])
    })
  it('finds nothing behind the last number (J7)', async () => {
    const { publish, call } = setUp()
    await publish('AZ1')
    assert.equal((await call('DELETE', '/api/v1/admin/notification/flight@2')).status, 404)
    assert.equal((await call('DELETE', '/api/v1/admin/notification/nothing@1')).status, 404)
  })
  it('deletes it live and from what history is handed out, under any case of its name (J8)', async () => {
    const { store, clock, publish, call } = setUp()
    const removals = await openRemovals({ store, clock, random: () => 'random', logger: silentLogger })
    for (const number of ['AZ1', 'AZ2', 'AZ3']) await publish(number)
    const { status, body } = await call('DELETE', '/api/v1/admin/notification/FLIGHT%402')
    assert.deepEqual(
      [status, body['success'], body['notification_id'], body['was_live']],
      [200, true, 'flight@2', true],
    )
    const keys = await keysUnder(store, FLIGHTS)
    assert.equal(keys.filter((key) => key.endsWith('AZ2')).length, 0)
    assert.equal(keys.length, 3)
    await eventually('it is removed', () =>
      removals.isRemoved({ event: 'flight', revision: 1_000n, sequence: 2n }),
    )
    assert.ok(!removals.isRemoved({ event: 'flight', revision: 1_000n, sequence: 3n }))
    assert.equal((await call('DELETE', '/api/v1/admin/notification/flight@2')).status, 404)
    assert.equal(await publish('AZ4'), 4n)
    await removals.close()
  })
  it('leaves a later notification under the same key alone', async () => {
    const { store, publish, call } = setUp()
    await publish('AZ1', 'Boarding')
    await publish('AZ1', 'Landed')
    const { body } = await call('DELETE', '/api/v1/admin/notification/flight@1')
    assert.equal(body['was_live'], false)
    assert.equal((await keysUnder(store, FLIGHTS)).filter((key) => key.endsWith('AZ1')).length, 1)
  })
})

describe('DELETE /api/v1/admin/wipe', () => {
  it('wipes one stream; numbers go on (J9, K13)', async () => {
    const { store, clock, publish, call } = setUp()
    const removals = await openRemovals({ store, clock, random: () => 'random', logger: silentLogger })
    for (const number of ['AZ1', 'AZ2', 'AZ3']) await publish(number)
    await put(store, mars(day(1)))
    const { revision } = await store.status()
    const dry = await call('DELETE', '/api/v1/admin/wipe/stream', { stream_name: 'FLIGHT', dry_run: true })
    assert.equal(dry.body['deleted'], 3)
    const { status, body } = await call('DELETE', '/api/v1/admin/wipe/stream', { stream_name: 'FLIGHT' })
    assert.deepEqual([status, body['success'], body['deleted']], [200, true, 3])
    assert.deepEqual(await keysUnder(store, FLIGHTS), [FLIGHTS])
    assert.equal((await keysUnder(store, '/ec/mars/')).length, 1)
    await eventually('it is removed', () => removals.isRemoved({ event: 'flight', revision, sequence: 3n }))
    assert.equal(await publish('AZ4'), 4n)
    assert.ok(
      !removals.isRemoved({ event: 'flight', revision: (await store.status()).revision, sequence: 4n }),
    )
    await removals.close()
  })
  it('does not know other streams (J16)', async () => {
    const { status, body } = await setUp().call('DELETE', '/api/v1/admin/wipe/stream', {
      stream_name: 'nothing',
    })
    assert.equal(status, 404)
    assert.match(String(body['message']), /dissemination, flight, mars/)
  })
  it('wipes all, and nothing that is not a notification', async () => {
    const { store, publish, call } = setUp()
    await publish('AZ1')
    await putLegacy(store, 'MACI', day(1))
    await put(store, mars(day(1)), '/foreign/key', '/ec/config/aviso/v1/x', '/ec/admin/history')
    const { body } = await call('DELETE', '/api/v1/admin/wipe/all')
    assert.deepEqual([body['success'], body['deleted']], [true, 4])
    const left = [
      ...(await keysUnder(store, '/ec/')),
      ...(await keysUnder(store, FLIGHTS)),
      ...(await keysUnder(store, '/foreign/')),
    ]
    assert.deepEqual(left.toSorted(), [
      '/ec/admin/history',
      '/ec/config/aviso/v1/x',
      '/ec/diss/MACI/',
      '/foreign/key',
      FLIGHTS,
    ])
  })
  it('tells a partial failure as one', async () => {
    const clock = createSkippingClock(NOW)
    const inner = createMemoryStore({ clock })
    const store: Store = {
      ...inner,
      txn: async (request, options) => {
        const deletesMars = request.success.some(
          (operation) =>
            operation.kind === 'delete' &&
            String.fromCharCode(...operation.range.key).startsWith('/ec/mars/'),
        )
        if (deletesMars) throw new AvisoError('ERR_TOO_LARGE', 'The store does not take it')
        return inner.txn(request, options)
      },
    }
    const { call } = setUp({ store })
    await put(inner, mars(day(1)), '/tmp/aviso/flight/20261125/italy/FCO/AZ1')
    const { status, body } = await call('DELETE', '/api/v1/admin/wipe/all')
    assert.deepEqual(
      [status, body['success'], body['code'], body['deleted']],
      [500, false, 'WIPE_INCOMPLETE', 1],
    )
    assert.match(String(body['message']), /1 of 3 streams .*mars/)
    const streams = body['streams'] as { stream: string; deleted: number; error?: string }[]
    assert.deepEqual(
      streams.map(({ stream, error }) => [stream, error]),
      [
        ['flight', undefined],
        ['dissemination', undefined],
        ['mars', 'The store does not take it'],
      ],
    )
  })
})
