import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { toReadableStream, type ByteSink, type ByteSource } from '#shared/bytes/byte_source.ts'
import { prefixRange, toText } from '#shared/bytes/bytes.ts'
import { createMemoryStore } from '../../../support/memory_store.ts'
import { systemClock } from '#shared/time/clock.ts'
import type { Hub, StartPosition } from '#shared/hub/hub.ts'
import {
  closeHubs,
  createPublisher,
  createSpace,
  createTestFormat,
  notificationsOf,
  openHub,
} from '../../../contract/hub_support.ts'
import { eventually } from '../../../support/waiting.ts'

const store = createMemoryStore({ clock: systemClock })
after(async () => {
  await closeHubs()
  await store.close()
})
const space = createSpace()

/** A sink that asks for more as soon as it is given something, as a socket does that takes everything. */
function eagerSink(source: ByteSource): ByteSink & { text: string; isClosed: boolean; isTaking: boolean } {
  const sink = {
    text: '',
    isClosed: false,
    isTaking: true,
    enqueue: (bytes: Uint8Array) => {
      sink.text += toText(bytes)
      if (sink.isTaking) source.pull()
    },
    close: () => {
      sink.isClosed = true
    },
    error: () => assert.fail('the stream was broken off'),
  }
  return sink
}

function subscribe(hub: Hub, from: StartPosition) {
  return hub.subscribe({ selection: notificationsOf('a'), from, format: createTestFormat(space) })
}

const namesIn = (text: string): (string | undefined)[] =>
  [...text.matchAll(/"(?:name|kind)":"(\w+)"/g)].map(([, name]) => name).filter((name) => name !== 'item')

describe('openStream()', () => {
  it('writes what comes: the first frame, history, live, the last frame', async () => {
    const publisher = createPublisher(store, space)
    const revision = await publisher.publish('a', 'one', 'two')
    const hub = await openHub(store, space)
    const subscription = await subscribe(hub, { kind: 'revision', revision })
    const { body } = subscription
    const other = await subscribe(hub, { kind: 'live' })
    const sink = eagerSink(body)
    body.open(sink)
    await publisher.publish('a', 'three', 'four')
    await publisher.publish('a', 'five')
    await eventually('everything arrives', () => sink.text.includes('five'))
    subscription.end('max_age')
    // Whoever asks after the end is not served.
    body.pull()
    await publisher.publish('a', 'late')
    await eventually('it has come', () => hub.status().revision >= (publisher.items.at(-1)?.revision ?? 0n))
    assert.deepEqual(namesIn(sink.text), [
      'opening',
      'one',
      'two',
      'caughtUp',
      'three',
      'four',
      'five',
      'closing',
    ])
    assert.ok(sink.isClosed)
    other.end('max_age')
    assert.equal(hub.status().subscribers, 0)
    await hub.close()
  })

  it('keeps what was written before it is opened, and takes a cancellation', async () => {
    const hub = await openHub(store, space)
    const ended = await subscribe(hub, { kind: 'live' })
    ended.end('max_age')
    const sink = eagerSink(ended.body)
    ended.body.open(sink)
    assert.deepEqual(namesIn(sink.text), ['opening', 'closing'])
    assert.ok(sink.isClosed)
    const left = await subscribe(hub, { kind: 'live' })
    left.body.open(eagerSink(left.body))
    left.body.cancel()
    const unopened = await subscribe(hub, { kind: 'live' })
    unopened.body.cancel()
    assert.equal(hub.status().subscribers, 0)
    await hub.close()
  })

  it('breaks off the streams of a format that throws, and no others', async () => {
    const hub = await openHub(store, space)
    const publisher = createPublisher(store, space)
    const throwing = {
      ...createTestFormat(space, 'throwing'),
      notification: () => {
        throw new TypeError('a defect')
      },
    }
    const request = { selection: notificationsOf('a'), from: { kind: 'live' } as const }
    const broken = toReadableStream((await hub.subscribe({ ...request, format: throwing })).body).getReader()
    await broken.read()
    const failing = broken.read()
    const { body } = await subscribe(hub, { kind: 'live' })
    const sink = eagerSink(body)
    body.open(sink)
    await publisher.publish('a', 'six')
    await assert.rejects(failing, { message: 'a defect' })
    await eventually('it arrives', () => sink.text.includes('six'))
    assert.equal(hub.status().subscribers, 1)
    await hub.close()
  })

  it('writes to hubs that stand on this one before it writes to listeners', async () => {
    const hub = await openHub(store, space)
    const publisher = createPublisher(store, space)
    const from = { kind: 'live' } as const
    const everything = prefixRange(space.root)
    const relay = { kind: 'ranges', ranges: [everything], relayed: [everything] } as const
    const written: string[] = []
    for (const [name, selection] of [
      ['a listener', notificationsOf('a')],
      ['a relay', relay],
    ] as const) {
      const { body } = await hub.subscribe({ selection, from, format: createTestFormat(space) })
      const sink = eagerSink(body)
      const enqueue = (bytes: Uint8Array): void => {
        if (toText(bytes).includes('seven')) written.push(name)
        sink.enqueue(bytes)
      }
      body.open({ ...sink, enqueue })
    }
    await publisher.publish('a', 'seven')
    await eventually('both have it', () => written.length === 2)
    assert.deepEqual(written, ['a relay', 'a listener'])
    await hub.close()
  })
})
