/**
 * What publishing promises over any store.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { readOrCreateEpoch } from '#shared/journal/epoch.ts'
import type { PublishItem, Publisher, PublishResult } from '#shared/publish/publish.ts'
import { createPublisher, type PublisherParts } from '#shared/publish/publisher.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { createRandom } from '../support/dice.ts'
import { ALL_FAULTS, createGhostStore } from '../support/ghost_store.ts'
import { createScaledClock } from '../support/clock.ts'
import { checkHistory, codeOf, history, IDENTITY, item, receiptOf } from './publisher_support.ts'

/** Runs of the fault test, each with a seed and a number of event types of its own. */
const RUNS = [
  ...[1, 2, 3, 4, 5, 6].map((seed) => ({ seed, types: 1 })),
  ...[7, 8, 9, 10].map((seed) => ({ seed, types: 4 })),
]

/** Registers the suite for a store. */
export function publisherContract(name: string, openStore: () => Promise<Store>): void {
  describe(`publisher over ${name}`, () => {
    let store: Store
    before(async () => {
      store = await openStore()
    })
    after(() => store.close())
    const subject: Subject = { store: () => store, space: () => `p${randomUUID()}` }
    storing(subject)
    repeating(subject)
    contending(subject)
    surviving(subject)
  })
}

interface Subject {
  store(): Store
  /** A keyspace and event type that no other test uses. */
  space(): string
}

function open(store: Store, more: Partial<PublisherParts> = {}): Publisher {
  return createPublisher({ store, clock: systemClock, random: randomUUID, identity: IDENTITY, ...more })
}

function storing(subject: Subject): void {
  it('stores notification, status, admin key and journal in one revision', async () => {
    const space = subject.space()
    const publisher = open(subject.store())
    const first = item(space, 'one', { admin: 'today', time: '2026-01-02T03:04:05Z', traceparent: '00-ab' })
    const [result] = await publisher.publish([first])
    const receipt = receiptOf(result)
    const entries = await history(subject.store(), space)
    assert.equal(entries.length, 1)
    const [entry] = entries
    assert.equal(entry?.revision, receipt.revision)
    assert.deepEqual(
      entry?.writes.map(({ key }) => key),
      [`/${space}/b/one`, `/${space}/b/`, `/${space}/admin/today`],
    )
    assert.equal(entry?.writes[0]?.value, 'value of one')
    assert.equal(entry?.writes[2]?.value, 'None')
    assert.equal(
      entry?.writes[1]?.value,
      `{"etcd_user": null, "message": "notification to key /${space}/b/one", "unix_user": "aviso", "aviso_version": "3.0", ` +
        `"engine": "ETCD_REST", "hostname": "host", "date_time": "${receipt.committedAt.slice(0, -1)}000Z"}`,
    )
    const [event] = entry?.journal?.events ?? []
    assert.deepEqual(
      {
        id: event?.id,
        source: event?.source,
        time: event?.time,
        traceparent: event?.traceparent,
        seq: event?.seq,
      },
      { id: first.id, source: 'test', time: '2026-01-02T03:04:05Z', traceparent: '00-ab', seq: 1 },
    )
    assert.deepEqual(
      { event: receipt.event, key: receipt.key, sequence: receipt.sequence, replayed: receipt.replayed },
      { event: space, key: `/${space}/b/one`, sequence: 1n, replayed: false },
    )
    await publisher.close()
  })

  it('commits what arrives together in few revisions, in order, one status per base', async () => {
    const space = subject.space()
    const publisher = open(subject.store())
    const items = Array.from({ length: 300 }, (_, index) =>
      item(space, `n${index}`, { base: `b${index % 7}`, admin: `a${index % 3}` }),
    )
    const results = await publisher.publish(items)
    assert.deepEqual(
      results.map((result) => receiptOf(result).sequence),
      items.map((_, index) => BigInt(index + 1)),
    )
    const entries = await history(subject.store(), space)
    assert.ok(entries.length <= 4, `${entries.length} revisions`)
    assert.deepEqual(
      checkHistory(entries).map(({ key }) => key),
      items.map(({ keys }) => keys.stem),
    )
    await publisher.close()
  })

  it('commits several event types together, each with its own numbers and its place in the revision', async () => {
    const store = subject.store()
    const spaces = Array.from({ length: 24 }, () => subject.space())
    const publisher = open(store)
    const round = (name: string): PublishItem[] =>
      spaces.flatMap((space, index) =>
        Array.from({ length: 1 + (index % 3) }, (_, nth) => item(space, `${name}${nth}`)),
      )
    const first = await publisher.publish(round('a'))
    const second = await publisher.publish(round('b'))
    await publisher.close()
    const revisions = new Set(second.map((result) => receiptOf(result).revision))
    assert.ok(revisions.size < spaces.length / 4, `${revisions.size} revisions`)
    /** Places that are taken, by revision. */
    const taken = new Map<bigint, number[]>()
    for (const [index, space] of spaces.entries()) {
      const entries = await history(store, space)
      assert.equal(checkHistory(entries).length, 2 * (1 + (index % 3)))
      for (const { revision, journal } of entries) {
        const places = (journal?.events ?? []).map((_, nth) => (journal?.place ?? 0) + nth)
        taken.set(revision, [...(taken.get(revision) ?? []), ...places])
      }
    }
    assert.equal(first.length + second.length, [...taken.values()].flat().length)
    for (const [revision, places] of taken) {
      const dense = places.map((_, nth) => nth)
      assert.deepEqual(
        places.toSorted((one, other) => one - other),
        dense,
        `places of ${revision}`,
      )
    }
  })

  it('puts the second write of a key into the next revision', async () => {
    const space = subject.space()
    const publisher = open(subject.store())
    const results = await publisher.publish([item(space, 'x'), item(space, 'x'), item(space, 'y')])
    const [first, second, third] = results.map((result) => receiptOf(result).revision)
    assert.ok(first !== undefined && second !== undefined && first < second)
    assert.equal(second, third)
    assert.deepEqual(
      checkHistory(await history(subject.store(), space)).map(({ key }) => key.slice(-1)),
      ['x', 'x', 'y'],
    )
    await publisher.close()
  })

  it('hangs only the notification on a lease', async () => {
    const space = subject.space()
    const publisher = open(subject.store())
    await publisher.publish([
      item(space, 'kept', { admin: 'a' }),
      item(space, 'leased', { ttlSeconds: 3600, admin: 'a' }),
    ])
    const [entry] = await history(subject.store(), space)
    const leased = entry?.writes.filter(({ lease }) => lease !== 0n).map(({ key }) => key)
    assert.deepEqual(leased, [`/${space}/b/leased`])
    await publisher.close()
  })

  it('continues the status chain of another writer, whatever it wrote', async () => {
    const space = subject.space()
    const store = subject.store()
    const base = toBytes(`/${space}/b/`)
    const write = async (value: string): Promise<bigint> =>
      (await store.txn({ compare: [], success: [{ kind: 'put', key: base, value: toBytes(value) }] }))
        .revision
    const read = async (): Promise<Record<string, unknown>> =>
      JSON.parse(toText((await store.range({ key: base })).kvs[0]?.value ?? new Uint8Array())) as Record<
        string,
        unknown
      >
    const publisher = open(store)
    const foreign = await write('{"date_time": "2020-01-01T00:00:00.000001Z", "last_prev_day_rev": 3}')
    receiptOf((await publisher.publish([item(space, 'a')]))[0])
    assert.deepEqual(
      [(await read())['prev_rev'], (await read())['last_prev_day_rev']],
      [Number(foreign), Number(foreign)],
    )
    const second = receiptOf((await publisher.publish([item(space, 'b')]))[0])
    assert.equal((await read())['last_prev_day_rev'], Number(foreign), 'the same day keeps it')
    assert.ok(Number((await read())['prev_rev']) < Number(second.revision))
    const garbage = await write('no JSON')
    receiptOf((await publisher.publish([item(space, 'c')]))[0])
    assert.deepEqual(
      [(await read())['prev_rev'], (await read())['last_prev_day_rev']],
      [Number(garbage), undefined],
    )
    await publisher.close()
  })

  it('has one epoch, however many ask for it first', async () => {
    const epochs = await Promise.all(
      Array.from({ length: 4 }, () => readOrCreateEpoch(subject.store(), randomUUID)),
    )
    assert.equal(new Set(epochs.map(({ epoch, revision }) => `${epoch} ${revision}`)).size, 1)
  })
}

function repeating(subject: Subject): void {
  it('answers a repeated notification with the first receipt: queued, in flight, stored, and after a restart', async () => {
    const space = subject.space()
    const once = item(space, 'x')
    const publisher = open(subject.store())
    const [first, twin] = await publisher.publish([once, once])
    const [again] = await publisher.publish([once])
    await publisher.close()
    const [restarted] = await open(subject.store()).publish([once])
    assert.equal(receiptOf(first).replayed, false)
    for (const result of [twin, again, restarted]) {
      assert.deepEqual(receiptOf(result), { ...receiptOf(first), replayed: true })
    }
    assert.equal(checkHistory(await history(subject.store(), space)).length, 1)
  })

  it('stores the same id with other content, unless ids are strict', async () => {
    const space = subject.space()
    const a = item(space, 'x')
    const b = { ...a, value: toBytes('other') }
    const c = { ...item(space, 'y'), id: a.id }
    const lenient = open(subject.store())
    const results = await lenient.publish([a, b, c, a])
    assert.deepEqual(
      results.map((result) => receiptOf(result).replayed),
      [false, false, false, false],
    )
    const strict = open(subject.store(), { strictIds: true })
    const d = item(space, 'z')
    const codes = (await strict.publish([d, { ...d, value: toBytes('other') }, b, d])).map(codeOf)
    assert.deepEqual(codes, ['ok', 'ERR_ID_REUSED', 'ERR_ID_REUSED', 'ok'])
  })
}

function contending(subject: Subject): void {
  it('lets several publishers share many journals', async () => {
    const spaces = Array.from({ length: 12 }, () => subject.space())
    const publishers = [open(subject.store()), open(subject.store())]
    const results = await Promise.all(
      publishers.flatMap((publisher, number) =>
        Array.from({ length: 10 }, (_, index) =>
          publisher.publish(spaces.map((space) => item(space, `${number}-${index}`))),
        ),
      ),
    )
    for (const result of results.flat()) receiptOf(result)
    for (const space of spaces) {
      assert.equal(checkHistory(await history(subject.store(), space)).length, 20)
    }
    await Promise.all(publishers.map((publisher) => publisher.close()))
  })

  it('lets several publishers share one journal', async () => {
    const space = subject.space()
    const publishers = [open(subject.store()), open(subject.store()), open(subject.store())]
    const shared = Array.from({ length: 20 }, (_, index) => item(space, `shared${index}`))
    const results = await Promise.all(
      publishers.flatMap((publisher, number) => [
        ...Array.from({ length: 30 }, (_, index) =>
          publisher.publish([item(space, `${number}-${index}`, { base: `b${index % 3}` })]),
        ),
        publisher.publish(shared),
      ]),
    )
    for (const result of results.flat()) receiptOf(result)
    const notifications = checkHistory(await history(subject.store(), space))
    assert.equal(notifications.length, 3 * 30 + 20)
    await Promise.all(publishers.map((publisher) => publisher.close()))
  })
}

function surviving(subject: Subject): void {
  for (const { seed, types } of RUNS) {
    it(`stores what it acknowledged exactly once under ghost writes (${types} event types, seed ${seed})`, async () => {
      const spaces = Array.from({ length: types }, () => subject.space())
      const outcomes = await publishThroughFaults(subject.store(), spaces, seed)
      const notifications: (ReturnType<typeof checkHistory>[number] & { readonly space: string })[] = []
      for (const space of spaces) {
        const known = checkHistory(await history(subject.store(), space))
        notifications.push(...known.map((notification) => ({ ...notification, space })))
      }
      const byId = Map.groupBy(notifications, ({ id }) => id)
      for (const [sent, results] of outcomes) {
        const stored = byId.get(sent.id) ?? []
        const receipts = results.filter((result) => result.ok).map(receiptOf)
        assert.ok(stored.length <= 1, `${sent.keys.stem} is stored ${stored.length} times`)
        assert.ok(receipts.length > 0, `${sent.keys.stem} was never acknowledged`)
        for (const { event, revision, sequence } of receipts) {
          assert.deepEqual(
            { event, revision, sequence },
            {
              event: stored[0]?.space,
              revision: stored[0]?.revision,
              sequence: BigInt(stored[0]?.seq ?? 0),
            },
          )
        }
        assert.ok(
          receipts.filter(({ replayed }) => !replayed).length <= 1,
          'at most one receipt is the first',
        )
        const isKnown = results.every((result) => codeOf(result) !== 'ERR_OUTCOME_UNKNOWN')
        if (isKnown)
          assert.ok(
            receipts.some(({ replayed }) => !replayed),
            `${sent.keys.stem} was said not to be stored`,
          )
        assert.equal(stored[0]?.value, toText(sent.value))
      }
    })
  }
}

/**
 * Two publishers over haunted stores; every item is sent until it is acknowledged: three times to either of them, at last without faults.
 *
 * @param spaces The event types, each in a keyspace of its own.
 */
async function publishThroughFaults(
  store: Store,
  spaces: readonly string[],
  seed: number,
): Promise<Map<PublishItem, PublishResult[]>> {
  const random = createRandom(seed)
  const clock = createScaledClock(50)
  const stores = [createGhostStore(store, random, ALL_FAULTS), createGhostStore(store, random, ALL_FAULTS)]
  // Every other run has deadlines that faults reach, so that outcomes stay unknown and ids are sent again.
  const limits = seed % 2 === 0 ? {} : { deadlineMs: 200, attemptMs: 100 }
  const publishers = stores.map((haunted) => open(haunted, { clock, limits }))
  const outcomes = new Map<PublishItem, PublishResult[]>()
  const send = async (index: number): Promise<void> => {
    const space = spaces[index % spaces.length] ?? ''
    const sent = item(space, `n${index % 40}`, { base: `b${index % 3}`, value: toBytes(`v${index}`) })
    const results: PublishResult[] = []
    outcomes.set(sent, results)
    await systemClock.sleep(random() * 100)
    for (let tries = 0; tries < 3 && !results.some(({ ok }) => ok); tries++) {
      const publisher = publishers[Math.floor(random() * publishers.length)]
      if (publisher !== undefined) results.push(...(await publisher.publish([sent])))
    }
  }
  await Promise.all(Array.from({ length: 120 }, (_, index) => send(index)))
  await Promise.all(publishers.map((publisher) => publisher.close()))
  for (const haunted of stores) await haunted.flush()
  // Whatever was answered, sending the same id again settles it.
  const healthy = open(store)
  for (const [sent, results] of outcomes) {
    if (!results.some(({ ok }) => ok)) results.push(...(await healthy.publish([sent])))
  }
  await healthy.close()
  return outcomes
}
