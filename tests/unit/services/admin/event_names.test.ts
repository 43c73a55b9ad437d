import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { eventOfName } from '#services/admin/event_names.ts'
import { storedEvents } from '#services/admin/jobs/stored_events.ts'
import { createSchemas } from '#shared/notification/schema.ts'
import { AVISO2, createAviso2Schemas } from '../../../support/aviso2_schemas.ts'
import { createMemoryStore } from '../../../support/memory_store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { put } from './jobs/fixture.ts'

const permissive = createSchemas([{ source: 'p', content: { ...AVISO2, notification_schema_strict: false } }])

describe('eventOfName()', () => {
  it('K13: knows an event type by its name and by its stream, in any case', () => {
    const schemas = createAviso2Schemas()
    for (const name of ['mars', 'MARS', 'Mars']) assert.equal(eventOfName(schemas, name), 'mars')
    for (const name of ['dissemination', 'diss', 'DISS'])
      assert.equal(eventOfName(schemas, name), 'dissemination')
    for (const name of ['other', '', 'diss/', '-'])
      assert.throws(() => eventOfName(schemas, name), { code: 'ERR_NOT_FOUND' }, name)
  })

  it('knows every usable name in permissive mode', () => {
    assert.equal(eventOfName(permissive, 'other'), 'other')
    assert.equal(eventOfName(permissive, 'DISS'), 'dissemination')
    assert.throws(() => eventOfName(permissive, 'a/b'), { code: 'ERR_NOT_FOUND' })
  })
})

describe('storedEvents()', () => {
  it('adds what was published without a schema, in permissive mode', async () => {
    const store = createMemoryStore({ clock: systemClock })
    await put(store, '/_aviso/journal/mars', '/_aviso/journal/other', '/_aviso/journal/a b')
    assert.deepEqual(await storedEvents(store, permissive), ['mars', 'dissemination', 'extreme', 'other'])
    assert.deepEqual(await storedEvents(store, createAviso2Schemas()), ['mars', 'dissemination', 'extreme'])
  })
})
