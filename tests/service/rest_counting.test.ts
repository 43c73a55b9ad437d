import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AvisoErrorCode } from '#shared/errors.ts'
import { dissemination, setUp } from './rest_fixture.ts'

describe('POST /api/v1/notification, onRefused', () => {
  it('is told every refusal once, whatever form it came in', async () => {
    const codes: AvisoErrorCode[] = []
    const { post } = setUp({ onRefused: (code) => void codes.push(code) })
    await post('{')
    await post(dissemination({}, { event: 'unknown' }))
    await post(dissemination())
    assert.deepEqual(codes.splice(0), ['ERR_INVALID_JSON', 'ERR_UNKNOWN_EVENT'])
    const bad = dissemination({}, { event: 'unknown' })
    await post([dissemination(), bad, bad])
    assert.deepEqual(codes.splice(0), ['ERR_UNKNOWN_EVENT', 'ERR_UNKNOWN_EVENT'])
    const lines = [JSON.stringify(bad), 'nonsense', JSON.stringify(dissemination())].join('\n')
    const { text } = await post(lines, { 'content-type': 'application/x-ndjson' })
    assert.equal(text.trim().split('\n').length, 3)
    assert.deepEqual(codes, ['ERR_UNKNOWN_EVENT', 'ERR_INVALID_JSON'])
  })
})
