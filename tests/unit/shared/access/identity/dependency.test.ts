import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'

import { createCounters, type Counters } from '#shared/access/identity/counters.ts'
import { ask, type Answer, type FetchGet } from '#shared/access/identity/dependency.ts'
import { createManualClock, settle, type ManualClock } from '../../../../support/clock.ts'
import { createTestLog } from './support.ts'

const UNAVAILABLE = { code: 'ERR_VERDICT_UNAVAILABLE' }

/** A body in pieces, of no declared length. */
function pieces(...sizes: readonly number[]): ReadableStream<Uint8Array> {
  const left = [...sizes]
  return new ReadableStream({
    pull(controller) {
      const size = left.shift()
      if (size === undefined) controller.close()
      else controller.enqueue(new Uint8Array(size))
    },
  })
}

describe('ask()', () => {
  let clock: ManualClock
  let counters: Counters
  let lines: string[]
  let sent: { url: string; init: Parameters<FetchGet>[1] }[]

  beforeEach(() => {
    clock = createManualClock()
    counters = createCounters()
    lines = []
    sent = []
  })

  function askFor(respond: () => Promise<Response> | Response, limitBytes = 100): Promise<Answer> {
    const log = createTestLog()
    lines = log.lines
    const fetch: FetchGet = async (url, init) => {
      sent.push({ url, init })
      return respond()
    }
    const question = {
      name: 'a server',
      url: 'http://secret.test/path',
      headers: { 'x-key': 'k' },
      timeoutMs: 2000,
      limitBytes,
    }
    return ask({ fetch, clock, logger: log.logger, count: counters.count }, question)
  }

  it('sends what it is given, asks for nothing compressed, and follows nothing', async () => {
    const { status, body } = await askFor(() => new Response('{}', { status: 201 }))
    assert.deepEqual([status, body.length], [201, 2])
    assert.deepEqual(sent[0]?.init.headers, {
      accept: 'application/json',
      'accept-encoding': 'identity',
      'x-key': 'k',
    })
    assert.equal(sent[0].init.redirect, 'manual')
    assert.deepEqual([counters.values().dependency_calls, counters.values().dependency_failures], [1, 0])
  })

  it('takes a redirect for no answer, whatever it holds', async () => {
    for (const status of [301, 302, 303, 307, 308, 304]) {
      await assert.rejects(
        askFor(() => new Response(null, { status })),
        UNAVAILABLE,
        String(status),
      )
    }
    const followed = new Response('{}')
    Object.defineProperty(followed, 'redirected', { value: true })
    await assert.rejects(
      askFor(() => followed),
      UNAVAILABLE,
    )
    assert.equal(counters.values().dependency_failures, 7)
  })

  it('takes a compressed answer for none', async () => {
    const headers = { 'content-encoding': 'gzip' }
    await assert.rejects(
      askFor(() => new Response('{}', { headers })),
      UNAVAILABLE,
    )
    const { status } = await askFor(() => new Response('{}', { headers: { 'content-encoding': 'identity' } }))
    assert.equal(status, 200)
  })

  it('takes an answer over the limit for none, and not the part below it', async () => {
    assert.equal((await askFor(() => new Response(pieces(60, 40)))).body.length, 100)
    await assert.rejects(
      askFor(() => new Response(pieces(60, 41))),
      UNAVAILABLE,
    )
    await assert.rejects(
      askFor(() => new Response(pieces(101))),
      UNAVAILABLE,
    )
  })

  it('takes an answer of another length than it says for none', async () => {
    for (const length of ['3', '1', 'x']) {
      await assert.rejects(
        askFor(() => new Response('{}', { headers: { 'content-length': length } })),
        UNAVAILABLE,
        length,
      )
    }
  })

  it('waits no longer than it is told, for the head or the body, and lets the connection go', async () => {
    const never = new Promise<Response>(() => undefined)
    const silent = new Response(
      new ReadableStream<Uint8Array>({ pull: () => new Promise<void>(() => undefined) }),
    )
    for (const respond of [(): Promise<Response> => never, (): Response => silent]) {
      const pending = askFor(respond)
      pending.catch(() => undefined)
      await settle()
      await clock.advance(2000)
      await assert.rejects(pending, UNAVAILABLE)
      assert.equal(sent.at(-1)?.init.signal.aborted, true)
    }
  })

  it('logs the name of the server and a reason of its own, never an address or what the other side says', async () => {
    await assert.rejects(
      askFor(() => Promise.reject(new Error('connect ECONNREFUSED secret.test:80 CANARY'))),
      UNAVAILABLE,
    )
    assert.match(lines.join(), /a server/)
    assert.doesNotMatch(lines.join(), /secret|CANARY/)
  })
})
