import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { BUILTIN_SCHEMAS } from '#shared/notification/builtin_schemas.ts'
import { createSchemas } from '#shared/notification/schema.ts'

describe('BUILTIN_SCHEMAS', () => {
  it('are each usable on their own', () => {
    for (const [source, content] of BUILTIN_SCHEMAS)
      assert.ok(createSchemas([{ source, content }]).events.length > 0)
  })

  it('have the MARS values with their synonyms, which are kept apart', () => {
    const mars = createSchemas([{ source: 'ecmwf', content: BUILTIN_SCHEMAS.get('ecmwf') }]).require('mars')
    const request = { class: 'od', date: 20260810, domain: 'g', expver: 1, step: 0, stream: 'oper', time: 6 }
    assert.equal(mars.encode(request).request['class'], 'od')
    assert.equal(mars.encode({ ...request, class: 'operations' }).request['class'], 'operations')
    assert.equal(
      mars.encode({ ...request, stream: 'atmospheric model' }).request['stream'],
      'atmospheric model',
    )
  })
})
