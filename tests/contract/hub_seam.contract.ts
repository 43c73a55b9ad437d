/**
 * Hub contract: everything at once, drawn from a seed. Publishers write while listeners come, stall, leave and come back to one of two
 * hubs, and the store's watches break; what each chain of streams has delivered must be exactly what was stored.
 *
 * @module
 */

import { describe, it } from 'node:test'
import type { Hub, StreamPosition } from '#shared/hub/hub.ts'
import { createRandom } from '../support/dice.ts'
import { createFlakyStore } from './hub_flaky_store.ts'
import {
  assertItems,
  createPublisher,
  createSpace,
  createTestFormat,
  isBehind,
  listen,
  notificationsOf,
  openHub,
  startAfter,
  type HubSubject,
  type Item,
  type Listener,
  type Space,
} from './hub_support.ts'
import { eventually } from '../support/waiting.ts'

const SEEDS = [1, 2, 3, 4, 5, 6]
const CHAINS = 12
const ROUNDS = 150

/** A listener over all its streams. */
interface Chain {
  readonly event: string
  /** Where it began. */
  start: StreamPosition | undefined
  readonly received: Item[]
  stream: Listener | undefined
  /** Frames of the stream that have been looked at. */
  seen: number
  reached: StreamPosition | undefined
}

export function seamContract(subject: HubSubject): void {
  describe('chains of streams under disturbances', () => {
    for (const seed of SEEDS) {
      it(`deliver exactly what is stored, seed ${seed}`, async () => {
        const random = createRandom(seed)
        const space = createSpace()
        const store = createFlakyStore(await subject.open(), random)
        const publisher = createPublisher(store, space, (text) =>
          text.padEnd(Math.floor(random() * 3_000), '.'),
        )
        await publisher.publish('a', 'first')
        await publisher.publish('b', 'first')
        const limits = { ringBytes: seed % 2 === 0 ? 20_000 : 200_000 }
        const hubs = await Promise.all([openHub(store, space, { limits }), openHub(store, space, { limits })])
        const chains = Array.from({ length: CHAINS }, (_, index): Chain => ({
          event: index % 3 === 0 ? 'b' : 'a',
          start: undefined,
          received: [],
          stream: undefined,
          seen: 0,
          reached: undefined,
        }))
        store.breakage = 0.01
        for (let round = 0; round < ROUNDS; round++) {
          const count = 1 + Math.floor(random() * 20)
          const names = Array.from({ length: count }, (_, index) => `n${index}`)
          await publisher.publish(random() < 0.7 ? 'a' : 'b', ...names)
          const chain = chains[Math.floor(random() * CHAINS)]
          const hub = hubs[random() < 0.5 ? 0 : 1]
          if (chain !== undefined && hub !== undefined)
            await act(chain, { hub, space, random, items: publisher.items })
        }
        store.breakage = 0
        for (const chain of chains)
          await finish(chain, { hub: hubs[0], space, random, items: publisher.items })
        for (const chain of chains) {
          const { event, start = { revision: 0n }, received } = chain
          assertItems(received, publisher.after(event, start))
        }
        await Promise.all(hubs.map((hub) => hub.close()))
        // A reader of history is told to stop, and not waited for.
        await eventually('the watches to end', () => store.open === 0)
      })
    }
  })
}

interface Scene {
  readonly hub: Hub
  readonly space: Space
  readonly random: () => number
  readonly items: readonly Item[]
}

async function act(chain: Chain, scene: Scene): Promise<void> {
  const { random } = scene
  if (chain.stream === undefined) return connect(chain, scene)
  for (let reads = Math.floor(random() * 3); reads > 0; reads--) {
    // A chunk may be a long time coming, where nothing is due.
    if (isDue(chain, scene.items)) await readOnce(chain)
  }
  if (random() < 0.3) await leave(chain)
}

async function connect(chain: Chain, { hub, space, random, items }: Scene): Promise<void> {
  chain.start ??= items[Math.floor(random() * items.length)] ?? { revision: 0n }
  chain.reached ??= chain.start
  const request = {
    selection: notificationsOf(chain.event),
    from: startAfter(chain.reached),
    format: createTestFormat(space),
  }
  chain.stream = await listen(hub, request, random() < 0.5)
  chain.seen = 0
}

async function readOnce(chain: Chain): Promise<boolean> {
  const { stream } = chain
  if (stream === undefined) return false
  const more = await stream.read()
  for (const frame of stream.frames.slice(chain.seen)) {
    if (frame.kind === 'item') {
      const { revision, index, event, name, value } = frame
      chain.received.push({ revision, index, event, name, value })
      chain.reached = { revision, index }
    } else if (frame.kind !== 'opening' && frame.kind !== 'revision') chain.reached = frame.position
  }
  chain.seen = stream.frames.length
  if (!more) chain.stream = undefined
  return more
}

function isDue({ event, reached, stream }: Chain, items: readonly Item[]): boolean {
  if (stream === undefined || reached === undefined) return false
  return items.some((item) => item.event === event && isBehind(item, reached))
}

/** Leaves as a client does that breaks off, or as one that is told to. */
async function leave(chain: Chain): Promise<void> {
  const { stream } = chain
  if (stream === undefined) return
  if (chain.received.length % 2 === 0) await stream.cancel()
  else {
    stream.subscription.end('max_age')
    while (await readOnce(chain));
  }
  chain.stream = undefined
}

async function finish(chain: Chain, scene: Scene): Promise<void> {
  if (chain.stream === undefined) await connect(chain, scene)
  while (isDue(chain, scene.items)) await readOnce(chain)
  await chain.stream?.cancel()
}
