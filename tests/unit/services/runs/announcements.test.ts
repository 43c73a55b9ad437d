import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createAnnouncements, type Announcements } from '#services/runs/announcements.ts'
import { createRunKeys, createRunSchema } from '#services/runs/run_schema.ts'
import { AvisoError } from '#shared/errors.ts'
import { BUILTIN_SCHEMAS } from '#shared/notification/builtin_schemas.ts'
import { createSchemas } from '#shared/notification/schema.ts'
import type { PublishItem, PublishResult } from '#shared/publish/publish.ts'
import type { AnnouncedState, RunView, Transition } from '#shared/runs/runs.ts'
import { createManualClock, type ManualClock } from '../../../support/clock.ts'
import { createMemoryStores } from '../../../support/memory_store.ts'

const ECMWF = { source: 'ecmwf', content: BUILTIN_SCHEMAS.get('ecmwf') }
const FIELDS = ['class', 'stream', 'expver', 'date', 'time']
const { file } = createRunSchema(createSchemas([ECMWF]), new Map([['mars', FIELDS]]))
const keys = createRunKeys(createSchemas([ECMWF, file]))
const openStore = createMemoryStores()

function transition(expver: string, state: AnnouncedState): Transition {
  const run = { class: 'od', stream: 'oper', expver, date: '20260610', time: '12' }
  const view: Partial<RunView> = {
    id: `mars:${expver}`,
    event_type: 'mars',
    run,
    complete_at: null,
    received: 1,
  }
  return { run: view as RunView, state, at: 0 }
}

interface Scene {
  readonly announcements: Announcements
  readonly clock: ManualClock
  readonly published: PublishItem[]
  readonly logged: string[]
  /** What the publisher answers to the next items; by default it takes them. */
  readonly errors: AvisoError[]
}

function scene(startsPerHour?: number): Scene {
  const clock = createManualClock()
  const published: PublishItem[] = []
  const logged: string[] = []
  const errors: AvisoError[] = []
  const announcements = createAnnouncements({
    store: openStore(),
    clock,
    keys,
    logger: (_level, message) => logged.push(message),
    ...(startsPerHour !== undefined && { startsPerHour }),
    publisher: {
      publish: async (items) =>
        items.map((item): PublishResult => {
          const error = errors.shift()
          if (error !== undefined) return { ok: false, error }
          published.push(item)
          const receipt = {
            event: 'run',
            key: item.keys.stem,
            revision: 1n,
            sequence: 1n,
            committedAt: '',
            replayed: false,
          }
          return { ok: true, receipt }
        }),
    },
  })
  return { announcements, clock, published, logged, errors }
}

describe('createAnnouncements()', () => {
  it('publishes in order, by ids of run and state, without what is null', async () => {
    const { announcements, published } = scene()
    announcements.add([transition('0001', 'started'), transition('0001', 'complete')])
    await announcements.publish()
    assert.deepEqual(
      published.map(({ id }) => id),
      ['mars:0001/started', 'mars:0001/complete'],
    )
    assert.equal(new TextDecoder().decode(published[0]?.value).includes('complete_at'), false)
    assert.equal(announcements.isWaiting(), false)
  })

  it('leaves out what is stored, before and after it was to be published', async () => {
    const { announcements, published } = scene()
    const { stem } = keys.of(nameOf('0001'), 'started')
    announcements.seen(stem)
    announcements.add([transition('0001', 'started'), transition('0002', 'started')])
    announcements.seen(keys.of(nameOf('0002'), 'started').stem)
    await announcements.publish()
    assert.deepEqual(published, [])
  })

  it('tries again what the store did not take, and not what it never takes or has already', async () => {
    const { announcements, published, errors, logged } = scene()
    errors.push(new AvisoError('ERR_STORE_UNAVAILABLE', 'down'))
    announcements.add([transition('0001', 'started')])
    await announcements.publish()
    assert.equal(announcements.isWaiting(), true)
    await announcements.publish()
    assert.equal(published.length, 1)
    errors.push(new AvisoError('ERR_ID_REUSED', 'known'), new AvisoError('ERR_TOO_LARGE', 'large'))
    announcements.add([transition('0002', 'started'), transition('0003', 'started')])
    await announcements.publish()
    assert.deepEqual([announcements.isWaiting(), published.length], [false, 1])
    assert.deepEqual(logged, ['A notification of a run could not be published'])
  })

  it('keeps the order of a run when the store takes only a part', async () => {
    const { announcements, published, errors } = scene()
    announcements.add([
      transition('0001', 'started'),
      transition('0001', 'complete'),
      transition('0002', 'started'),
    ])
    errors.push(new AvisoError('ERR_STORE_UNAVAILABLE', 'down'))
    await announcements.publish()
    assert.deepEqual(
      published.map(({ id }) => id),
      ['mars:0002/started'],
    )
    await announcements.publish()
    assert.deepEqual(
      published.map(({ id }) => id),
      ['mars:0002/started', 'mars:0001/started', 'mars:0001/complete'],
    )
  })

  it('tells of so many starts an hour, counts the others, and tells what else happens to them', async () => {
    const { announcements, published, clock, logged } = scene(2)
    for (const expver of ['0001', '0002', '0003', '0004']) announcements.add([transition(expver, 'started')])
    announcements.add([transition('0004', 'late')])
    await announcements.publish()
    assert.deepEqual(
      published.map(({ id }) => id),
      ['mars:0001/started', 'mars:0002/started', 'mars:0004/late'],
    )
    assert.deepEqual([announcements.dropped(), logged.length], [2, 1])
    await clock.advance(3_600_000)
    announcements.add([transition('0005', 'started')])
    await announcements.publish()
    assert.equal(published.at(-1)?.id, 'mars:0005/started')
  })

  it('leaves out a run whose values cannot stand in a key, and says so', async () => {
    const { announcements, logged } = scene()
    announcements.add([transition('no number', 'started')])
    assert.deepEqual([announcements.isWaiting(), logged], [false, ['A run cannot be published']])
  })
})

function nameOf(expver: string): { event: string; run: Readonly<Record<string, string>> } {
  return { event: 'mars', run: transition(expver, 'started').run.run }
}
