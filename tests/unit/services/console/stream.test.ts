import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { ApiError, ask, enter, leave, session, toCredential } from '#services/console/page/api.ts'
import { follow, type StreamStatus } from '#services/console/page/stream.ts'

interface Asked {
  readonly path: string
  readonly headers: Headers
}

/** Answers of the service, one after the other; the last one stays. */
function answerWith(asked: Asked[], ...answers: readonly (() => Response)[]): void {
  let next = 0
  globalThis.fetch = (url, init) => {
    const { pathname, search } = new URL(url instanceof Request ? url.url : url)
    asked.push({ path: pathname.split('/').at(-1) + search, headers: new Headers(init?.headers) })
    const answer = answers[Math.min(next++, answers.length - 1)]
    return answer === undefined ? Promise.reject(new TypeError('no network')) : Promise.resolve(answer())
  }
}

const frame = (id: string, event = 'live-notification'): string =>
  `event: ${event}\ndata: {"id":"${id}"}\nid: ${id}\n\n`

/** A stream that breaks, or stays open, after these pieces. */
function pieces(texts: readonly string[], isOpen = false): () => Response {
  return () =>
    new Response(
      new ReadableStream({
        start: (controller) => {
          for (const text of texts) controller.enqueue(new TextEncoder().encode(text))
          if (!isOpen) controller.close()
        },
      }),
    )
}

describe('the page and the service', () => {
  const { fetch } = globalThis
  before(() => leave())
  after(() => {
    globalThis.fetch = fetch
  })

  /** Follows until the last answer has said what it has. */
  async function followed(
    count: number,
    ...answers: readonly (() => Response)[]
  ): Promise<{
    readonly asked: readonly Asked[]
    readonly ids: readonly string[]
    readonly states: readonly StreamStatus[]
  }> {
    const asked: Asked[] = []
    const ids: string[] = []
    const states: StreamStatus[] = []
    answerWith(asked, ...answers)
    const stop = new AbortController()
    await follow({
      path: 'api/v1/watch?event=flight',
      start: { from_id: '1' },
      signal: stop.signal,
      onFrames: (frames) => {
        ids.push(...frames.map(({ data }) => (JSON.parse(data) as { readonly id: string }).id))
        if (ids.length >= count) stop.abort()
      },
      onStatus: (status) => states.push(status),
    })
    return { asked, ids, states }
  }

  it('follow: goes on behind the last event of a piece, wherever pieces are cut', async () => {
    const text = frame('a') + frame('b') + frame('é')
    const bytes = new TextEncoder().encode(text)
    const cut = (): Response =>
      new Response(
        new ReadableStream({
          start: (controller) => {
            // One byte at a time, also inside of a character.
            for (const byte of bytes) controller.enqueue(Uint8Array.of(byte))
            controller.close()
          },
        }),
      )
    const { asked, ids } = await followed(5, cut, pieces([frame('c') + frame('d') + 'event: live-no'], true))
    assert.deepEqual(ids, ['a', 'b', 'é', 'c', 'd'])
    assert.deepEqual(
      asked.map(({ path, headers }) => [path, headers.get('last-event-id')]),
      [
        ['watch?event=flight&from_id=1', null],
        ['watch?event=flight', 'é'],
      ],
    )
    const together = await followed(3, pieces([frame('a') + frame('b')]), pieces([frame('c')], true))
    assert.equal(together.asked[1]?.headers.get('last-event-id'), 'b')
  })

  it('follow: comes back after what passes, and not after a refusal', async () => {
    const problem = (status: number) => () => Response.json({ message: 'no', code: 'X' }, { status })
    const { states, ids } = await followed(1, problem(503), problem(429), pieces([frame('a')], true))
    assert.deepEqual(ids, ['a'])
    assert.deepEqual(
      states.map(({ kind }) => kind),
      ['connecting', 'waiting', 'connecting', 'waiting', 'connecting', 'replaying'],
    )
    for (const status of [400, 403, 404, 410]) {
      const refused = await followed(1, problem(status))
      const last = refused.states.at(-1)
      assert.ok(last?.kind === 'refused' && last.error.status === status)
      assert.equal(refused.asked.length, 1)
    }
  })

  it('enter, leave: a credential is in the header of each request until the person leaves, and nowhere else', async () => {
    const asked: Asked[] = []
    const me = { user: null, rights: [{ right: 'listen', by: 'x' }], administer: { allowed: false, by: [] } }
    answerWith(asked, () => Response.json(me))
    await enter('Bearer secret')
    await ask('api/v1/events')
    leave()
    await ask('api/v1/events')
    assert.deepEqual(
      asked.map(({ headers }) => headers.get('authorization')),
      ['Bearer secret', 'Bearer secret', null],
    )
    assert.ok(asked.every(({ path }) => !path.includes('secret')))
  })

  it('ask: a 401 ends the session, with the words of the service', async () => {
    answerWith([], () => Response.json({ message: 'expired' }, { status: 401 }))
    await assert.rejects(ask('api/v1/events'), ApiError)
    assert.deepEqual([session.get().phase, session.get().reason], ['outside', 'expired'])
  })

  it('toCredential: takes tokens, keys of an address, and whole credentials', () => {
    assert.equal(toCredential(' abc.def '), 'Bearer abc.def')
    assert.equal(toCredential('joe@example.org:key'), 'EmailKey joe@example.org:key')
    assert.equal(toCredential('Basic am9lOng='), 'Basic am9lOng=')
  })
})
