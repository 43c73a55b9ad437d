/**
 * One run: publishers and listeners at work while faults strike, then calm until everything has arrived, then the record of it all.
 *
 * @module
 */

import type { Dice } from '../support/dice.ts'
import type { Door } from './door.ts'
import { createFacadeProtocol } from './facade_protocol.ts'
import {
  listen,
  type Brake,
  type Habit,
  type Listener,
  type ListenerLimits,
  type ListenerOptions,
} from './listener.ts'
import { destinationPrefix, FLIGHT_PREFIX, type DrawOptions } from './notifications.ts'
import { publish, type PublisherOptions } from './publisher.ts'
import type { Compaction, Operation, Position, Run, Step, StoredRevision } from './records.ts'
import { createSseProtocol } from './sse_protocol.ts'
import { comparePositions, createStoreView } from './store_view.ts'

/** What a run is made of. */
export interface SceneOptions {
  /** Begins every id: runs on the same store must not share any. */
  readonly name: string
  readonly dice: Dice
  readonly ingests: readonly [Door, ...Door[]]
  /** Notifications per request of each publisher. */
  readonly publishers: readonly number[]
  readonly thinkMs: number
  /** Share of notifications that end after a few seconds; absent: none. The truth must then wait for their ends. */
  readonly endingShare?: number
  readonly listeners: readonly ListenerPlan[]
  readonly limits?: Partial<ListenerLimits>
  /** What happens meanwhile; publishing goes on until it resolves. */
  readonly faults: (scene: Scene) => Promise<void>
  /** Reads the truth, once nothing is written any more. */
  readonly truth: () => Promise<readonly StoredRevision[]>
  readonly compactions?: readonly Compaction[]
  readonly staleMs: number
  /** How long listeners may need to arrive once all is calm. */
  readonly settleMs: number
}

/** A listener to start. */
export interface ListenerPlan {
  readonly name: string
  readonly what: Wanted
  readonly habit?: Habit
  readonly doors: readonly [Door, ...Door[]]
  /** Its connections are disturbed by the test itself. */
  readonly isDisturbed?: boolean
  /** Starts behind this cursor instead of now. */
  readonly cursor?: string
}

type Load = Pick<PublisherOptions, 'perRequest' | 'thinkMs' | 'requests' | keyof DrawOptions>

/** What it listens to. */
export type Wanted =
  | { readonly api: 'sse'; readonly event: string; readonly field?: readonly [name: string, value: string] }
  | { readonly api: 'facade'; readonly prefix: string }

/** What faults may look at. */
export interface Scene {
  readonly operations: readonly Operation[]
  readonly listeners: readonly Listener[]
  /** Waits until so many notifications more are acknowledged. @throws {Error} When they are not within some seconds. */
  acknowledged(more: number): Promise<void>
  /** Adds a listener. */
  listen(plan: ListenerPlan): void
  /** Stops all slow listeners, publishes more than buffers hold, and lets them go on after `ms` more. */
  flood(ms: number): Promise<void>
}

/** A flood: 12 MiB, more than the kernel keeps for a connection that is not read, and than the hub's ring in these tests. */
const FLOOD = { requests: 24, perRequest: 8, valueBytes: 64 * 1024 } as const
/** A busy machine takes no more. */
const FLOOD_LIMIT_MS = 10_000

/** The record of a run. */
export interface Recorded extends Run {
  readonly silences: number
}

/** How long to wait for an acknowledgement while things are meant to work. */
const ACKNOWLEDGED_MS = 30_000
const POLL_MS = 25

/** Plays a run. */
export async function play(options: SceneOptions): Promise<Recorded> {
  const { dice } = options
  const operations: Operation[] = []
  const listeners: Listener[] = []
  const stopPublishing = new AbortController()
  const stopListening = new AbortController()
  const settle = new AbortController()
  const brake: Brake = { heldUntil: 0 }
  let floods = 0
  const start = (plan: ListenerPlan): void => {
    listeners.push(
      listen({
        ...toListener(plan),
        dice: dice.fork(plan.name),
        stop: stopListening.signal,
        settle: settle.signal,
        brake,
        ...(options.limits !== undefined && { limits: options.limits }),
      }),
    )
  }
  for (const plan of options.listeners) start(plan)
  const startPublisher = (name: string, load: Load, stop = stopPublishing.signal): Promise<void> =>
    publish({
      ...load,
      name: `${options.name}-${name}`,
      dice: dice.fork(name),
      ingests: options.ingests,
      operations,
      stop,
    })
  const publishers = options.publishers.map((perRequest, index) =>
    startPublisher(`p${index}`, {
      perRequest,
      thinkMs: options.thinkMs,
      endingShare: options.endingShare,
    }),
  )
  const scene: Scene = {
    operations,
    listeners,
    acknowledged: (more) => waitForAcknowledged(operations, more),
    listen: start,
    flood: async (ms) => {
      brake.heldUntil = Infinity
      const stop = AbortSignal.any([stopPublishing.signal, AbortSignal.timeout(FLOOD_LIMIT_MS)])
      await startPublisher(`flood${floods++}`, { ...FLOOD, thinkMs: 0 }, stop)
      brake.heldUntil = performance.now() + ms
      await new Promise((done) => setTimeout(done, ms))
    },
  }
  const record = (revisions: readonly StoredRevision[]): Recorded => ({
    operations,
    revisions,
    compactions: options.compactions ?? [],
    chains: listeners.map(({ chain }) => chain),
    staleMs: options.staleMs,
    endedAt: performance.now(),
    silences: listeners.reduce((sum, { silences }) => sum + silences(), 0),
  })
  try {
    await options.faults(scene).finally(() => stopPublishing.abort())
    await Promise.all(publishers)
    settle.abort()
    const revisions = await options.truth()
    await waitForArrival(record(revisions), options.settleMs)
    return record(revisions)
  } finally {
    stopListening.abort()
    await Promise.all([...publishers, ...listeners.map(({ done }) => done)])
  }
}

function toListener({
  name,
  what,
  habit = 'prompt',
  doors,
  isDisturbed = false,
  cursor,
}: ListenerPlan): Omit<ListenerOptions, 'dice' | 'stop' | 'settle' | 'brake'> {
  const common = { name, habit, doors, isUndisturbed: !isDisturbed, ...(cursor !== undefined && { cursor }) }
  if (what.api === 'facade') {
    const { prefix } = what
    return { ...common, selection: { kind: 'keys', prefix }, protocol: createFacadeProtocol(prefix) }
  }
  const { event, field } = what
  return {
    ...common,
    selection: {
      kind: 'notifications',
      event,
      matches: (key) => field === undefined || isWanted(key, field),
    },
    protocol: createSseProtocol(event, field === undefined ? {} : { [field[0]]: field[1] }),
  }
}

/** What the fields of these tests mean for keys, said independently of the schemas. */
function isWanted(key: string, [name, value]: readonly [string, string]): boolean {
  if (name === 'destination') return key.startsWith(destinationPrefix(value))
  if (name === 'country') return key.slice(FLIGHT_PREFIX.length).split('/')[1] === value
  throw new Error(`No test listens to the field ${name}`)
}

async function waitForAcknowledged(operations: readonly Operation[], more: number): Promise<void> {
  const count = (): number =>
    operations.reduce(
      (sum, { tries }) => sum + (tries.some(({ outcome }) => outcome === 'stored') ? 1 : 0),
      0,
    )
  const target = count() + more
  for (const limit = performance.now() + ACKNOWLEDGED_MS; performance.now() < limit;) {
    if (count() >= target) return
    await new Promise((done) => setTimeout(done, POLL_MS))
  }
  throw new Error(`Not ${more} more notifications were acknowledged within ${ACKNOWLEDGED_MS} ms`)
}

/** Waits until every listener has its last notification. The checker says whether that happened. */
async function waitForArrival(run: Run, limitMs: number): Promise<void> {
  const view = createStoreView(run)
  const last = run.chains.map(({ selection }) => view.atoms(selection).at(-1))
  for (const limit = performance.now() + limitMs; performance.now() < limit;) {
    const hasArrived = run.chains.every(({ sessions }, index) => {
      const target = last[index]
      return target === undefined || sessions.some(({ steps }) => isAt(steps.at(-1), target))
    })
    if (hasArrived) return
    await new Promise((done) => setTimeout(done, POLL_MS))
  }
}

function isAt(step: Step | undefined, target: Position): boolean {
  if (step === undefined || step.kind === 'gap') return false
  return (
    comparePositions(
      step.kind === 'revision' ? { revision: step.revision, index: 0 } : step.position,
      target,
    ) >= 0
  )
}
