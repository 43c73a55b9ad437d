/**
 * Tickets: what `EventSource` opens a stream with, asked of the whole system with identities, and of two systems on one store.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { END_OF_KEYS, toText } from '#shared/bytes/bytes.ts'
import { systemClock } from '#shared/time/clock.ts'
import { JOE_TOKEN, OPERATOR_TOKEN, PROVIDER_TOKEN } from '../support/auth_servers_system.ts'
import { createManualClock, createScaledClock } from '../support/clock.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import { claimsOf, secondsAt, signToken } from '../support/tokens.ts'
import { readFrames } from './auth_fixture.ts'
import {
  bearer,
  startIdentitySystem,
  type IdentitySystem,
  type IdentitySystemOptions,
} from './identity_fixture.ts'

const WATCH = '/api/v1/watch?event=dissemination&destination=SCL'

interface Ticket {
  readonly ticket: string
  readonly expires_in: number
}

async function withSystem(
  use: (test: IdentitySystem) => Promise<void>,
  options: IdentitySystemOptions = {},
): Promise<void> {
  const test = await startIdentitySystem(options)
  try {
    await use(test)
  } finally {
    await test.close()
  }
}

async function ticketOf(test: IdentitySystem, token = JOE_TOKEN): Promise<Ticket> {
  const response = await test.post('/api/v1/tickets', '', bearer(token))
  assert.equal(response.status, 200, await response.clone().text())
  assert.equal(response.headers.get('cache-control'), 'no-store')
  return (await response.json()) as Ticket
}

/** Status and code of a refusal. */
async function refusalOf(response: Response): Promise<readonly [number, unknown]> {
  const body = (await response.json()) as Readonly<Record<string, unknown>>
  return [response.status, body['code']]
}

const watch = (test: IdentitySystem, { ticket }: Pick<Ticket, 'ticket'>): Promise<Response> =>
  test.call(`${WATCH}&ticket=${ticket}`)

/** Everything that the store has, as text. */
async function storedText({ store }: IdentitySystem): Promise<string> {
  const { kvs } = await store.range({ key: new Uint8Array([0]), end: END_OF_KEYS })
  return kvs.map((kv) => toText(kv.key) + toText(kv.value)).join('\n')
}

describe('POST /api/v1/tickets', () => {
  it('gives a ticket that opens one stream, with the rights of its owner', () =>
    withSystem(async (test) => {
      const ticket = await ticketOf(test)
      assert.ok(ticket.expires_in >= 29 && ticket.expires_in <= 30)
      const response = await watch(test, ticket)
      assert.equal(response.status, 200)
      const frames = readFrames(response)
      await test.publish('SCL', 7)
      await frames.next(({ data }) => data.data?.identifier['step'] === '7')
      await frames.close()
    }))

  it('gives no more than the owner has', () =>
    withSystem(async (test) => {
      const other = await test.call(
        `/api/v1/watch?event=dissemination&destination=BAR&ticket=${(await ticketOf(test)).ticket}`,
      )
      assert.deepEqual(await refusalOf(other), [403, 'FORBIDDEN'])
    }))

  it('needs a credential that is right', () =>
    withSystem(async (test) => {
      const none = await test.post('/api/v1/tickets', '')
      assert.ok(none.headers.has('www-authenticate'))
      assert.deepEqual(await refusalOf(none), [401, 'UNAUTHORIZED'])
      const wrong = await test.post('/api/v1/tickets', '', bearer('wrong-token-of-nobody-at-all'))
      assert.deepEqual(await refusalOf(wrong), [401, 'UNAUTHORIZED'])
      assert.equal((await storedText(test)).includes('/_aviso/tickets/'), false)
    }))

  it('gives at most 32 that are not used, each identity its own', () =>
    withSystem(
      async (test) => {
        const tickets = await Promise.all(Array.from({ length: 4 }, () => ticketOf(test)))
        for (let issued = tickets.length; issued < 32; issued++) await ticketOf(test)
        const refused = await test.post('/api/v1/tickets', '', bearer(JOE_TOKEN))
        assert.equal(refused.headers.get('retry-after'), '30')
        assert.deepEqual(await refusalOf(refused), [429, 'TOO_MANY_REQUESTS'])
        await ticketOf(test, OPERATOR_TOKEN)
        const [first] = tickets
        assert.ok(first !== undefined)
        await (await watch(test, first)).body?.cancel()
        await ticketOf(test)
        const metrics = await (await test.call('/metrics')).text()
        for (const [event, count] of [
          ['tickets_issued', 34],
          ['tickets_used', 1],
          ['tickets_limited', 1],
        ])
          assert.match(metrics, new RegExp(`aviso_access_events(?:_total)?\\{event="${event}"\\} ${count}`))
      },
      { vars: { quota: { opensPerPrincipal: { perSecond: 100, burst: 100 } } } },
    ))

  it('gives them no faster than streams may be opened, and says what is left', () =>
    withSystem(
      async (test) => {
        const first = await test.post('/api/v1/tickets', '', bearer(JOE_TOKEN))
        assert.equal(first.headers.get('ratelimit'), '"quota";r=1;t=100')
        assert.equal(first.headers.get('ratelimit-policy'), '"quota";q=2;w=200')
        await ticketOf(test)
        assert.equal((await test.post('/api/v1/tickets', '', bearer(JOE_TOKEN))).status, 429)
      },
      {
        clock: createStoppedClock(),
        vars: { quota: { opensPerPrincipal: { perSecond: 0.01, burst: 2 } } },
      },
    ))
})

describe('GET /api/v1/watch?ticket=', () => {
  it('takes a ticket once, of several requests at the same moment one', () =>
    withSystem(async (test) => {
      const ticket = await ticketOf(test)
      const answers = await Promise.all(Array.from({ length: 5 }, () => watch(test, ticket)))
      const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b)
      assert.deepEqual(statuses, [200, 401, 401, 401, 401])
      for (const { body } of answers) await body?.cancel()
      const again = await watch(test, ticket)
      assert.ok(again.headers.has('www-authenticate'))
      assert.deepEqual(await refusalOf(again), [401, 'TICKET_ENDED'])
    }))

  it('takes the ticket of another service on the same store', async () => {
    const store = createMemoryStore({ clock: systemClock })
    await withSystem(
      (one) =>
        withSystem(
          async (other) => {
            // The stand-ins of a system sign for it alone, so this one is a user of the configuration.
            const response = await other.call(
              `/api/v1/watch?event=flight&ticket=${(await ticketOf(one, PROVIDER_TOKEN)).ticket}`,
            )
            assert.equal(response.status, 200)
            await response.body?.cancel()
          },
          // The outer system closes it.
          { store: { ...store, close: () => Promise.resolve() } },
        ),
      { store },
    )
  })

  it('refuses a ticket whose time is over', async () => {
    const clock = createScaledClock()
    await withSystem(
      async (test) => {
        const ticket = await ticketOf(test, OPERATOR_TOKEN)
        clock.pass(30_000)
        assert.deepEqual(await refusalOf(await watch(test, ticket)), [401, 'TICKET_ENDED'])
      },
      { clock },
    )
  })

  it('looks at the rights when the ticket is used, not when it was given out', () =>
    withSystem(async (test) => {
      const ticket = await ticketOf(test)
      test.system.replacePolicy({ public: { listen: [], publish: [] }, open: [], rules: [] })
      assert.deepEqual(await refusalOf(await watch(test, ticket)), [403, 'FORBIDDEN'])
    }))

  it('ends no later than the credential, and so does the stream that it opens', async () => {
    const clock = createScaledClock()
    await withSystem(
      async (test) => {
        const now = clock.now()
        // Clocks may be a minute apart, so a token counts for a minute longer than it says.
        const exp = secondsAt(now) - 60 + 10
        const token = await signToken(test.standIns.issuerKey, claimsOf('tim', now, { exp }))
        const ticket = await ticketOf(test, token)
        assert.ok(ticket.expires_in <= 10, String(ticket.expires_in))
        const response = await test.call(`/api/v1/watch?event=flight&ticket=${ticket.ticket}`)
        assert.equal(response.status, 200)
        const late = await ticketOf(test, token)
        clock.pass(10_000)
        assert.equal((await watch(test, late)).status, 401)
        const last = (await readFrames(response).rest()).at(-1)
        assert.match(JSON.stringify(last), /auth_expired/)
      },
      { clock },
    )
  })

  it('refuses a ticket beside a credential, several tickets, and any credential in the address', () =>
    withSystem(async (test) => {
      const { ticket } = await ticketOf(test)
      const both = await test.call(`${WATCH}&ticket=${ticket}`, { headers: bearer(JOE_TOKEN) })
      assert.deepEqual(await refusalOf(both), [400, 'INVALID_REQUEST_SHAPE'])
      const two = await test.call(`${WATCH}&ticket=${ticket}&ticket=${ticket}`)
      assert.deepEqual(await refusalOf(two), [400, 'INVALID_REQUEST_SHAPE'])
      for (const name of ['token', 'access_token', 'Authorization', 'api_key', 'jwt']) {
        const response = await test.call(`${WATCH}&${name}=x`)
        const body = (await response.json()) as { message: string }
        assert.equal(response.status, 400, name)
        assert.match(body.message, /Authorization header/)
      }
      const response = await watch(test, { ticket })
      assert.equal(response.status, 200, 'none of them has used it up')
      await response.body?.cancel()
    }))

  it('bounds how often one address may send wrong ones', () =>
    withSystem(
      async (test) => {
        const ask = (): Promise<Response> =>
          test.call(`${WATCH}&ticket=${'0'.repeat(84)}`, { headers: { 'x-forwarded-for': '192.0.2.7' } })
        assert.equal((await ask()).status, 401)
        assert.equal((await ask()).status, 401)
        assert.equal((await ask()).status, 429)
      },
      { vars: { quota: { trustedProxies: 1, readsPerAddress: { perSecond: 0.01, burst: 2 } } } },
    ))

  it('leaves no trace of the ticket in the store, the logs, the audit log and the metrics', () =>
    withSystem(async (test) => {
      const used = await ticketOf(test)
      const unused = await ticketOf(test)
      const stored = await storedText(test)
      await (await watch(test, used)).body?.cancel()
      await watch(test, used)
      const audited = await test.audited()
      assert.ok(audited.some(({ action }) => action === 'opened'))
      const metrics = await (await test.call('/metrics')).text()
      const printed = [
        stored,
        await storedText(test),
        ...test.printed,
        JSON.stringify(audited),
        metrics,
      ].join('\n')
      for (const { ticket } of [used, unused]) {
        assert.equal(printed.includes(ticket), false)
        assert.equal(printed.includes(ticket.slice(-64)), false)
      }
    }))
})

/** A clock whose buckets do not fill up. */
function createStoppedClock(): typeof systemClock {
  const stopped = createManualClock(systemClock.now())
  return { ...systemClock, monotonic: stopped.monotonic }
}
