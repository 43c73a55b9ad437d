import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { cacheKey, createVerdictCache, type Loaded } from '#shared/access/identity/verdict_cache.ts'
import { createManualClock } from '../../../../support/clock.ts'
import { deferred } from './support.ts'

interface Answer {
  readonly name: string
}

const yes = (name: string, keepMs = 30_000): Loaded<Answer> => ({ value: { name }, isYes: true, keepMs })
const no = (name: string): Loaded<Answer> => ({ value: { name }, isYes: false, keepMs: 5000 })

describe('cacheKey()', () => {
  it('gives two lists one key only if they are the same', () => {
    // All lists of up to three parts of up to two letters, among them every pair that shares its concatenation.
    const letters = ['', ':', '1', 'a']
    const parts = letters.flatMap((one) => letters.map((two) => one + two))
    const lists = [
      [],
      ...parts.flatMap((one) => [
        [one],
        ...parts.flatMap((two) => [[one, two], ...parts.map((three) => [one, two, three])]),
      ]),
    ]
    const byKey = new Map<string, string>()
    for (const list of lists) {
      const text = JSON.stringify(list)
      const key = cacheKey(list)
      assert.equal(byKey.get(key) ?? text, text)
      byKey.set(key, text)
    }
    assert.ok(byKey.size > 1000)
  })
})

describe('createVerdictCache()', () => {
  it('loads once and answers at once after that, until the verdict ends', async () => {
    const clock = createManualClock()
    const cache = createVerdictCache<Answer>({ clock })
    let loads = 0
    const load = (): Promise<Loaded<Answer>> => Promise.resolve(yes(`load ${++loads}`))
    assert.deepEqual(await cache.get('k', load), { name: 'load 1' })
    await clock.advance(29_999)
    const remembered = cache.get('k', load)
    assert.ok(!(remembered instanceof Promise))
    assert.deepEqual(remembered, { name: 'load 1' })
    await clock.advance(1)
    assert.deepEqual(await cache.get('k', load), { name: 'load 2' })
  })

  it('asks once for all who wait, and for each key on its own', async () => {
    const cache = createVerdictCache<Answer>({ clock: createManualClock() })
    const pending = deferred<Loaded<Answer>>()
    let loads = 0
    const load = (): Promise<Loaded<Answer>> => {
      loads++
      return pending.promise
    }
    const waiting = Array.from({ length: 50 }, () => Promise.resolve(cache.get('a', load)))
    const other = Promise.resolve(cache.get('b', () => Promise.resolve(yes('b'))))
    assert.deepEqual(await other, { name: 'b' })
    pending.resolve(yes('a'))
    const answers = await Promise.all(waiting)
    assert.equal(loads, 1)
    assert.ok(answers.every((answer) => answer === answers[0]))
  })

  it('forgets a failure, also one that is thrown at once', async () => {
    const cache = createVerdictCache<Answer>({ clock: createManualClock() })
    const fail = (): Promise<Loaded<Answer>> => Promise.reject(new Error('down'))
    const failNow = (): Promise<Loaded<Answer>> => {
      throw new Error('down now')
    }
    await assert.rejects(Promise.resolve(cache.get('k', fail)), /down/)
    await assert.rejects(Promise.resolve(cache.get('k', failNow)), /down now/)
    assert.deepEqual(await cache.get('k', () => Promise.resolve(yes('up'))), { name: 'up' })
    assert.equal(cache.size, 1)
  })

  it('keeps no verdict that may not be kept', async () => {
    const cache = createVerdictCache<Answer>({ clock: createManualClock() })
    await cache.get('k', () => Promise.resolve(yes('a', 0)))
    assert.equal(cache.size, 0)
    assert.deepEqual(await cache.get('k', () => Promise.resolve(yes('b'))), { name: 'b' })
  })

  it('counts the age from the question: what was revoked while it was answered is asked again', async () => {
    const clock = createManualClock()
    const cache = createVerdictCache<Answer>({ clock })
    const pending = deferred<Loaded<Answer>>()
    const first = cache.get('k', () => pending.promise)
    await clock.advance(2000)
    pending.resolve(yes('slow'))
    await first
    await clock.advance(28_000)
    assert.deepEqual(await cache.get('k', () => Promise.resolve(yes('new'))), { name: 'new' })
  })

  it('asks again for a verdict that is older than the caller takes, and keeps the old one while that fails', async () => {
    const clock = createManualClock()
    const cache = createVerdictCache<Answer>({ clock })
    await cache.get('k', () => Promise.resolve(yes('old')))
    await clock.advance(6000)
    await assert.rejects(
      Promise.resolve(cache.get('k', () => Promise.reject(new Error('down')), 5000)),
      /down/,
    )
    assert.deepEqual(cache.peek('k'), { name: 'old' })
    assert.deepEqual(await cache.get('k', () => Promise.resolve(yes('new')), 5000), { name: 'new' })
    assert.deepEqual(cache.peek('k', 0), { name: 'new' })
  })

  it('replaces a yes by a no', async () => {
    const clock = createManualClock()
    const cache = createVerdictCache<Answer>({ clock })
    await cache.get('k', () => Promise.resolve(yes('in')))
    await clock.advance(6000)
    await cache.get('k', () => Promise.resolve(no('out')), 5000)
    assert.deepEqual(cache.peek('k'), { name: 'out' })
    await clock.advance(5000)
    assert.equal(cache.peek('k'), undefined)
  })

  it('drops what was longest unused, and no yes for any number of noes', async () => {
    const cache = createVerdictCache<Answer>({
      clock: createManualClock(),
      limits: { yesEntries: 2, noEntries: 3 },
    })
    await cache.get('a', () => Promise.resolve(yes('a')))
    await cache.get('b', () => Promise.resolve(yes('b')))
    cache.peek('a')
    await cache.get('c', () => Promise.resolve(yes('c')))
    for (let wrong = 0; wrong < 100; wrong++)
      await cache.get(`wrong ${wrong}`, () => Promise.resolve(no('no')))
    assert.deepEqual(cache.peek('a'), { name: 'a' })
    assert.equal(cache.peek('b'), undefined)
    assert.deepEqual(cache.peek('c'), { name: 'c' })
    assert.equal(cache.size, 5)
  })

  for (const jumpMs of [-3_600_000, 3_600_000]) {
    it(`keeps a verdict for its time where the date jumps by ${jumpMs} ms`, async () => {
      const clock = createManualClock()
      const cache = createVerdictCache<Answer>({ clock })
      await cache.get('k', () => Promise.resolve(yes('old')))
      clock.jump(jumpMs)
      await clock.advance(29_999)
      assert.deepEqual(cache.peek('k'), { name: 'old' })
      assert.equal(cache.peek('k', 29_998), undefined)
      await clock.advance(1)
      assert.equal(cache.peek('k'), undefined)
    })
  }

  it('ends a verdict at its date', async () => {
    const clock = createManualClock()
    const cache = createVerdictCache<Answer>({ clock })
    await cache.get('k', () => Promise.resolve({ ...yes('old'), endsAt: clock.now() + 10_000 }))
    clock.jump(9_999)
    assert.deepEqual(cache.peek('k'), { name: 'old' })
    clock.jump(1)
    assert.equal(cache.peek('k'), undefined)
  })

  it('keeps nothing that was asked before it was cleared', async () => {
    const cache = createVerdictCache<Answer>({ clock: createManualClock() })
    const pending = deferred<Loaded<Answer>>()
    const before = Promise.resolve(cache.get('k', () => pending.promise))
    cache.clear()
    const after = Promise.resolve(cache.get('k', () => Promise.resolve(yes('after'))))
    pending.resolve(yes('before'))
    assert.deepEqual(await before, { name: 'before' })
    assert.deepEqual(await after, { name: 'after' })
    assert.deepEqual(cache.peek('k'), { name: 'after' })
  })
})
