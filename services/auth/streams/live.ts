/**
 * What a dashboard shows, once a second. It is computed once for all who look, and not at all while nobody does.
 *
 * @module
 */

import type { ByteSink, ByteSource } from '#shared/bytes/byte_source.ts'
import type { HubStatus } from '#shared/hub/hub.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Activity, EventActivity } from './activity.ts'
import type { StreamRegistry } from './registry.ts'

/** A frame comes this often. */
const FRAME_MS = 1_000

export interface LiveParts {
  readonly clock: Clock
  readonly streams: StreamRegistry
  readonly hub: { readonly status: () => HubStatus }
  readonly activity: Pick<Activity, 'events'>
  /** Ends all views. */
  readonly closing: AbortSignal
}

/** A view of one person. */
export interface ViewRequest {
  /** Makes the bytes of a frame. Views with the same function share them. */
  readonly encode: (frame: string) => Uint8Array
  /** Called once after the view has ended. */
  readonly onGone: () => void
}

/** A view that is open or will be. */
export interface View {
  readonly body: ByteSource
  /** Ends it. Idempotent. */
  end(): void
}

/** All views. */
export interface Live {
  readonly size: number
  open(request: ViewRequest): View
}

/** One view. A reader that does not ask for more misses frames, and nothing is kept for it. */
class LiveView implements ByteSource, View {
  readonly request: ViewRequest
  readonly #views: Views
  #sink: ByteSink | undefined
  #isGone = false
  isWanted = false

  constructor(request: ViewRequest, views: Views) {
    this.request = request
    this.#views = views
  }

  get body(): ByteSource {
    return this
  }

  open(sink: ByteSink): void {
    if (this.#isGone) return sink.close()
    this.#sink = sink
    this.#views.add(this)
  }

  pull(): void {
    this.isWanted = true
  }

  write(bytes: Uint8Array): void {
    this.isWanted = false
    this.#sink?.enqueue(bytes)
  }

  cancel(): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#views.remove(this)
    this.request.onGone()
  }

  end(): void {
    if (this.#isGone) return
    this.cancel()
    this.#sink?.close()
  }
}

interface Views {
  add(view: LiveView): void
  remove(view: LiveView): void
}

/** Nobody looks at first. */
export function createLive(parts: LiveParts): Live {
  const views = new Set<LiveView>()
  let stopTimer: (() => void) | undefined
  let before: Sample | undefined

  function tick(): void {
    const frame = nextFrame()
    const encoded = new Map<ViewRequest['encode'], Uint8Array>()
    for (const view of Array.from(views)) {
      if (!view.isWanted) continue
      const { encode } = view.request
      const bytes = encoded.get(encode) ?? encode(frame)
      encoded.set(encode, bytes)
      view.write(bytes)
    }
  }
  function nextFrame(): string {
    const now = takeSample(parts)
    const frame = frameOf(parts, before ?? now, now)
    before = now
    return JSON.stringify(frame)
  }
  const registered: Views = {
    add: (view) => {
      views.add(view)
      before ??= takeSample(parts)
      stopTimer ??= parts.clock.every(FRAME_MS, tick)
    },
    remove: (view) => {
      if (!views.delete(view) || views.size > 0) return
      stopTimer?.()
      stopTimer = undefined
      before = undefined
    },
  }
  parts.closing.addEventListener('abort', () => {
    for (const view of Array.from(views)) view.end()
  })
  return {
    get size() {
      return views.size
    },
    open: (request) => new LiveView(request, registered),
  }
}

/** Totals at one moment. */
interface Sample {
  /** In monotonic time. */
  readonly at: number
  readonly events: ReadonlyMap<string, EventActivity>
}

function takeSample({ clock, activity }: LiveParts): Sample {
  const events = new Map([...activity.events].map(([event, of]) => [event, { ...of }]))
  return { at: clock.monotonic(), events }
}

function frameOf({ clock, streams, hub }: LiveParts, before: Sample, now: Sample): object {
  const { revision, connected, ringBytes, ringEntries } = hub.status()
  const seconds = Math.max(now.at - before.at, 1) / 1000
  const perSecond = (count: number): number => Math.round((count / seconds) * 10) / 10
  const events = [...now.events].map(([event, of]) => {
    const { notifications = 0, deliveries = 0 } = before.events.get(event) ?? {}
    return [
      event,
      {
        per_second: perSecond(of.notifications - notifications),
        deliveries_per_second: perSecond(of.deliveries - deliveries),
        last: of.last === undefined ? null : String(of.last),
        last_at: new Date(of.lastAt).toISOString(),
      },
    ] as const
  })
  return {
    at: new Date(clock.now()).toISOString(),
    instance: streams.instance,
    hub: { revision: String(revision), connected, ring_bytes: ringBytes, ring_entries: ringEntries },
    streams: countStreams(streams, revision),
    events: Object.fromEntries(events),
  }
}

function countStreams(streams: StreamRegistry, head: bigint): object {
  const counts = { open: 0, live: 0, catching_up: 0, parked: 0 }
  let bytes = 0
  let behind = 0n
  for (const stream of streams.list()) {
    const { isCatchingUp, parkedMs, position } = stream.look()
    counts.open++
    counts[parkedMs > 0 ? 'parked' : isCatchingUp ? 'catching_up' : 'live']++
    bytes += stream.rate()
    if (head - position.revision > behind) behind = head - position.revision
  }
  return { ...counts, bytes_per_second: Math.round(bytes), behind_most: String(behind) }
}
