import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { systemClock } from '#shared/time/clock.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import { dissemination, flight, MARS } from '../support/notifications.ts'
import { b64, fromB64 } from '../support/etcd_wire.ts'
import { readFrames } from './auth_fixture.ts'
import { startLevel, storeOn, TOKENS, type Level, type Role } from './tree_fixture.ts'

/** What a stream shows of a notification. */
interface Shown {
  readonly cursor: string
  readonly id: string
}

/** Notifications in the order in which a batch has them. What a relay with few rights sees is behind others. */
const BATCH = [
  ['mars', { ...MARS, step: '1' }],
  ['flight', flight('AZ1')],
  ['dissemination', dissemination('FOO', 1)],
  ['mars', { ...MARS, step: '2' }],
  ['dissemination', dissemination('BAR', 2)],
  ['flight', flight('AZ2')],
  ['dissemination', dissemination('FOO', 3)],
  ['mars', { ...MARS, step: '3' }],
] as const

const EVENTS = ['dissemination', 'mars', 'flight'] as const

/** What has to be added to a request for an event type. */
const FILTERS: Readonly<Record<string, string>> = { dissemination: '&destination=FOO&destination=BAR' }

async function publishBatch({ ask }: Level): Promise<void> {
  const body = BATCH.map(([event, request]) => ({
    specversion: '1.0',
    id: crypto.randomUUID(),
    source: '/tests',
    type: 'aviso',
    data: { event, request, [event === 'flight' ? 'payload' : 'location']: 'here' },
  }))
  const headers = { 'content-type': 'application/cloudevents-batch+json' }
  const response = await ask('/api/v1/notification', { method: 'POST', body: JSON.stringify(body), headers })
  assert.equal(response.status, 200, await response.text())
}

/** The first notifications of a stream. */
async function read(
  level: Level,
  query: string,
  { count, role = 'LISTENER' }: { readonly count: number; readonly role?: Role },
): Promise<Shown[]> {
  const reader = readFrames(await level.ask(`/api/v1/watch?event=${query}`, {}, role))
  const shown: Shown[] = []
  while (shown.length < count) {
    const { id, data } = await reader.next(
      ({ data: { data: told, reason } }) => told !== undefined || reason !== undefined,
    )
    assert.equal(data.reason, undefined, `${query} ended: ${data.reason}`)
    shown.push({ cursor: id ?? '', id: data.id ?? '' })
  }
  await reader.close()
  return shown
}

function revisionOf({ cursor }: Shown): string {
  return cursor.split('.')[1] ?? ''
}

describe('a revision of several event types', { timeout: 120_000 }, () => {
  /** A service with two such revisions, and a relay on it that sees all. */
  async function withTwo(use: (top: Level, relay: Level, few: Level) => Promise<void>): Promise<void> {
    const store = createMemoryStore({ clock: systemClock })
    const top = await startLevel({ store, services: ['rest', 'auth', 'admin'] })
    const below: Level[] = []
    try {
      await top.system.ready
      // The first publishing of an event type reads its journal, so they are not ready together.
      await publishBatch(top)
      await publishBatch(top)
      for (const bearer of [TOKENS.RELAY, TOKENS.RELAY_FOO]) {
        const level = await startLevel({ store: await storeOn(top.url, bearer) })
        below.push(level)
        await level.system.ready
      }
      const [relay, few] = below
      assert.ok(relay !== undefined && few !== undefined)
      await use(top, relay, few)
    } finally {
      for (const level of below.toReversed()) await level.close()
      await top.close()
    }
  }

  it('resumes every event type behind each of its notifications, here and at a relay', () =>
    withTwo(async (top, relay) => {
      const revisions = new Set<string>()
      for (const event of EVENTS) {
        const count = 2 * BATCH.filter(([of]) => of === event).length
        const query = event + (FILTERS[event] ?? '')
        const all = await read(top, `${query}&from_id=1`, { count })
        assert.deepEqual(
          all.map(({ id }) => id),
          Array.from({ length: count }, (_, index) => `${event}@${index + 1}`),
        )
        revisions.add(revisionOf(all[count - 1] ?? { cursor: '', id: '' }))
        for (const level of [top, relay]) {
          for (const [index, { cursor }] of all.slice(0, -1).entries()) {
            const rest = all.slice(index + 1)
            const { length } = rest
            // An identity may begin so many streams, and the first batch is as the second.
            if (length > count / 2) continue
            assert.deepEqual(await read(level, `${query}&from=${cursor}`, { count: length }), rest)
            assert.deepEqual(
              await read(level, `${query}&from_id=${index + 2}`, { count: length, role: 'OPERATOR' }),
              rest,
            )
          }
        }
      }
      assert.equal(revisions.size, 1, 'the second batch is one revision')
    }))

  it('has the same positions for a relay that sees a part of it', () =>
    withTwo(async (top, _, few) => {
      const query = 'dissemination&destination=FOO'
      const all = await read(top, `${query}&from_id=1`, { count: 4 })
      assert.deepEqual(await read(few, `${query}&from_id=1`, { count: 4 }), all)
      for (const [index, { cursor }] of all.slice(0, -1).entries()) {
        const rest = all.slice(index + 1)
        assert.deepEqual(await read(few, `${query}&from=${cursor}`, { count: rest.length }), rest)
      }
    }))

  it('is one answer to a watch of 1.x, with all that lies in its range', () =>
    withTwo(async (top) => {
      const create = { key: b64('/ec/'), range_end: b64('/ec0'), start_revision: '1' }
      const response = await top.ask(
        '/v3/watch',
        { method: 'POST', body: JSON.stringify({ create_request: create }) },
        'LISTENER',
      )
      const body = response.body?.pipeThrough(new TextDecoderStream()).getReader()
      /** Revision → the answers that have events of it, each with its keys. */
      const answers = new Map<string, string[][]>()
      let text = ''
      while ([...answers.values()].flat(2).filter((key) => key.includes('step=')).length < 12) {
        const { value } = (await body?.read()) ?? {}
        assert.ok(value !== undefined, `the watch ended: ${text}`)
        text += value
        const lines = text.split('\n')
        text = lines.pop() ?? ''
        for (const line of lines) {
          const { result } = JSON.parse(line) as {
            result: { events?: { kv: { key: string; mod_revision: string } }[] }
          }
          const byRevision = Map.groupBy(result.events ?? [], ({ kv }) => kv.mod_revision)
          for (const [revision, events] of byRevision) {
            const keys = events.map(({ kv }) => fromB64(kv.key))
            answers.set(revision, [...(answers.get(revision) ?? []), keys])
          }
        }
      }
      await body?.cancel()
      const last = [...answers].at(-1)?.[1] ?? []
      assert.equal(last.length, 1, 'a revision is never split')
      const kinds = new Set(last.flat().map((key) => key.split('/')[2] ?? ''))
      assert.deepEqual(kinds, new Set(['diss', 'mars']))
    }))

  it('loses the one notification that an operator removes, and no other', () =>
    withTwo(async (top) => {
      const path = '/api/v1/admin/notification/mars@5'
      const removed = await top.ask(path, { method: 'DELETE' })
      assert.equal(removed.status, 200, await removed.text())
      const shown = await read(top, 'mars&from_id=1', { count: 5 })
      assert.deepEqual(
        shown.map(({ id }) => id),
        [1, 2, 3, 4, 6].map((sequence) => `mars@${sequence}`),
      )
      assert.equal((await read(top, 'flight&from_id=1', { count: 4 })).length, 4)
    }))
})
