import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ClientError } from '#shared/client/client_error.ts'
import { listen, type ListenOptions } from '#shared/client/listen.ts'
import { publish, type PublishOptions } from '#shared/client/publish.ts'
import { notificationFrame } from '../../scripts/aviso/fixture.ts'

/** A request that was made. */
interface Made {
  readonly url: string
  readonly headers: Headers
  readonly body: unknown
}

/** A `fetch` that gives the same answer to every request, and notes what it was asked. */
function answering(text: string, type: string) {
  const made: Made[] = []
  const fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const body = typeof init.body === 'string' ? JSON.parse(init.body) : undefined
    made.push({ url, headers: new Headers(init.headers), body })
    return new Response(text, { headers: { 'Content-Type': type } })
  }
  return { fetch, made }
}

async function firstOf(options: Partial<ListenOptions>) {
  const { fetch, made } = answering(notificationFrame(1) + notificationFrame(2), 'text/event-stream')
  const cursors: string[] = []
  const stream = listen({
    url: 'http://aviso.example/below/',
    event: 'flight',
    fetch,
    onCursor: (cursor) => cursors.push(cursor),
    ...options,
  })
  for await (const notification of stream) return { notification, made, cursors }
  assert.fail('there was no notification')
}

const flight = {
  url: 'http://aviso.example',
  event: 'flight',
  request: { country: 'Italy' },
} satisfies PublishOptions

describe('listen()', () => {
  it('yields notifications with their cursors, and ends with the loop', async () => {
    const { notification, made } = await firstOf({})
    assert.deepEqual(notification, {
      id: 'flight@1',
      event: 'flight',
      request: { date: '20210101', country: 'italy', airport: 'FCO', number: 'AZ1' },
      payload: 'Landed',
      time: '2026-08-10T12:00:00.000Z',
      cursor: 'e.1.0',
    })
    assert.equal(made.length, 1)
  })

  it('asks below the address for one value or several, with the token', async () => {
    const { made } = await firstOf({
      request: { country: 'Italy', airport: ['FCO', 'MXP'] },
      token: 'secret',
    })
    assert.equal(
      made[0]?.url,
      'http://aviso.example/below/api/v1/watch?event=flight&country=Italy&airport=FCO&airport=MXP',
    )
    assert.equal(made[0]?.headers.get('authorization'), 'Bearer secret')
  })

  for (const [from, search, lastEventId] of [
    ['live', '', null],
    ['oldest', '&from_id=0', null],
    [{ date: '2026-08-10' }, '&from_date=2026-08-10', null],
    [{ cursor: 'e.5.0' }, '', 'e.5.0'],
  ] as const) {
    it(`starts ${JSON.stringify(from)}`, async () => {
      const { made } = await firstOf({ from })
      assert.equal(made[0]?.url, `http://aviso.example/below/api/v1/watch?event=flight${search}`)
      assert.equal(made[0]?.headers.get('last-event-id'), lastEventId)
    })
  }

  it('reports a cursor only when the notification is done', async () => {
    const { fetch } = answering(notificationFrame(1) + notificationFrame(2), 'text/event-stream')
    const seen: string[] = []
    const stream = listen({ ...flight, fetch, onCursor: (cursor) => seen.push(cursor) })
    for await (const { id } of stream) if (seen.push(id) === 3) break
    assert.deepEqual(seen, ['flight@1', 'e.1.0', 'flight@2'])
  })
})

describe('publish()', () => {
  it('sends a CloudEvent with a random id, and returns what it became', async () => {
    const { fetch, made } = answering(
      '{"message": "", "id": "flight@5", "key": "/k", "sequence": "5"}',
      'application/json',
    )
    assert.deepEqual(await publish({ ...flight, fetch, payload: { on: 'time' } }), {
      id: 'flight@5',
      key: '/k',
      sequence: '5',
    })
    await publish({ ...flight, fetch })
    const [first, second] = made.map(({ body }) => Object(body))
    assert.equal(made[0]?.headers.get('content-type'), 'application/cloudevents+json')
    assert.deepEqual(first.data, { event: 'flight', request: { country: 'Italy' }, payload: { on: 'time' } })
    assert.deepEqual(second.data, { event: 'flight', request: { country: 'Italy' } })
    assert.match(first.id, /^[\da-f]{32}$/)
    assert.notEqual(first.id, second.id)
  })

  it('sends the id and the source that it is given', async () => {
    const { fetch, made } = answering('{}', 'application/json')
    assert.deepEqual(await publish({ ...flight, fetch, id: 'mine', source: '/me' }), { id: 'mine' })
    const { id, source } = Object(made[0]?.body)
    assert.deepEqual([id, source], ['mine', '/me'])
  })
})

describe('listen() and publish()', () => {
  const { fetch, made } = answering('', 'text/plain')
  for (const [what, options] of [
    ['an address without protocol', { url: 'aviso.example:8080' }],
    ['another protocol', { url: 'ftp://aviso.example' }],
    ['no address', { url: '' }],
    ['a token with a line break', { token: 'a\nb' }],
    ['an empty token', { token: '' }],
  ] as const) {
    it(`refuse ${what} before any request`, async () => {
      await assert.rejects(publish({ ...flight, fetch, ...options }), ClientError)
      await assert.rejects(listen({ ...flight, fetch, ...options }).next(), ClientError)
      assert.deepEqual(made, [])
    })
  }
})
