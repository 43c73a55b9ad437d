/** A flipped bit in one value of the embedded store: who can go on, and who is told what. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { flight, MARS } from '../support/notifications.ts'
import { readEvents } from '../support/streams.ts'
import { b64 } from '../support/etcd_wire.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { SqlDatabase } from '#shared/runtime/runtime.ts'
import { openSqlite } from '#shared/runtime/sqlite.ts'
import { EPOCH_KEY } from '#shared/store/epoch_key.ts'
import { openEmbeddedStore } from '#shared/store/embedded/store.ts'
import { systemClock, type Clock } from '#shared/time/clock.ts'
import { withSystem, type Receipt, type TestSystem } from './auth_fixture.ts'

const JOURNAL = '/_aviso/journal/flight'
const STATUS = '/tmp/aviso/flight/'
const REMEDY = /"aviso admin restore FILE", or start once with --accept-loss/
const HOUR_MS = 3_600_000

/** Runs of one service after the other on one database. */
interface Runs {
  run(use: (test: TestSystem) => Promise<void>, how?: { clock?: Clock; acceptLoss?: boolean }): Promise<void>
  /** Flips a bit in the newest value of a key, or in that of a revision. */
  damage(key: string, revision?: string): void
}

async function withRuns(use: (runs: Runs) => Promise<void>): Promise<void> {
  const database = openSqlite(':memory:')
  const kept: SqlDatabase = { ...database, close: () => undefined }
  const acceptLoss = { random: () => crypto.randomUUID() }
  try {
    await use({
      run: (work, { clock, acceptLoss: isAccepted = false } = {}) =>
        withSystem(work, {
          ...(clock !== undefined && { clock }),
          store: (time) => openEmbeddedStore(kept, { clock: time, ...(isAccepted && { acceptLoss }) }),
        }),
      damage: (key, revision) => {
        const [row] = database.all(
          'SELECT id >> 20 AS revision, id & 1048575 AS place, value FROM events WHERE key = ? AND (? = 0 OR id >> 20 = ?) ORDER BY id DESC LIMIT 1',
          toBytes(key),
          Number(revision ?? 0),
          Number(revision ?? 0),
        )
        const value = row?.['value']
        assert.ok(value instanceof Uint8Array && value.length > 0, `there is a value of ${key}`)
        const flipped = value.with(value.length - 1, (value.at(-1) ?? 0) ^ 1)
        database.run(
          'UPDATE events SET value = ? WHERE id = ((? << 20) | ?)',
          flipped,
          Number(row?.['revision']),
          Number(row?.['place']),
        )
      },
    })
  } finally {
    database.close()
  }
}

function bodyOf(number: string): object {
  return {
    specversion: '1.0',
    id: `id of ${number}`,
    source: '/tests',
    type: 'aviso',
    data: { event: 'flight', request: flight(number), payload: number },
  }
}

interface Published extends Receipt {
  readonly status: number
  readonly message: string
  readonly code?: string
  readonly outcome?: string
  readonly damaged_key?: string
  readonly isReplayed: boolean
}

async function publish({ post }: TestSystem, number: string): Promise<Published> {
  const response = await post('/api/v1/notification', bodyOf(number))
  const answer = (await response.json()) as Receipt & { message: string }
  const isReplayed = response.headers.get('idempotent-replay') === 'true'
  return { ...answer, status: response.status, isReplayed }
}

/** The payloads of a stream up to the last one that is wanted. `gap` where it tells of one, `gone` where it already begins there. */
async function replay({ call }: TestSystem, query: string, last: string): Promise<readonly string[]> {
  const response = await call(`/api/v1/watch?event=flight&${query}`)
  if (response.status === 410 && (await response.text()).includes('oldest_position')) return ['gone']
  assert.equal(response.status, 200)
  const events = readEvents(response)
  const seen: string[] = []
  await events.next(({ event, data }) => {
    const payload = /"payload":"(\w+)"/.exec(data)?.[1]
    if (payload !== undefined) seen.push(payload)
    if (event === 'gap') seen.push('gap')
    return seen.includes(last)
  })
  await events.close()
  return seen
}

describe('a damaged journal', () => {
  it('does not stop an ingest that knows what it says', () =>
    withRuns(async ({ run, damage }) => {
      await run(async (test) => {
        await publish(test, 'A1')
        damage(JOURNAL)
        const next = await publish(test, 'A2')
        assert.deepEqual([next.status, next.sequence], [200, '2'], next.message)
        assert.equal((await publish(test, 'A1')).isReplayed, true)
      })
    }))

  it('does not stop one after a silence either', () =>
    withRuns(async ({ run, damage }) => {
      let laterMs = 0
      const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + laterMs }
      await run(
        async (test) => {
          await publish(test, 'A1')
          damage(JOURNAL)
          laterMs = 60_000
          assert.equal((await publish(test, 'A2')).sequence, '2')
        },
        { clock },
      )
    }))

  it('has an ingest that starts refuse its event type by name, with the place and the remedy', () =>
    withRuns(async ({ run, damage }) => {
      await run(async (test) => {
        for (const number of ['A1', 'A2', 'A3']) await publish(test, number)
      })
      damage(JOURNAL)
      await run(async (test) => {
        const refused = await publish(test, 'A4')
        assert.deepEqual(
          [refused.status, refused.code, refused.outcome, refused.damaged_key],
          [503, 'ERR_STORE_DAMAGED', 'none', JOURNAL],
        )
        assert.match(refused.message, /event type "flight" cannot be published/)
        assert.match(refused.message, /behind number 2\b/)
        assert.match(refused.message, /embedded store's copy of "\/_aviso\/journal\/flight" at revision \d+/)
        assert.match(refused.message, REMEDY)
        const other = { event_type: 'mars', identifier: MARS, payload: null }
        assert.equal((await test.post('/api/v1/notification', other)).status, 200)
      })
    }))

  it('in the window of ids is one that is needed, and older than that it is not', () =>
    withRuns(async ({ run, damage }) => {
      await run(async (test) => {
        for (const number of ['A1', 'A2']) await publish(test, number)
        const { revision } = await publish(test, 'A3')
        for (const number of ['A4', 'A5', 'A6']) await publish(test, number)
        damage(JOURNAL, revision)
      })
      await run(async (test) => assert.equal((await publish(test, 'A7')).status, 503))
      const clock = { ...systemClock, now: () => systemClock.now() + 2 * HOUR_MS }
      await run(
        async (test) => {
          assert.equal((await publish(test, 'A7')).sequence, '7')
          assert.equal((await publish(test, 'A5')).isReplayed, true)
        },
        { clock },
      )
    }))

  it('is told to listeners that come to it, wherever they begin', () =>
    withRuns(async ({ run, damage }) => {
      let laterMs = 0
      const clock = { ...systemClock, now: () => systemClock.now() + laterMs }
      let between = 0
      await run(
        async (test) => {
          for (const number of ['A1', 'A2']) await publish(test, number)
          laterMs = 10_000
          between = clock.now() - 1_000
          const { revision } = await publish(test, 'A3')
          for (const number of ['A4', 'A5']) await publish(test, number)
          damage(JOURNAL, revision)
        },
        { clock },
      )
      await run(
        async (test) => {
          assert.deepEqual(await replay(test, 'from_id=2', 'gap'), ['A2', 'gap'])
          assert.deepEqual(await replay(test, 'from_id=3', 'gone'), ['gone'])
          assert.deepEqual(await replay(test, `from_date=${between}`, 'gone'), ['gone'])
          assert.deepEqual(await replay(test, 'from_id=4', 'A5'), ['A4', 'A5'])
        },
        { clock },
      )
    }))

  it('is given up where the loss is accepted: publishing goes on, and every listener is told', () =>
    withRuns(async ({ run, damage }) => {
      let place = ''
      await run(async (test) => {
        for (const number of ['A1', 'A2', 'A3']) await publish(test, number)
        const events = readEvents(await test.call('/api/v1/watch?event=flight&from_id=1'))
        place = (await events.next(({ data }) => data.includes('"A3"'))).id ?? ''
        await events.close()
      })
      damage(JOURNAL)
      await run(
        async (test) => {
          const next = await publish(test, 'A4')
          assert.deepEqual([next.status, next.sequence], [200, '1000000001'], next.message)
          assert.equal((await test.call(`/api/v1/watch?event=flight&from=${place}`)).status, 410)
          const gone = await test.call('/api/v1/watch?event=flight&from_id=2')
          assert.equal(gone.status, 410)
          const { oldest_position: from } = (await gone.json()) as { oldest_position: string }
          assert.deepEqual(await replay(test, `from=${from}`, 'A4'), ['A4'])
          const kept = await test.post('/v3/kv/range', {
            key: b64(STATUS),
            range_end: b64('/tmp/aviso/flight0'),
          })
          assert.equal(((await kept.json()) as { count: string }).count, '5', 'four flights and their status')
        },
        { acceptLoss: true },
      )
      await run(async (test) => assert.equal((await publish(test, 'A5')).sequence, '1000000002'))
    }))
})

describe('a damaged epoch', () => {
  it('stops an ingest, which says where and what to do, and that nothing was stored', () =>
    withRuns(async ({ run, damage }) => {
      await run(async (test) => {
        await publish(test, 'A1')
        damage(EPOCH_KEY)
        const refused = await publish(test, 'A2')
        assert.deepEqual(
          [refused.status, refused.code, refused.outcome, refused.damaged_key],
          [503, 'ERR_STORE_DAMAGED', 'none', EPOCH_KEY],
        )
        assert.match(refused.message, REMEDY)
      })
      await run(async (test) => assert.equal((await publish(test, 'A2')).sequence, '1000000001'), {
        acceptLoss: true,
      })
    }))
})

describe('a damaged status document', () => {
  it('does not stop an ingest, which writes the next one', () =>
    withRuns(async ({ run, damage }) => {
      await run(async (test) => void (await publish(test, 'A1')))
      damage(STATUS)
      await run(async (test) => {
        assert.equal((await publish(test, 'A2')).sequence, '2')
        assert.equal((await publish(test, 'A3')).sequence, '3')
      })
    }))
})

describe('POST /v3/kv/range', () => {
  it('names the damaged key and the remedy', () =>
    withRuns(async ({ run, damage }) => {
      await run(async (test) => {
        const { key } = await publish(test, 'A1')
        await publish(test, 'A2')
        damage(key)
        for (const range of [
          { key: b64(key) },
          { key: b64(STATUS), range_end: b64('/tmp/aviso/flight0') },
          { key: b64(STATUS), range_end: b64('/tmp/aviso/flight0'), sort_target: 'MOD', limit: '1' },
        ]) {
          const response = await test.post('/v3/kv/range', range)
          const body = (await response.json()) as { message: string; code: number; damaged_key: string }
          assert.deepEqual([response.status, body.code, body.damaged_key], [503, 15, key])
          assert.ok(body.message.includes(`"${key}"`), body.message)
          assert.match(body.message, REMEDY)
          assert.ok(Number(response.headers.get('retry-after')) > 0)
        }
        const others = { key: b64(STATUS), range_end: b64('/tmp/aviso/flight0'), keys_only: true }
        assert.equal((await test.post('/v3/kv/range', others)).status, 200)
      })
    }))
})
