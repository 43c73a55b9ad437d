import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import { toListenerNotification } from '#shared/notification/to_listener_notification.ts'
import { toBytes } from '#shared/bytes/bytes.ts'

describe('toListenerNotification()', () => {
  const schemas = createBuiltinSchemas()

  it('puts the payload under the name of the schema', () => {
    const request = { date: '20190810' }
    assert.deepEqual(toListenerNotification(schemas.require('mars'), request, toBytes('s3://x')), {
      event: 'mars',
      request,
      location: 's3://x',
    })
    assert.deepEqual(toListenerNotification(schemas.require('flight'), request, toBytes('')), {
      event: 'flight',
      request,
      payload: '',
    })
  })

  it('leaves out a payload that is None', () => {
    assert.deepEqual(Object.keys(toListenerNotification(schemas.require('mars'), {}, toBytes('None'))), [
      'event',
      'request',
    ])
  })
})
