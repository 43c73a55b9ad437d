/**
 * The script that prints what runs for one POST until delivery finds the rooms that a notification passes.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { tracePath } from '../path/trace.ts'

describe('tracePath', () => {
  it('names the functions of ingest, store and hub in the order of their first call', async () => {
    const { functions } = await tracePath({ store: 'embedded:memory', rounds: 3 })
    const files = [...new Set(functions.map(({ file }) => file))]
    const firstOf = (room: string): number => files.findIndex((file) => file.startsWith(room))
    assert.ok(functions.length > 20, `${functions.length} functions`)
    const rooms = [
      'services/rest/',
      'shared/publish/',
      'shared/store/embedded/',
      'shared/hub/',
      'services/auth/',
    ]
    const places = rooms.map(firstOf)
    assert.ok(!places.includes(-1), `one of ${rooms.join()} is missing: ${files.join()}`)
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
    )
  })
})
