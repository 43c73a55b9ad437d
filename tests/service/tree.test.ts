import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { prefixRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import { createFlakyStore } from '../contract/hub_flaky_store.ts'
import { copyOf } from '../support/older_copy.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import { systemClock } from '#shared/time/clock.ts'
import {
  authorization,
  keptOpen,
  startLevel,
  storeOn,
  take,
  TOKENS,
  type Level,
  type LevelOptions,
} from './tree_fixture.ts'
import { eventually } from '../support/waiting.ts'
import { b64, fromB64 } from '../support/etcd_wire.ts'
import { dissemination } from '../support/notifications.ts'

type Start = (options: LevelOptions) => Promise<Level>

/** Levels that are closed after the test, the last one first. */
async function withLevels(use: (start: Start) => Promise<void>): Promise<void> {
  const levels: Level[] = []
  const start: Start = async (options) => {
    const level = await startLevel(options)
    levels.unshift(level)
    return level
  }
  try {
    await use(start)
  } finally {
    for (const level of levels) await level.close()
  }
}

const memory = () => createMemoryStore({ clock: systemClock })

/** A level on another one, once it stands. */
async function startOn(start: Start, { url }: Level, bearer: string = TOKENS.RELAY): Promise<Level> {
  const level = await start({ store: await storeOn(url, bearer) })
  await level.system.ready
  return level
}

async function rangeOf(level: Level, body: object, role: keyof typeof TOKENS) {
  const response = await level.ask('/v3/kv/range', { method: 'POST', body: JSON.stringify(body) }, role)
  const answer = (await response.json()) as { kvs?: { key: string; value?: string }[]; header?: object }
  const kvs = (answer.kvs ?? []).map(({ key, value }) => ({ key: fromB64(key), value: fromB64(value) }))
  return { status: response.status, kvs, header: answer.header }
}

const internal = { key: b64('/_aviso/'), range_end: b64('/_aviso0') }

describe('hubs in a tree', { timeout: 120_000 }, () => {
  it('show at every level the same notifications, numbers, ids and positions, replayed and live', () =>
    withLevels(async (start) => {
      const top = await start({ store: memory(), services: ['rest', 'auth'] })
      await top.system.ready
      await top.publish('FOO', 1)
      await top.publishTogether(['FOO', 2], ['BAR', 3])
      const middle = await startOn(start, top)
      const bottom = await startOn(start, middle)
      const levels = [top, middle, bottom]
      const readers = await Promise.all(levels.map((level) => level.listen('&from_id=1')))
      const live = await bottom.listen('', { destination: 'BAR' })
      const [expected, ...others] = await Promise.all(readers.map((reader) => take(reader, 3)))
      assert.deepEqual(
        expected?.map(([, , destination, step]) => [destination, step]),
        [
          ['FOO', '0001'],
          ['FOO', '0002'],
          ['BAR', '0003'],
        ].map(([destination, step]) => [destination, String(Number(step))]),
      )
      for (const other of others) assert.deepEqual(other, expected)
      await top.publish('FOO', 4)
      await top.publish('BAR', 5)
      const [expectedLive, ...othersLive] = await Promise.all(readers.map((reader) => take(reader, 2)))
      for (const other of othersLive) assert.deepEqual(other, expectedLive)
      assert.deepEqual(await take(live, 1), expectedLive?.slice(1))
      // Positions are found in the journal of the top.
      for (const from of ['&from_id=3', `&from_id=5`, '&from_date=2020-01-01T00:00:00Z']) {
        const [a, b] = await Promise.all(
          [top, bottom].map(async (level) => {
            const reader = await level.listen(from)
            const taken = await take(reader, 1)
            await reader.close()
            return taken
          }),
        )
        assert.deepEqual(b, a, from)
      }
      // A listener may move from one level to another.
      const moved = await middle.listen(`&from=${String(expected?.[2]?.[0])}`)
      assert.deepEqual(await take(moved, 2), expectedLive)
    }))

  it('go on where they were when the top is restarted, without loss or repeat', () =>
    withLevels(async (start) => {
      const store = memory()
      const before = await startLevel({ store: keptOpen(store), services: ['rest', 'auth'] })
      await before.system.ready
      const port = Number(new URL(before.url).port)
      const middle = await startOn(start, before)
      const bottom = await startOn(start, middle)
      const reader = await bottom.listen('&from_id=1')
      for (let step = 1; step <= 3; step++) await before.publish('FOO', step)
      const seen = await take(reader, 3)
      await before.close()
      // What is stored while the hub is away, by another process on the same store.
      const other = await startLevel({ store: keptOpen(store), services: ['rest'] })
      await other.system.ready
      for (let step = 4; step <= 6; step++) await other.publish('FOO', step)
      await other.close()
      const after = await start({ store, services: ['rest', 'auth'], port })
      await after.system.ready
      for (let step = 7; step <= 9; step++) await after.publish('FOO', step)
      seen.push(...(await take(reader, 6)))
      assert.deepEqual(seen, await take(await after.listen('&from_id=1'), 9))
    }))

  it('tell at every level where history ends, in the same words', () =>
    withLevels(async (start) => {
      const store = memory()
      const top = await start({ store: keptOpen(store), services: ['rest', 'auth'] })
      await top.system.ready
      for (let step = 1; step <= 3; step++) await top.publish('FOO', step)
      const { revision } = await top.publish('FOO', 4)
      await top.publish('FOO', 5)
      await store.compact(BigInt(revision))
      const middle = await startOn(start, top)
      const bottom = await startOn(start, middle)
      const position = {
        middle: await take(await middle.listen('&from_id=4'), 2),
        bottom: await take(await bottom.listen('&from_id=4'), 2),
      }
      assert.deepEqual(position.bottom, position.middle)
      const epoch = String(position.bottom[0]?.[0]).split('.')[0]
      for (const from of ['from_id=2', `from=${epoch}.2`, 'from_date=2020-01-01T00:00:00Z']) {
        const answers = await Promise.all(
          [top, middle, bottom].map(async (level) => {
            const path = `/api/v1/watch?event=dissemination&destination=FOO&${from}`
            const response = await level.ask(path, {}, 'LISTENER')
            // A hub that has been there for longer still has what its store has not.
            if (response.status === 200) return await response.body?.cancel()
            const { code, oldest_position: oldest } = (await response.json()) as Record<string, unknown>
            return { status: response.status, code, oldest }
          }),
        )
        const [, , below] = answers
        assert.deepEqual(answers[1], below, from)
        assert.deepEqual([below?.status, below?.code], [410, 'HISTORY_COMPACTED'], from)
        assert.equal(below?.oldest, `${epoch}.${BigInt(revision) - 1n}`, from)
      }
    }))

  it('give listeners of every level what its rules say, and nothing of ours', () =>
    withLevels(async (start) => {
      const top = await start({ store: memory(), services: ['rest', 'auth'] })
      await top.system.ready
      await top.publishTogether(['BAR', 1], ['FOO', 2])
      const bottom = await startOn(start, top)
      const foo = await bottom.listen('&from_id=1', { role: 'LISTENER_FOO', destination: 'FOO' })
      assert.deepEqual(
        (await take(foo, 1)).map(([, , ...rest]) => rest),
        [['FOO', '2', 'here']],
      )
      const refused = await bottom.ask(
        '/api/v1/watch?event=dissemination&destination=BAR',
        {},
        'LISTENER_FOO',
      )
      assert.equal(refused.status, 403)
      for (const level of [top, bottom]) {
        for (const role of ['OPERATOR', 'LISTENER', 'LISTENER_FOO'] as const) {
          for (const key of [
            '/_aviso/epoch',
            '/_aviso/journal/dissemination',
            '/_aviso/removed/dissemination',
          ]) {
            assert.equal((await rangeOf(level, { key: b64(key) }, role)).status, 403, `${role} ${key}`)
          }
          assert.equal((await rangeOf(level, internal, role)).status, 403, role)
          const watch = JSON.stringify({ create_request: internal })
          assert.equal(
            (await level.ask('/v3/watch', { method: 'POST', body: watch }, role)).status,
            403,
            role,
          )
          const status = await level.ask('/v3/maintenance/status', { method: 'POST', body: '{}' }, role)
          assert.equal(status.status, 404, role)
        }
      }
    }))

  it('give a relay of ours what a hub needs, and no more', () =>
    withLevels(async (start) => {
      const store = memory()
      const top = await start({ store: keptOpen(store), services: ['rest', 'auth'] })
      await top.system.ready
      await top.publishTogether(['BAR', 1], ['FOO', 2])
      const others = ['/_aviso/admin/history', '/_aviso/waiting/dissemination', '/_aviso/zz']
      await store.txn({
        compare: [],
        success: others.map((key) => ({ kind: 'put', key: toBytes(key), value: toBytes('secret') })),
      })
      const { kvs } = await rangeOf(top, internal, 'RELAY')
      assert.deepEqual(
        kvs.map(({ key }) => key),
        ['/_aviso/epoch', '/_aviso/journal/dissemination'],
      )
      const nothing = await rangeOf(top, { key: b64('/_aviso/zz') }, 'RELAY')
      assert.deepEqual([nothing.status, nothing.kvs], [200, []])
      assert.ok(nothing.header !== undefined)
    }))

  it('keep from a relay with few rights what it may not see, and leave the numbers dense', () =>
    withLevels(async (start) => {
      const store = memory()
      const top = await start({ store: keptOpen(store), services: ['rest', 'auth'] })
      await top.system.ready
      await top.publishTogether(['BAR', 1], ['FOO', 2])
      const bottom = await startOn(start, top, TOKENS.RELAY_FOO)
      const all = await bottom.listen('&from_id=1', { destination: 'FOO' })
      await top.publish('BAR', 3)
      await top.publish('FOO', 4)
      const seen = await take(all, 2)
      const upstream = await top.listen('&from_id=1', { destination: 'FOO' })
      assert.deepEqual(seen, await take(upstream, 2))
      for (const from of ['&from_id=2', `&from=${String(seen[0]?.[0])}`]) {
        const [above, below] = await Promise.all(
          [top, bottom].map(async (level) => take(await level.listen(from, { destination: 'FOO' }), 1)),
        )
        assert.deepEqual(below, above, from)
      }
      // Not in what it delivers, and not in what it was told.
      const watch = JSON.stringify({
        create_request: { key: b64('/_'), range_end: b64('/zz'), start_revision: '1' },
      })
      const response = await top.ask('/v3/watch', { method: 'POST', body: watch }, 'RELAY_FOO')
      const body = response.body?.getReader()
      let text = ''
      while (!text.includes(b64('FOO 4'))) text += new TextDecoder().decode((await body?.read())?.value)
      await body?.cancel()
      const told = [...text.matchAll(/"(?:key|value)":"([^"]*)"/g)]
        .map(([, value = '']) => atob(value))
        .join('\n')
      assert.match(told, /journal/)
      assert.doesNotMatch(told, /BAR/)
      const { kvs } = await rangeOf(top, internal, 'RELAY_FOO')
      assert.match(JSON.stringify(kvs), /FOO/)
      assert.doesNotMatch(JSON.stringify(kvs), /BAR/)
      assert.match(
        JSON.stringify((await store.range(prefixRange('/_aviso/'))).kvs.map(({ value }) => toText(value))),
        /FOO/,
      )
    }))

  it('leave out at every level what an operator has removed', () =>
    withLevels(async (start) => {
      const top = await start({ store: memory(), services: ['rest', 'auth', 'admin'] })
      await top.system.ready
      for (let step = 1; step <= 3; step++) await top.publish('FOO', step)
      const bottom = await startOn(start, top)
      const removed = await top.ask('/api/v1/admin/notification/dissemination@2', { method: 'DELETE' })
      assert.equal(removed.status, 200, await removed.text())
      await eventually('it is gone below, too', async () => {
        const reader = await bottom.listen('&from_id=1')
        const steps = (await take(reader, 2)).map(([, , , step]) => step)
        await reader.close()
        return steps.join() === '1,3'
      })
    }))

  it('say at once that they are read only, also to who publishes or administers', () =>
    withLevels(async (start) => {
      const top = await start({ store: memory(), services: ['rest', 'auth'] })
      await top.system.ready
      const bottom = await start({
        store: await storeOn(top.url, TOKENS.RELAY),
        services: ['rest', 'auth', 'admin'],
      })
      await bottom.system.ready
      const body = JSON.stringify({
        event_type: 'dissemination',
        identifier: dissemination('FOO', 1),
        payload: 'x',
      })
      const published = await bottom.ask('/api/v1/notification', { method: 'POST', body })
      assert.deepEqual(
        [published.status, ((await published.json()) as { code: string }).code],
        [403, 'READ_ONLY'],
      )
      for (const [method, path] of [
        ['POST', '/api/v1/admin/compact'],
        ['DELETE', '/api/v1/admin/wipe/stream'],
        ['DELETE', '/api/v1/admin/notification/dissemination@1'],
      ] as const) {
        const headers = { 'content-type': 'application/json' }
        const init = {
          method,
          headers,
          ...(path.endsWith('stream') && { body: '{"stream_name":"DISSEMINATION"}' }),
        }
        const response = await bottom.ask(path, init)
        const text = await response.text()
        assert.ok([403, 404].includes(response.status), `${path}: ${response.status} ${text}`)
      }
      assert.equal((await top.ask('/api/v1/watch?event=flight')).status, 200)
    }))

  it('go on by themselves after the store at the top was put back to an older copy', () =>
    withLevels(async (start) => {
      const store = createFlakyStore(memory())
      const top = await start({ store, services: ['rest', 'auth'] })
      await top.system.ready
      await top.publish('FOO', 1)
      const older = await copyOf(store.inner)
      const bottom = await startOn(start, top)
      const stream = await bottom.listen('&from_id=1')
      await top.publish('FOO', 2)
      await stream.next(({ data }) => data.data?.payload === 'FOO 2')
      store.inner = older
      store.breakAll()
      await stream.next(({ event }) => event === 'connection-closing')
      const served = async (): Promise<boolean> => {
        const response = await bottom.ask('/api/v1/watch?event=dissemination&destination=FOO', {}, 'LISTENER')
        await response.body?.cancel()
        return response.status === 200
      }
      // Its store is another one by its name, which it believes after 15 s.
      await eventually('it listens', served).catch(() => eventually('it listens', served))
      const { sequence } = await top.publish('FOO', 3)
      const again = await bottom.listen('&from_id=1')
      assert.deepEqual(
        (await take(again, 2)).map(([, id]) => id),
        ['dissemination@1', `dissemination@${sequence}`],
      )
    }))

  it('say what is missing where they have no right to relay', () =>
    withLevels(async (start) => {
      const top = await start({ store: memory(), services: ['rest', 'auth'] })
      await top.system.ready
      for (const bearer of [undefined, 'a-wrong-token', TOKENS.LISTENER]) {
        const bottom = await start({ store: await storeOn(top.url, bearer) })
        await eventually('it is in the log', () =>
          Promise.resolve(
            bottom.logged.some((line) => /waiting for the store.*storeTokenEnv.*relay/.test(line)),
          ),
        )
        const ready = await fetch(`${bottom.url}/readyz`)
        assert.equal(ready.status, 503)
        assert.match(((await ready.json()) as { reason: string }).reason, /storeTokenEnv.*relay/)
        assert.equal(
          (await bottom.ask('/api/v1/watch?event=flight', { headers: authorization('LISTENER') })).status,
          503,
        )
        assert.doesNotMatch(bottom.logged.join(), /a-wrong-token|listener-token/)
      }
      const standing = await startOn(start, top)
      await eventually('it is ready', async () => (await fetch(`${standing.url}/readyz`)).status === 200)
    }))
})
