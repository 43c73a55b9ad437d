import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import type { AvisoErrorCode } from '#shared/errors.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { Store, TxnResult } from '#shared/store/store.ts'
import { createSkippingClock } from '../../../../support/clock.ts'
import { rejects } from '../../../../contract/store_support.ts'
import {
  closedPort,
  HEADER,
  openStore,
  startFixture,
  type Fixture,
  type Received,
  type Reply,
} from './gateway_fixture.ts'
import { eventually, within } from '../../../../support/waiting.ts'

const key = toBytes('a')
const RANGE = '/v3/kv/range'
const TXN = '/v3/kv/txn'
const STATUS = '/v3/maintenance/status'
const NO_LEADER = { code: 14, message: 'etcdserver: no leader' }

const open: { close(): Promise<void> }[] = []
after(async () => {
  for (const one of open) await one.close()
})

async function fixture(answer: (received: Received, reply: Reply) => boolean | void): Promise<Fixture> {
  const server = await startFixture(answer)
  open.push(server)
  return server
}

/** The limit of a question which cluster a member belongs to, and of a read or write. */
const LIMIT_MS = { status: 1_000, call: 2_000 } as const

/** The clock of the newest store. A pause takes no time; {@link keepSilent} lets limits pass. */
let clock = createSkippingClock()

/** Requests that are not answered, and whose limits have not passed. */
let unanswered = 0

/** Never answers: the limit of who waits passes, and no more, once everybody else has an answer. */
function keepSilent({ path }: Pick<Received, 'path'>): void {
  unanswered++
  const waiting = clock
  void eventually('everybody else has an answer', () => waiting.timers <= unanswered, 0)
    .then(() => waiting.advance(path === STATUS ? LIMIT_MS.status : LIMIT_MS.call))
    .finally(() => unanswered--)
}

async function storeOver(...servers: readonly (Fixture | string)[]): Promise<Store> {
  const endpoints = servers.map((server) => (typeof server === 'string' ? server : server.url))
  clock = createSkippingClock()
  const store = await openStore(endpoints, { clock })
  open.push(store)
  return store
}

/** Answers one path, and others as a healthy etcd does. */
function only(path: string, answer: (reply: Reply) => void) {
  return (received: Received, reply: Reply): boolean => {
    if (received.path !== path) return false
    answer(reply)
    return true
  }
}

const healthy = () => fixture(() => false)

function put(store: Store): Promise<TxnResult> {
  return store.txn({ compare: [], success: [{ kind: 'put', key, value: toBytes('v') }] })
}

describe('createGatewayStore() with several members', () => {
  it('goes on with the next one where nobody listens, with reads and writes', async () => {
    const [gone, good] = [await closedPort(), await healthy()]
    assert.equal((await (await storeOver(gone, good)).range({ key })).revision, 7n)
    const store = await storeOver(gone, good)
    assert.equal((await put(store)).revision, 8n)
    assert.equal(good.count(TXN), 1)
  })

  it('stays with the one that works', async () => {
    const [bad, good] = [await fixture((_, reply) => reply.json(503, NO_LEADER)), await healthy()]
    const store = await storeOver(bad, good)
    for (let round = 0; round < 5; round++) await store.range({ key })
    assert.equal(bad.count(RANGE), 1)
    assert.equal(good.count(RANGE), 5)
  })

  it('repeats a write that was refused before it was proposed', async () => {
    const refused = Promise.withResolvers<void>()
    const bad = await fixture(
      only(TXN, (reply) => {
        reply.json(503, NO_LEADER)
        refused.resolve()
      }),
    )
    // It says which cluster it belongs to only then, so it comes second.
    const good = await fixture(
      only(STATUS, (reply) => void refused.promise.then(() => reply.json(200, { header: HEADER }))),
    )
    assert.equal((await put(await storeOver(bad, good))).revision, 8n)
    assert.deepEqual([bad.count(TXN), good.count(TXN)], [1, 1])
  })

  it('repeats a read, but not a write, that may have arrived', async () => {
    const ways: readonly ((reply: Reply) => void)[] = [
      (reply) => reply.reset(),
      (reply) => reply.json(503, { error: 'etcdserver: request timed out', code: 14 }),
      (reply) =>
        reply.json(500, {
          error: 'context deadline exceeded',
          message: 'context deadline exceeded',
          code: 2,
        }),
      (reply) => reply.text(502, '<html>Bad Gateway</html>'),
      (reply) => reply.text(200, '{"header":{"revision":"8"},"succ'),
      // Until the time limit.
      () => keepSilent({ path: RANGE }),
    ]
    for (const answer of ways) {
      const bad = await fixture((received, reply) => {
        if (received.path === STATUS) return false
        answer(reply)
        return true
      })
      // Nothing is written to it, for it does not say which cluster it belongs to.
      const good = await fixture(only(STATUS, (reply) => reply.json(503, NO_LEADER)))
      assert.equal((await within('a read', (await storeOver(bad, good)).range({ key }))).revision, 7n)
      await rejects(within('a write', put(await storeOver(bad, good))), 'ERR_OUTCOME_UNKNOWN')
      assert.deepEqual([bad.count(TXN), good.count(TXN)], [1, 0], String(answer))
    }
  })

  it('asks every member before it gives up, however long each of them takes', async () => {
    const silent = [await fixture(keepSilent), await fixture(keepSilent)]
    const store = await storeOver(...silent, await healthy())
    assert.equal((await within('a read', store.range({ key }))).revision, 7n)
  })

  it('passes a silent member over within the time of a probe, which asks for the status alone', async () => {
    const [silent, good] = [await fixture(keepSilent), await healthy()]
    const store = await storeOver(silent, good)
    const beganAt = clock.monotonic()
    assert.equal((await within('the status', store.status())).revision, 7n)
    assert.ok(clock.monotonic() - beganAt < LIMIT_MS.call)
    assert.deepEqual([silent.count(STATUS), silent.count(RANGE)], [1, 0])
  })

  it('asks a silent member last, while the others choose a leader', async () => {
    let refusals = 0
    const answer = (_: Received, reply: Reply): boolean | void =>
      ++refusals <= 6 ? reply.json(503, NO_LEADER) : false
    const [silent, one, other] = [await fixture(keepSilent), await fixture(answer), await fixture(answer)]
    const store = await storeOver(silent, one, other)
    assert.equal((await within('a read', store.range({ key }))).revision, 7n)
    assert.equal(silent.count(RANGE), 1)
    assert.ok(one.count(RANGE) >= 3 && other.count(RANGE) >= 3)
  })

  it('waits for a read of an interval while its member tells its status, and then asks the next one', async () => {
    const interval = { key, end: toBytes('b') }
    const held: Reply[] = []
    let isStopped = false
    const busy = await fixture(({ path }, reply) => {
      if (path === RANGE) held.push(reply)
      else if (isStopped) keepSilent({ path })
      else return false
      return true
    })
    const good = await healthy()
    const store = await storeOver(busy, good)
    const passLimits = async (number: number): Promise<void> => {
      const before = busy.count(STATUS)
      for (let passed = 1; passed <= number; passed++) {
        // The limit of the question for the status is another one.
        await eventually('the limit runs', () => clock.nextIn === LIMIT_MS.call)
        await clock.advance(LIMIT_MS.call)
        await eventually('the member is asked', () => busy.count(STATUS) === before + passed)
      }
    }
    const slow = store.range(interval)
    await eventually('the read arrives', () => held.length === 1)
    await passLimits(4)
    held[0]?.json(200, { header: { ...HEADER, revision: '9' } })
    assert.equal((await slow).revision, 9n)
    assert.equal(good.count(RANGE), 0)

    const cut = store.range(interval)
    await eventually('the read arrives', () => held.length === 2)
    isStopped = true
    await passLimits(1)
    assert.equal((await cut).revision, 7n)
    assert.equal(good.count(RANGE), 1)

    // A member that was silent rests; the other one is asked for good.
    const single = store.range({ key })
    assert.equal((await single).revision, 7n)
  })

  it('gives up a read of an interval after half a minute', async () => {
    const busy = await fixture(({ path }) => path === RANGE)
    const store = await storeOver(busy)
    const refused = rejects(store.range({ key, end: toBytes('b') }), 'ERR_STORE_UNAVAILABLE')
    for (let passed = 1; passed <= 15; passed++) {
      // The limit of the question for the status is another one.
      await eventually('the limit runs', () => clock.nextIn === LIMIT_MS.call)
      await clock.advance(LIMIT_MS.call)
      if (passed < 15) await eventually('the member is asked', () => busy.count(STATUS) === passed)
    }
    await refused
    assert.equal(busy.count(RANGE), 1)
  })

  it('sends a write once, even where a connection that was used before breaks', async () => {
    const bad = await fixture(only(TXN, (reply) => reply.reset()))
    const store = await storeOver(bad)
    for (let round = 1; round <= 3; round++) {
      await store.range({ key })
      await rejects(put(store), 'ERR_OUTCOME_UNKNOWN')
      assert.equal(bad.count(TXN), round)
    }
  })

  it('writes nothing to a member that does not answer before', async () => {
    const silent = await fixture(keepSilent)
    const good = await healthy()
    assert.equal((await within('a write', put(await storeOver(silent, good)))).revision, 8n)
    assert.equal(silent.count(TXN), 0)
  })

  it('writes nothing to a member of another cluster, and says so', async () => {
    let down = false
    const first = await fixture((_, reply) => (down ? reply.reset() : false))
    const foreign = await fixture((_, reply) => reply.json(200, { header: { ...HEADER, cluster_id: '5' } }))
    const store = await storeOver(first, foreign)
    await store.range({ key })
    down = true
    await rejects(put(store), 'ERR_STORE_UNAVAILABLE', 'ERR_STORE_PROTOCOL', 'ERR_OUTCOME_UNKNOWN')
    await rejects(put(store), 'ERR_STORE_UNAVAILABLE', 'ERR_STORE_PROTOCOL')
    assert.equal(foreign.count(TXN), 0)
  })

  it('asks every member for a leader', async () => {
    const good = await healthy()
    const store = await storeOver(good)
    await store.range({ key })
    await put(store)
    await store.grantLease(5).catch(() => undefined)
    await store.status()
    assert.ok(good.received.length >= 5)
    for (const { headers } of good.received) assert.equal(headers['grpc-metadata-hasleader'], 'true')
  })
})

describe('createGatewayStore() with an unusable answer', () => {
  const cases: readonly (readonly [what: string, (reply: Reply) => void, ...codes: AvisoErrorCode[]])[] = [
    ['a page', (reply) => reply.text(200, '<html>Welcome</html>'), 'ERR_STORE_PROTOCOL'],
    ['half an answer', (reply) => reply.text(200, '{"header":{"revi'), 'ERR_STORE_PROTOCOL'],
    ['another form', (reply) => reply.json(200, { header: { revision: {} } }), 'ERR_STORE_PROTOCOL'],
    ['no revision', (reply) => reply.json(200, {}), 'ERR_STORE_PROTOCOL'],
    ['an unknown path', (reply) => reply.text(404, 'Not Found\n'), 'ERR_STORE_PROTOCOL'],
    [
      'a wrong method',
      (reply) => reply.json(501, { code: 12, message: 'Method Not Allowed' }),
      'ERR_STORE_PROTOCOL',
    ],
    [
      'a page of 10 MB',
      (reply) => reply.text(502, 'x'.repeat(10_000_000)),
      'ERR_STORE_PROTOCOL',
      'ERR_STORE_UNAVAILABLE',
    ],
    ['a reset', (reply) => reply.reset(), 'ERR_STORE_UNAVAILABLE'],
    ['nothing', () => keepSilent({ path: RANGE }), 'ERR_STORE_UNAVAILABLE'],
  ]
  for (const [what, answer, ...codes] of cases) {
    it(`tells ${what}`, async () => {
      const server = await fixture((_, reply) => answer(reply))
      await rejects(within('a refusal', (await storeOver(server)).range({ key })), ...codes)
    })
  }

  it('follows no redirect', async () => {
    const target = await healthy()
    const server = await fixture((_, reply) => reply.text(307, '', { Location: `${target.url}${RANGE}` }))
    await rejects((await storeOver(server)).range({ key }), 'ERR_STORE_PROTOCOL')
    assert.equal(target.received.length, 0)
  })

  it('reads no more than an answer may have', async () => {
    const piece = new Uint8Array(8 * 1024 * 1024).fill(0x20)
    const server = await fixture((_, reply) => {
      const stream = reply.stream()
      for (let index = 0; index < 12; index++) stream.write(piece)
      stream.end()
    })
    const store = await storeOver(server)
    await rejects(within('a refusal', store.range({ key })), 'ERR_STORE_PROTOCOL', 'ERR_STORE_UNAVAILABLE')
  })
})

describe('createGatewayStore() with an error of etcd', () => {
  it('tells it at once, in whichever shape', async () => {
    const cases = [
      [{ error: 'etcdserver: mvcc: database space exceeded', code: 8 }, 429, 'ERR_STORE_FULL'],
      [{ code: 8, message: 'grpc: received message larger than max (2 vs. 1)' }, 429, 'ERR_TOO_LARGE'],
      [{ code: 3, message: 'etcdserver: request is too large' }, 400, 'ERR_TOO_LARGE'],
      [{ code: 5, message: 'etcdserver: requested lease not found' }, 404, 'ERR_NOT_FOUND'],
      [
        {
          error: 'etcdserver: mvcc: required revision is a future revision',
          message: 'etcdserver: mvcc: required revision is a future revision',
          code: 11,
        },
        400,
        'ERR_FUTURE_POSITION',
      ],
      // Another Aviso, to which we are an etcd client: what etcd says is in `error`.
      [
        {
          error: 'etcdserver: mvcc: required revision is a future revision',
          message: 'The revision does not exist yet',
          code: 11,
        },
        400,
        'ERR_FUTURE_POSITION',
      ],
    ] as const
    for (const [body, status, code] of cases) {
      const server = await fixture(only(TXN, (reply) => reply.json(status, body)))
      await rejects(put(await storeOver(server)), code)
      assert.equal(server.count(TXN), 1)
    }
  })

  it('tells where history begins, which etcd says only to watches', async () => {
    const server = await fixture((received, reply) => {
      if (received.path === RANGE)
        return reply.json(400, {
          code: 11,
          message: 'etcdserver: mvcc: required revision has been compacted',
        })
      if (received.path !== '/v3/watch') return false
      const stream = reply.stream()
      stream.write(`${JSON.stringify({ result: { header: HEADER, created: true } })}\n`)
      stream.write(
        `${JSON.stringify({ result: { header: HEADER, canceled: true, compact_revision: '5' } })}\n`,
      )
    })
    const store = await storeOver(server)
    await assert.rejects(store.range({ key, revision: 2n }), {
      code: 'ERR_HISTORY_COMPACTED',
      details: { oldest_revision: '5' },
    })
  })
})

describe('createGatewayStore() given up', () => {
  it('leaves a write that was sent unknown, and a read undone', async () => {
    const arrived = Promise.withResolvers<void>()
    const server = await fixture(({ path }) => {
      if (path === STATUS) return false
      return arrived.resolve()
    })
    const store = await storeOver(server)
    const stop = new AbortController()
    const write = store.txn(
      { compare: [], success: [{ kind: 'put', key, value: key }] },
      { signal: stop.signal },
    )
    await within('the write', arrived.promise)
    stop.abort()
    await rejects(within('the end', write), 'ERR_OUTCOME_UNKNOWN')
    const read = store.range({ key })
    await store.close()
    await rejects(within('the end', read), 'ERR_STORE_UNAVAILABLE')
  })
})
