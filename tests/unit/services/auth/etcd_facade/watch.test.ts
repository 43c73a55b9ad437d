import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { AvisoError, HistoryCompacted } from '#shared/errors.ts'
import { prefixRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import type { CloseReason } from '#shared/hub/hub.ts'
import { accessTo, createFixture, HEAD, keyValue, post, type Fixture } from '../support.ts'
import { b64 } from '../../../../support/etcd_wire.ts'

const PREFIX = { key: b64('/ec/mars/'), range_end: b64('/ec/mars0') }
const HEADER = /^\{"cluster_id":"\d+","member_id":"1","revision":"\d+","raft_term":"1"\}$/

async function lines(fixture: Fixture, create: unknown): Promise<string[]> {
  const response = await fixture.handler(post('/v3/watch', { create_request: create }))
  assert.equal(response.status, 200)
  const text = await response.text()
  assert.ok(text.endsWith('\n'))
  return text.trimEnd().split('\n')
}

/** The line with its header taken out, after the header has been checked. */
function withoutHeader(line: string | undefined): string {
  const match = /"header":(\{[^}]*\}),?/.exec(line ?? '')
  assert.match(match?.[1] ?? '', HEADER)
  return (line ?? '').replace(match?.[0] ?? '', '')
}

function revisionOf(line: string | undefined): string | undefined {
  return (JSON.parse(line ?? '') as { result: { header: { revision?: string } } }).result.header.revision
}

describe('POST /v3/watch', () => {
  it('writes the lines of the gateway, byte for byte', async () => {
    const fixture = createFixture()
    const put = keyValue('/ec/mars/d=1', { value: toBytes('v') })
    const deleted = keyValue('/ec/mars/d=2', {
      value: new Uint8Array(0),
      createRevision: 0n,
      version: 0n,
      modRevision: 8n,
    })
    fixture.hub.script = ({ format }) => [
      format.opening?.(HEAD),
      format.revision?.(7n, [
        { kind: 'put', kv: put },
        { kind: 'delete', kv: deleted },
      ]),
    ]
    const [created, events] = await lines(fixture, PREFIX)
    assert.equal(withoutHeader(created), '{"result":{"created":true}}')
    assert.equal(revisionOf(created), '40')
    assert.equal(
      withoutHeader(events),
      `{"result":{"events":[{"kv":{"key":"${b64('/ec/mars/d=1')}","create_revision":"5","mod_revision":"7","version":"2","value":"dg=="}},` +
        `{"type":"DELETE","kv":{"key":"${b64('/ec/mars/d=2')}","mod_revision":"8"}}]}}`,
    )
    assert.equal(revisionOf(events), '7')
  })

  it('starts at start_revision, inclusive, or live', async () => {
    const fixture = createFixture()
    await lines(fixture, { ...PREFIX, start_revision: '17', progress_notify: true, fragment: true })
    await lines(fixture, { ...PREFIX, start_revision: 0, filters: [], prev_kv: false, watchId: 0 })
    await lines(fixture, { ...PREFIX, startRevision: null })
    assert.deepEqual(
      fixture.hub.requests.map((request) => request.from),
      [{ kind: 'revision', revision: 17n }, { kind: 'live' }, { kind: 'live' }],
    )
  })

  it('takes the other spelling of the request', async () => {
    const fixture = createFixture()
    const response = await fixture.handler(
      post('/v3/watch', { createRequest: { key: PREFIX.key, rangeEnd: PREFIX.range_end } }),
    )
    assert.equal(response.status, 200)
    const { selection } = fixture.hub.requests[0] ?? assert.fail()
    assert.deepEqual(selection, { kind: 'ranges', ranges: [prefixRange('/ec/mars/')] })
  })

  it('sends progress: never behind the start, never past what was delivered', async () => {
    const fixture = createFixture()
    fixture.hub.script = ({ format }) => [
      format.opening?.(HEAD),
      format.heartbeat?.({ revision: 0n }),
      format.heartbeat?.({ revision: 55n }),
      format.heartbeat?.({ revision: 60n, index: 2 }),
    ]
    const live = await lines(fixture, PREFIX)
    assert.deepEqual(live.slice(1).map(revisionOf), ['40', '55', '59'])
    assert.equal(withoutHeader(live[1]), '{"result":{}}')
    const resumed = await lines(fixture, { ...PREFIX, start_revision: 17 })
    assert.deepEqual(resumed.slice(1).map(revisionOf), ['16', '55', '59'])
    const fromTheBeginning = await lines(fixture, { ...PREFIX, start_revision: 1 })
    assert.equal(revisionOf(fromTheBeginning[1]), undefined)
  })

  it('tells in the stream that the start is no longer kept', async () => {
    const fixture = createFixture()
    fixture.hub.failures = [new HistoryCompacted('gone', 9n)]
    const [created, canceled, ...others] = await lines(fixture, { ...PREFIX, start_revision: 3 })
    assert.equal(withoutHeader(created), '{"result":{"created":true}}')
    assert.equal(withoutHeader(canceled), '{"result":{"canceled":true,"compact_revision":"9"}}')
    assert.deepEqual(others, [])
  })

  it('ends in a way that makes clients connect again, or with the compacted revision', async () => {
    const fixture = createFixture()
    const position = { revision: 41n }
    const closing = async (reason: CloseReason): Promise<string | undefined> => {
      fixture.hub.script = ({ format }) => [
        format.opening?.(HEAD),
        format.closing?.(
          reason === 'history_compacted' ? { reason, oldest: 50n, position } : { reason, position },
        ),
      ]
      return (await lines(fixture, PREFIX))[1]
    }
    assert.equal(
      withoutHeader(await closing('history_compacted')),
      '{"result":{"canceled":true,"compact_revision":"50"}}',
    )
    assert.equal(await closing('end_of_stream'), undefined)
    for (const reason of ['max_age', 'shutdown', 'slow_consumer', 'store_unavailable'] as const) {
      const { error } = JSON.parse((await closing(reason)) ?? '') as { error: { grpc_code: number } }
      assert.equal(error.grpc_code, 14)
    }
  })

  it('refuses a future start loudly', async () => {
    const fixture = createFixture()
    fixture.hub.failures = [new AvisoError('ERR_FUTURE_POSITION', 'x')]
    const response = await fixture.handler(
      post('/v3/watch', { create_request: { ...PREFIX, start_revision: 99 } }),
    )
    assert.equal(response.status, 400)
    assert.equal(((await response.json()) as { code: number }).code, 11)
  })

  it('selects what streams carry, and never the keys of the service', async () => {
    const fixture = createFixture()
    await lines(fixture, { key: b64('\0'), range_end: b64('\0') })
    await lines(fixture, { key: b64('/'), range_end: b64('/ec/diss0') })
    const ranges = fixture.hub.requests.map(({ selection }) =>
      selection.kind === 'ranges' ? selection.ranges.map(({ key }) => toText(key)) : assert.fail(),
    )
    assert.deepEqual(ranges, [
      ['/ec/diss/', '/ec/mars/', '/test/measure/', '/tmp/aviso/flight/'],
      ['/ec/diss/'],
    ])
  })

  it('refuses a watch that would be silent for ever', async () => {
    const fixture = createFixture()
    for (const key of ['/_avis', '/ec/config/aviso/', '/zz']) {
      const response = await fixture.handler(post('/v3/watch', { create_request: { key: b64(key) } }))
      const body = (await response.json()) as { field: string; message: string }
      assert.deepEqual([response.status, body.field], [400, 'key'], key)
      assert.match(body.message, /^Only keys under \/ec\/diss\/, /)
    }
    assert.equal(fixture.hub.requests.length, 0)
  })

  it('narrows to what a principal may see', async () => {
    const fixture = createFixture([], { access: accessTo('/ec/diss/FOO/', '/ec/mars/') })
    await lines(fixture, { key: b64('/ec/diss/FOO'), range_end: b64('/ec/diss/FOP') })
    const [request] = fixture.hub.requests
    if (request?.selection.kind !== 'ranges') assert.fail()
    assert.deepEqual(
      request.selection.ranges.map(({ key, end }) => [toText(key), toText(end ?? key)]),
      [['/ec/diss/FOO/', '/ec/diss/FOO0']],
    )
    for (const [key, end] of [
      ['/ec/diss/BAR/', '/ec/diss/BAR0'],
      ['/ec/', '/ec0'],
      ['/ec/diss/FOO/', '\0'],
      ['\0', '\0'],
    ] as const) {
      const request_ = { key: b64(key), range_end: b64(end) }
      const refused = await fixture.handler(post('/v3/watch', { create_request: request_ }))
      assert.equal(refused.status, 403, `${key} ${end}`)
    }
    assert.equal(fixture.hub.requests.length, 1)
  })

  it('releases the subscription when the client goes', async () => {
    const fixture = createFixture()
    fixture.hub.ends = false
    const response = await fixture.handler(post('/v3/watch', { create_request: PREFIX }))
    const reader = response.body?.getReader()
    await reader?.read()
    assert.equal(fixture.hub.canceled, 0)
    await reader?.cancel()
    assert.equal(fixture.hub.canceled, 1)
  })

  const bad: Record<string, unknown> = {
    'a flat request': PREFIX,
    'no request': {},
    null: { create_request: null },
    'an empty request': { create_request: {} },
    'both spellings': { create_request: PREFIX, createRequest: PREFIX },
    'a second document': `${JSON.stringify({ create_request: PREFIX })}\n${JSON.stringify({ create_request: PREFIX })}`,
    'a request twice': `{"create_request":${JSON.stringify(PREFIX)},"create_request":${JSON.stringify(PREFIX)}}`,
    'a cancel request': { cancel_request: { watch_id: 0 } },
    'a progress request': { progress_request: {} },
    'a union': { request_union: { create_request: PREFIX } },
    prev_kv: { create_request: { ...PREFIX, prev_kv: true } },
    filters: { create_request: { ...PREFIX, filters: ['NOPUT'] } },
    watch_id: { create_request: { ...PREFIX, watch_id: '7' } },
    'a negative start': { create_request: { ...PREFIX, start_revision: -1 } },
    'a start beyond int64': { create_request: { ...PREFIX, start_revision: '9223372036854775808' } },
    'an end before the key': { create_request: { key: PREFIX.range_end, range_end: PREFIX.key } },
    'an end without key': { create_request: { range_end: b64('\0') } },
  }
  for (const [name, body] of Object.entries(bad)) {
    it(`refuses ${name}`, async () => {
      const fixture = createFixture()
      const response = await fixture.handler(post('/v3/watch', body))
      assert.equal(response.status, 400)
      assert.equal(((await response.json()) as { code: number }).code, 3)
      assert.equal(fixture.hub.requests.length, 0)
    })
  }
})
