/**
 * Hub contract: live streams.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toReadableStream } from '#shared/bytes/byte_source.ts'
import { END_OF_KEYS, toBytes } from '#shared/bytes/bytes.ts'
import { CHUNK_BYTES } from '#shared/hub/source/limits.ts'
import {
  assertItems,
  createPublisher,
  createSpace,
  createTestFormat,
  listen,
  notificationsOf,
  oneOf,
  openHub,
  rangesOf,
  sharing,
  type HubSubject,
} from './hub_support.ts'
import { deleteOperation, putOperation } from './store_support.ts'
import { eventually } from '../support/waiting.ts'

const LIVE = { kind: 'live' } as const

export function liveContract(subject: HubSubject): void {
  describe('subscribe() live', () => {
    it('delivers what is stored from now on to those it concerns', async () => {
      const [store, space] = [await subject.open(), createSpace()]
      const publisher = createPublisher(store, space)
      await publisher.publish('a', 'before')
      const hub = await openHub(store, space)
      const format = createTestFormat(space)
      const all = await listen(hub, { selection: notificationsOf('a'), from: LIVE, format })
      const some = await listen(hub, {
        selection: notificationsOf('a', {
          name: oneOf('yes', 'odd'),
          parity: { kind: 'test', test: (value) => value === '1' },
        }),
        from: LIVE,
        format,
      })
      await publisher.publish('b', 'yes')
      await publisher.publish('a', 'yes', 'no')
      await publisher.publish('a', 'oddly', 'odd')
      assertItems(await all.untilItems(4), publisher.after('a', publisher.items[0] ?? { revision: 0n }))
      assert.deepEqual(
        (await some.untilItems(2)).map(({ name, index }) => [name, index]),
        [
          ['yes', 0],
          ['odd', 1],
        ],
      )
      assert.deepEqual([...new Set(all.frames.map(({ kind }) => kind))], ['opening', 'item'])
      assert.ok(all.frames.every((frame) => frame.kind !== 'item' || frame.phase === 'live'))
      assert.equal(hub.status().subscribers, 2)
      await hub.close()
    })

    it('delivers whole revisions of ranges, and never an internal key', async () => {
      const [store, space] = [await subject.open(), createSpace()]
      const hub = await openHub(store, space)
      const format = createTestFormat(space)
      const everything = { kind: 'ranges', ranges: [{ key: toBytes('\0'), end: END_OF_KEYS }] } as const
      const all = await listen(hub, { selection: everything, from: LIVE, format })
      const part = await listen(hub, { selection: rangesOf(space, 'a/', 'c/x'), from: LIVE, format })
      const key = (name: string): Uint8Array => toBytes(space.root + name)
      const write = async (...success: Parameters<typeof store.txn>[0]['success']): Promise<bigint> =>
        (await store.txn({ compare: [], success })).revision
      const one = await write(
        putOperation(key('a/1')),
        putOperation(toBytes(`/_aviso/test${space.root}`)),
        putOperation(key('b/1')),
        putOperation(key('c/xy')),
      )
      await write(putOperation(key('b/2')))
      const three = await write(deleteOperation({ key: key('a/1') }))
      await part.until('the deletion', (frame) => frame.kind === 'revision' && frame.revision === three)
      assert.deepEqual(part.frames.slice(1), [
        { kind: 'revision', revision: one, keys: ['+a/1', '+c/xy'] },
        { kind: 'revision', revision: three, keys: ['-a/1'] },
      ])
      await all.until('the deletion', (frame) => frame.kind === 'revision' && frame.revision === three)
      const seen = all.frames.flatMap((frame) => (frame.kind === 'revision' ? [frame.keys] : []))
      assert.deepEqual(seen, [['+a/1', '+b/1', '+c/xy'], ['+b/2'], ['-a/1']])
      await hub.close()
    })

    it('delivers of our own keys what is relayed, to who asks for that, and to nobody else', async () => {
      const [store, space] = [await subject.open(), createSpace()]
      const hub = await openHub(store, space)
      const format = createTestFormat(space)
      const everything = [{ key: toBytes('\0'), end: END_OF_KEYS }]
      const removed = toBytes(`/_aviso/removed${space.root}`)
      const hidden = toBytes(`/_aviso/waiting${space.root}`)
      const [plain, relay] = await Promise.all(
        [[], [{ key: removed }, { key: hidden }]].map((relayed) =>
          listen(hub, { selection: { kind: 'ranges', ranges: everything, relayed }, from: LIVE, format }),
        ),
      )
      const key = toBytes(space.key('a', '1'))
      const write = async (...keys: readonly Uint8Array[]): Promise<bigint> =>
        (await store.txn({ compare: [], success: keys.map((written) => putOperation(written)) })).revision
      const revisions = [await write(key, removed, hidden), await write(hidden), await write(removed)]
      const last = await write(key)
      const isLast = (frame: { readonly kind: string; readonly revision?: bigint }): boolean =>
        frame.kind === 'revision' && frame.revision === last
      await Promise.all([plain?.until('the last', isLast), relay?.until('the last', isLast)])
      const seen = (listener: typeof plain) =>
        listener?.frames.flatMap((frame) =>
          frame.kind === 'revision' ? [[frame.revision, frame.keys.length]] : [],
        )
      assert.deepEqual(seen(plain), [
        [revisions[0], 1],
        [last, 1],
      ])
      assert.deepEqual(seen(relay), [
        [revisions[0], 2],
        [revisions[2], 1],
        [last, 1],
      ])
      await hub.close()
    })

    it('encodes a notification once for all streams of a format', async () => {
      const [store, space] = [await subject.open(), createSpace()]
      const hub = await openHub(store, space)
      const [one, other] = [createTestFormat(space, 'one'), createTestFormat(space, 'other')]
      const publisher = createPublisher(store, space)
      const listeners = await Promise.all(
        Array.from({ length: 100 }, (_, index) =>
          listen(hub, {
            selection: index % 2 === 0 ? notificationsOf('a') : notificationsOf('a', { name: oneOf('n') }),
            from: LIVE,
            // A stream's own format object, as the service makes them.
            format: index % 10 === 0 ? other : sharing(one, space),
          }),
        ),
      )
      for (let count = 0; count < 5; count++) await publisher.publish('a', 'n')
      for (const listener of listeners) await listener.untilItems(5)
      assert.deepEqual([one.encoded, other.encoded], [5, 5])
      await hub.close()
    })

    it('joins what a reader has not taken yet, up to a bound', async () => {
      const [store, space] = [await subject.open(), createSpace()]
      const hub = await openHub(store, space)
      const publisher = createPublisher(store, space, (text) => text.padEnd(300, '.'))
      const format = createTestFormat(space)
      const { body } = await hub.subscribe({ selection: notificationsOf('a'), from: LIVE, format })
      const reader = toReadableStream(body).getReader()
      await reader.read()
      let last = 0n
      for (let count = 0; count < 20; count++) {
        last = await publisher.publish('a', ...Array.from({ length: 50 }, (_, index) => `n${index}`))
      }
      await eventually('the hub has seen all', () => hub.status().revision >= last)
      const sizes: number[] = []
      for (let items = 0; items < 1_000;) {
        const { value } = await reader.read()
        sizes.push(value?.length ?? 0)
        items += new TextDecoder().decode(value).split('\n').length - 1
      }
      assert.ok(Math.max(...sizes) <= CHUNK_BYTES, `largest chunk: ${Math.max(...sizes)}`)
      const bytes = sizes.reduce((sum, size) => sum + size, 0)
      assert.ok(
        sizes.length <= Math.ceil(bytes / CHUNK_BYTES) + 2,
        `${sizes.length} chunks for ${bytes} bytes`,
      )
      await hub.close()
    })

    it('writes what comes alone at once, whatever the size', async () => {
      const [store, space] = [await subject.open(), createSpace()]
      const hub = await openHub(store, space)
      const publisher = createPublisher(store, space, (text) => text.padEnd(3 * CHUNK_BYTES, '.'))
      const format = createTestFormat(space)
      const listener = await listen(hub, { selection: notificationsOf('a'), from: LIVE, format })
      await listener.read()
      await publisher.publish('a', 'large', 'larger')
      await listener.read()
      assert.equal(listener.items().length, 1)
      assertItems(await listener.untilItems(2), publisher.items)
      await hub.close()
    })
  })
}
