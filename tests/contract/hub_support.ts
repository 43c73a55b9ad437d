/**
 * What the parts of the hub contract share: a format that tests can read, listeners, publishers, and what must have been delivered.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { FieldCondition, NotificationFilter } from '#shared/notification/notification.ts'
import { toReadableStream, type ByteSink, type ByteSource } from '#shared/bytes/byte_source.ts'
import { prefixEnd, toBytes, toText } from '#shared/bytes/bytes.ts'
import { createLineSplitter } from '#shared/bytes/lines.ts'
import { MAX_TXN_OPERATIONS, type Revision, type Store, type StoreOperation } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import type { KeyDecoder } from '#shared/hub/source/decode.ts'
import type {
  CloseReason,
  Hub,
  Selection,
  StartPosition,
  StreamFormat,
  StreamPosition,
  SubscribeRequest,
  Subscription,
} from '#shared/hub/hub.ts'
import { createHub, type HubParts } from '#shared/hub/shared_hub.ts'
import * as v from 'valibot'
import { authVars, toHubLimits } from '#services/auth/settings.ts'
import type { HubLimits } from '#shared/hub/limits.ts'
import { within } from '../support/waiting.ts'

/** The store under test, as the parts of the suite see it. */
export interface HubSubject {
  /** A store for one test, closed by the suite. */
  open(): Promise<Store>
}

/** Keys of one test: `/h<uuid>/<event>/<name>`, and the decoder that reads them. */
export interface Space {
  readonly root: string
  readonly schemas: KeyDecoder
  key(event: string, name: string): string
}

export function createSpace(): Space {
  const root = `/h${randomUUID()}/`
  return {
    root,
    key: (event, name) => `${root}${event}/${name}`,
    schemas: {
      decodeKey: (key) => {
        const [event, name, ...rest] = key.startsWith(root) ? key.slice(root.length).split('/') : []
        if (event === undefined || name === undefined || name === '' || rest.length > 0) return undefined
        return { event, request: { name, parity: String(name.length % 2) } }
      },
    },
  }
}

const MAX_LINE_BYTES = 64 * 1024 * 1024

const opened = new Set<Hub>()

/** Closes what tests have opened and, having failed, left open: its timers would keep the process. */
export async function closeHubs(): Promise<void> {
  await Promise.all([...opened].map((hub) => hub.close()))
  opened.clear()
}

/** What differs from the usual hub of tests. */
export type OpenHubOptions = Partial<Omit<HubParts, 'limits'>> & { readonly limits?: Partial<HubLimits> }

/** A hub over a store, for one space. A suite that uses it ends with {@link closeHubs}. */
export async function openHub(store: Store, space: Space, more: OpenHubOptions = {}): Promise<Hub> {
  const hub = await createHub({
    store,
    schemas: space.schemas,
    roots: [space.root],
    clock: systemClock,
    random: randomUUID,
    logger: silentLogger,
    ...more,
    limits: { ...toHubLimits(v.getDefaults(authVars)), ...more.limits },
  })
  opened.add(hub)
  return hub
}

/** One notification as the tests know it. */
export interface Item {
  readonly revision: Revision
  readonly index: number
  readonly event: string
  readonly name: string
  readonly value: string
}

/** Writes notifications, and remembers them in the order of the store. */
export interface Publisher {
  readonly items: readonly Item[]
  /** Writes notifications of one event type in one revision. */
  publish(event: string, ...names: readonly string[]): Promise<Revision>
  /** Those of an event type from a position on. */
  after(event: string, start: StreamPosition): Item[]
}

export function createPublisher(store: Store, space: Space, valueOf = (text: string) => text): Publisher {
  const items: Item[] = []
  let count = 0
  return {
    items,
    publish: async (event, ...names) => {
      const values = names.map(() => valueOf(String(++count)))
      const operations = names.map((name, index): StoreOperation => ({
        kind: 'put',
        key: toBytes(space.key(event, name)),
        value: toBytes(values[index] ?? ''),
      }))
      assert.ok(operations.length <= MAX_TXN_OPERATIONS)
      const { revision } = await store.txn({ compare: [], success: operations })
      for (const [index, name] of names.entries())
        items.push({ revision, index, event, name, value: values[index] ?? '' })
      return revision
    },
    after: (event, start) => items.filter((item) => item.event === event && isBehind(item, start)),
  }
}

/** Asserts that what was delivered is what was stored; says where it first is not. */
export function assertItems(actual: readonly Item[] | undefined, expected: readonly Item[]): void {
  const show = (item: Item | undefined): string =>
    item === undefined
      ? 'nothing'
      : `${item.revision}.${item.index} ${item.event}/${item.name} ${item.value.replaceAll('.', '')}`
  for (let place = 0; place < Math.max(actual?.length ?? 0, expected.length); place++) {
    const [got, due] = [show(actual?.[place]), show(expected[place])]
    assert.equal(got, due, `item ${place} of ${expected.length} (${actual?.length ?? 0} delivered)`)
  }
}

/** Whether an item lies behind a position. */
export function isBehind({ revision, index }: Item, start: StreamPosition): boolean {
  return revision > start.revision || (revision === start.revision && index > (start.index ?? Infinity))
}

/** What a listener has read. */
export type Frame =
  | { readonly kind: 'opening'; readonly head: Revision }
  | (Item & { readonly kind: 'item'; readonly phase: string })
  | { readonly kind: 'revision'; readonly revision: Revision; readonly keys: readonly string[] }
  | { readonly kind: 'caughtUp' | 'heartbeat'; readonly position: StreamPosition }
  | {
      readonly kind: 'closing'
      readonly reason: CloseReason
      readonly position: StreamPosition
      readonly oldest: Revision | undefined
    }

/** A format of JSON lines. */
export interface TestFormat extends StreamFormat {
  /** Frames made of notifications and revisions. */
  encoded: number
}

/** A format of one stream, as the service makes them, which counts its frames in `format`. */
export function sharing(format: TestFormat, space: Space): StreamFormat {
  const { name, notification, revision } = format
  return {
    ...createTestFormat(space, name),
    ...(notification !== undefined && { notification }),
    ...(revision !== undefined && { revision }),
  }
}

export function createTestFormat(space: Space, name = 'test'): TestFormat {
  const line = (frame: unknown): Uint8Array =>
    toBytes(`${JSON.stringify(frame, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))}\n`)
  const format: TestFormat = {
    name,
    encoded: 0,
    opening: (head: Revision) => line({ kind: 'opening', head }),
    notification: ({ revision, index, event, request, value }, phase) => {
      format.encoded++
      const item = { revision, index, event, name: request['name'], value: toText(value) }
      return line({ kind: 'item', phase, ...item })
    },
    revision: (revision, events) => {
      format.encoded++
      const keys = events.map(({ kind, kv }) => (kind === 'put' ? '+' : '-') + toText(kv.key))
      return line({ kind: 'revision', revision, keys: keys.map((key) => key.replace(space.root, '')) })
    },
    caughtUp: (position) => line({ kind: 'caughtUp', position }),
    heartbeat: (position) => line({ kind: 'heartbeat', position }),
    closing: (closing) => line({ kind: 'closing', ...closing }),
  }
  return format
}

function parseFrame(text: string): Frame {
  return JSON.parse(text, (_, value: unknown) =>
    typeof value === 'string' && /^\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value,
  ) as Frame
}

/** A stream under test. It reads only when the test asks. */
export interface Listener {
  readonly subscription: Subscription
  /** Everything read so far. */
  readonly frames: readonly Frame[]
  /** Notifications among them. */
  items(): Item[]
  /** Reads one chunk. @returns False at the end. */
  read(): Promise<boolean>
  /** Reads until a frame of what has been read, or is read, fits. */
  until(what: string, fits: (frame: Frame) => boolean): Promise<Frame>
  /** Reads until there are so many notifications. */
  untilItems(count: number): Promise<Item[]>
  /** Reads to the end. @returns The last frame. */
  rest(): Promise<Frame | undefined>
  /** Keeps reading on its own. */
  flow(): Promise<void>
  cancel(): Promise<void>
}

/** What is read from. */
interface PieceReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>
  cancel(): Promise<void>
}

/** Pieces that a socket takes before it is full. */
const SOCKET_PIECES = 3

/** Reads as a runtime's socket does: it asks for more while it is given something, until it is full. */
function socketReader(source: ByteSource): PieceReader {
  const pieces: Uint8Array[] = []
  let hasEnded = false
  let isDry = false
  let wake = (): void => undefined
  const sink: ByteSink = {
    enqueue: (bytes) => {
      pieces.push(bytes)
      if (pieces.length < SOCKET_PIECES) source.pull()
      else isDry = true
      wake()
    },
    close: () => {
      hasEnded = true
      wake()
    },
    error: (reason) => assert.fail(`the stream was broken off: ${String(reason)}`),
  }
  source.open(sink)
  if (pieces.length === 0) source.pull()
  return {
    read: async () => {
      while (pieces.length === 0 && !hasEnded) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      const value = pieces.shift()
      if (value !== undefined && isDry) {
        isDry = false
        source.pull()
      }
      return { done: value === undefined, value }
    },
    cancel: async () => source.cancel(),
  }
}

/** Subscribes. @param isDirect Whether it reads without a web stream, as a socket that asks for some pieces ahead. */
export async function listen(hub: Hub, request: SubscribeRequest, isDirect = false): Promise<Listener> {
  const subscription = await within('a subscription', hub.subscribe(request))
  const reader: PieceReader = isDirect
    ? socketReader(subscription.body)
    : toReadableStream(subscription.body).getReader()
  const frames: Frame[] = []
  const lines = createLineSplitter({ maxBytes: MAX_LINE_BYTES })
  const take = (piece: Uint8Array): void => {
    for (const line of lines.add(piece)) frames.push(parseFrame(toText(line)))
  }
  const read = async (): Promise<boolean> => {
    const { value } = await within('a chunk', reader.read())
    if (value === undefined) return false
    take(value)
    return true
  }
  const items = (): Item[] =>
    frames.flatMap((frame) => {
      if (frame.kind !== 'item') return []
      const { revision, index, event, name, value } = frame
      return [{ revision, index, event, name, value }]
    })
  /** An end that is not expected is explained by its reason. */
  const ended = (): string => {
    const last = frames.at(-1)
    return `the stream ended (${last?.kind === 'closing' ? last.reason : 'without a reason'})`
  }
  const listener: Listener = {
    subscription,
    frames,
    items,
    read,
    until: async (what, fits) => {
      for (let seen = 0; ; seen++) {
        while (seen >= frames.length) assert.ok(await read(), `${ended()} before: ${what}`)
        const frame = frames[seen]
        if (frame !== undefined && fits(frame)) return frame
      }
    },
    untilItems: async (count) => {
      while (items().length < count)
        assert.ok(await read(), `${ended()} with ${items().length} of ${count} items`)
      return items()
    },
    rest: async () => {
      while (await read());
      return frames.at(-1)
    },
    flow: async () => {
      for (;;) {
        const { value } = await reader.read()
        if (value === undefined) return
        take(value)
      }
    },
    cancel: () => reader.cancel(),
  }
  return listener
}

/** All notifications of an event type, or those whose fields fit. */
export function notificationsOf(
  event: string,
  conditions: Readonly<Record<string, FieldCondition>> = {},
): Selection {
  const filter: NotificationFilter = { event, conditions: new Map(Object.entries(conditions)) }
  return { kind: 'notifications', filter }
}

export function oneOf(...values: readonly string[]): FieldCondition {
  return { kind: 'in', values: new Set(values) }
}

/** Store keys under a prefix of the space. */
export function rangesOf(space: Space, ...prefixes: readonly string[]): Selection {
  const ranges = prefixes.map((prefix) => {
    const key = toBytes(space.root + prefix)
    return { key, end: prefixEnd(key) }
  })
  return { kind: 'ranges', ranges }
}

/** The start right behind a position. */
export function startAfter({ revision, index }: StreamPosition): StartPosition {
  if (index === undefined) return { kind: 'revision', revision: revision + 1n }
  return { kind: 'revision', revision, afterIndex: index }
}

/** The position of a closing frame, with its reason checked. */
export function closedAt(frame: Frame | undefined, reason: CloseReason): StreamPosition {
  assert.ok(frame?.kind === 'closing', `expected the last frame, got ${frame?.kind}`)
  assert.equal(frame.reason, reason)
  return frame.position
}

/** The position before everything. */
export const BEGINNING: StreamPosition = { revision: 0n }

/** A ring that holds next to nothing, so that everything else is history. */
export const TINY_RING = { ringBytes: 1 }

/** Fills the store with some revisions of three notifications, and others between them. */
export async function fill(publisher: Publisher, revisions: number): Promise<void> {
  for (let count = 0; count < revisions; count++) {
    await publisher.publish('a', 'x', `n${count}`, 'y')
    if (count % 7 === 0) await publisher.publish('b', `n${count}`)
  }
}

/** The first revision of a test's own. */
export function firstOf({ items }: Publisher): bigint {
  return items[0]?.revision ?? 1n
}
