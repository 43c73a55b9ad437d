/**
 * The system view, for operators: store, hub, publishing, jobs, audit records and rights.
 *
 * @module
 */

import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Audit } from './audit.tsx'
import { ApiError, ask, messageOf, send, session } from './api.ts'
import { Chart } from './chart.tsx'
import { Jobs, type Due, type JobRecord } from './jobs.tsx'
import { ExplainUser, rightText } from './explain_user.tsx'
import { boundOf, readHistogram, readValue, since, type Histogram } from './metrics.ts'
import { Badge, Notice, Tile, useAsked } from './parts.tsx'
import { useWatched } from './state.ts'
import { follow, takeStream } from './stream.ts'
import { bytesText, countText, fullTime, seen, spanText } from './text.ts'

interface Member {
  readonly id: string
  readonly name: string
  readonly reachable: boolean
  readonly leader: boolean
  readonly version: string
  readonly size_bytes: number
}

interface Status {
  readonly clock: string
  readonly store: {
    readonly version: string
    readonly revision: string
    readonly size_bytes: number
    readonly size_in_use_bytes: number
  }
  readonly members?: readonly Member[]
  readonly members_error?: string
  readonly alarms?: readonly { readonly member: string; readonly kind: string }[]
  readonly retention: { readonly history: string; readonly age: string }
  readonly history: { readonly oldest_mark?: string; readonly newest_mark?: string }
  readonly backup?: { readonly at: string; readonly age_seconds: number; readonly size_bytes: number }
  readonly jobs: Readonly<Record<string, JobRecord>>
  readonly schedule?: Readonly<Record<string, Due>>
}

interface LiveFrame {
  readonly at: string
  readonly instance: string
  readonly hub: {
    readonly revision: string
    readonly connected: boolean
    readonly ring_bytes: number
    readonly ring_entries: number
  }
  readonly streams: {
    readonly open: number
    readonly parked: number
    readonly bytes_per_second: number
    readonly behind_most: string
  }
  readonly events: Readonly<
    Record<string, { readonly per_second: number; readonly deliveries_per_second: number }>
  >
}

interface Health {
  readonly status: string
  readonly checks: readonly { readonly name: string; readonly status: string; readonly message: string }[]
}

const EVERY_MS = 5_000
/** Seconds of the curve. */
const MOST_FRAMES = 180
const DAY_SECONDS = 86_400

/** The view. */
export function SystemView(): JSX.Element {
  const status = useAsked((signal) => ask<Status>('api/v1/admin/status', { signal }), EVERY_MS, [])
  const health = useAsked(
    (signal) => orNothing(ask<Health>('api/v1/monitoring/status', { signal })),
    EVERY_MS,
    [],
  )
  const metrics = useAsked(
    (signal) =>
      orNothing(send('metrics', { headers: { accept: 'text/plain' }, signal }).then((page) => page.text())),
    EVERY_MS,
    [],
  )
  const frames = useFrames()
  const frame = frames.at(-1)
  const { answer, error } = status
  return (
    <div class="wide">
      <h1>System</h1>
      {error === undefined ? null : <Notice kind="bad">{messageOf(error)}</Notice>}
      <dl class="tiles">
        {answer === undefined ? null : <StoreTiles status={answer} />}
        {frame === undefined ? null : <HubTiles frame={frame} />}
        {typeof metrics.answer === 'string' ? <ProcessTiles text={metrics.answer} /> : null}
      </dl>
      <section class="card" aria-label="Rates">
        <h2>Notifications and deliveries a second</h2>
        <Rates frames={frames} />
      </section>
      {answer === undefined ? null : (
        <Jobs jobs={answer.jobs} schedule={answer.schedule ?? {}} onDone={status.again} />
      )}
      {answer?.members === undefined || answer.members.length === 0 ? null : <Members status={answer} />}
      {health.answer === undefined ? null : <Checks health={health.answer} />}
      <Audit />
      <Rights />
      <Others />
    </div>
  )
}

/** What another process may serve: where it is not here, the view does without. */
async function orNothing<Answer>(asked: Promise<Answer>): Promise<Answer | undefined> {
  return asked.catch((error: unknown) => {
    if (error instanceof ApiError && (error.status === 404 || error.status === 403)) return undefined
    throw error
  })
}

/** A frame a second of what happens, as long as the view is open. */
function useFrames(): readonly LiveFrame[] {
  const [frames, setFrames] = useState<readonly LiveFrame[]>([])
  useEffect(() => {
    const stop = takeStream()
    void follow({
      path: 'api/v1/admin/live',
      start: {},
      signal: stop.signal,
      onFrames: (came) => {
        const read = came
          .filter(({ event }) => event === 'live')
          .map(({ data }) => JSON.parse(data) as LiveFrame)
        setFrames((before) => [...before, ...read].slice(-MOST_FRAMES))
      },
      onStatus: () => undefined,
    })
    return () => stop.abort()
  }, [])
  return frames
}

function StoreTiles({
  status: { store, retention, history, backup, alarms = [] },
}: {
  readonly status: Status
}): JSX.Element {
  const isOld = backup === undefined || backup.age_seconds > 2 * DAY_SECONDS
  return (
    <>
      <Tile
        name="store"
        value={bytesText(store.size_bytes)}
        more={`${seen(store.version)}, revision ${store.revision}`}
      />
      <Tile
        name="history reaches back to"
        value={history.oldest_mark === undefined ? '–' : fullTime(history.oldest_mark).slice(0, 16)}
        more={`kept for ${retention.history}, notifications for ${retention.age}`}
      />
      <Tile
        name="last backup"
        value={backup === undefined ? 'none' : `${spanText(backup.age_seconds)} ago`}
        more={backup === undefined ? 'aviso admin backup FILE makes one' : bytesText(backup.size_bytes)}
        kind={isOld ? 'warn' : ''}
      />
      {alarms.length === 0 ? null : (
        <Tile
          name="alarms"
          value={alarms.map(({ kind }) => kind).join(', ')}
          more="of the store"
          kind="bad"
        />
      )}
    </>
  )
}

function HubTiles({ frame: { hub, streams, events, instance } }: { readonly frame: LiveFrame }): JSX.Element {
  const sum = (of: 'per_second' | 'deliveries_per_second'): string =>
    Object.values(events)
      .reduce((total, event) => total + event[of], 0)
      .toFixed(1)
  return (
    <>
      <Tile
        name="hub"
        value={hub.connected ? 'connected' : 'not connected'}
        more={`ring ${bytesText(hub.ring_bytes)}, ${countText(hub.ring_entries)} entries; instance ${instance}`}
        kind={hub.connected ? '' : 'bad'}
      />
      <Tile
        name="notifications"
        value={`${sum('per_second')}/s`}
        more={`${sum('deliveries_per_second')} deliveries/s`}
      />
      <Tile
        name="streams"
        value={countText(streams.open)}
        more={`${bytesText(streams.bytes_per_second)}/s, ${streams.parked} parked`}
      />
    </>
  )
}

function ProcessTiles({ text }: { readonly text: string }): JSX.Element {
  const before = useRef<Histogram | undefined>(undefined)
  const all = readHistogram(text, 'aviso_publish_duration_seconds')
  before.current ??= all
  const recent = all === undefined ? undefined : since(all, before.current)
  const shown = recent === undefined || recent.count === 0 ? all : recent
  const memory = readValue(text, 'process_resident_memory_bytes')
  const started = readValue(text, 'process_start_time_seconds')
  const quota = readValue(text, 'aviso_etcd_quota_bytes')
  const size = readValue(text, 'aviso_store_size_bytes')
  const headroom = readValue(text, 'aviso_etcd_headroom_seconds')
  return (
    <>
      {quota === undefined || size === undefined || quota === 0 ? null : (
        <Tile
          name="room in the store"
          value={`${Math.round((1 - size / quota) * 100)} % free`}
          more={
            headroom === undefined ? `of ${bytesText(quota)}` : `full in ${spanText(headroom)} at this pace`
          }
          kind={size > 0.7 * quota ? 'warn' : ''}
        />
      )}
      {shown === undefined || shown.count === 0 ? null : (
        <Tile
          name="publishing, to the commit"
          value={`p50 ${boundText(boundOf(shown, 0.5))}`}
          more={`p99 ${boundText(boundOf(shown, 0.99))}; ${countText(shown.count)} ${shown === all ? 'since the start' : 'since you look'}`}
        />
      )}
      <Tile
        name="process"
        value={memory === undefined ? '–' : bytesText(memory)}
        more={
          started === undefined ? undefined : `up for ${spanText(Math.round(Date.now() / 1000 - started))}`
        }
      />
    </>
  )
}

function boundText(seconds: number | undefined): string {
  if (seconds === undefined) return '–'
  if (seconds === Infinity) return 'very long'
  return seconds < 1 ? `≤ ${seconds * 1000} ms` : `≤ ${seconds} s`
}

function Rates({ frames }: { readonly frames: readonly LiveFrame[] }): JSX.Element {
  if (frames.length < 2) return <p class="hint">The curve begins in a moment.</p>
  const of = (name: 'per_second' | 'deliveries_per_second'): readonly number[] =>
    frames.map(({ events }) => Object.values(events).reduce((sum, event) => sum + event[name], 0))
  const curves = [
    { name: 'notifications', values: of('per_second'), colour: 'accent' },
    { name: 'deliveries', values: of('deliveries_per_second'), colour: 'good', isDashed: true },
  ]
  return (
    <>
      <Chart
        label="Notifications and deliveries a second"
        xs={frames.map(({ at }) => Date.parse(at) / 1000)}
        curves={curves}
      />
      <p class="legend">
        <span class="key accent">— notifications</span> <span class="key good">- - deliveries</span>
      </p>
    </>
  )
}

function Members({ status: { members = [], members_error } }: { readonly status: Status }): JSX.Element {
  return (
    <section class="card" aria-label="Members of the store">
      <h2>Members of the store</h2>
      {members_error === undefined ? null : <Notice kind="warn">{members_error}</Notice>}
      <ul class="plain">
        {members.map(({ id, name, reachable, leader, version, size_bytes }) => (
          <li key={id}>
            <Badge kind={reachable ? 'good' : 'bad'}>{reachable ? 'reachable' : 'not reachable'}</Badge>{' '}
            {seen(name)}
            {leader ? ' (leader)' : ''}, {version}, {bytesText(size_bytes)}
          </li>
        ))}
      </ul>
    </section>
  )
}

function Checks({ health: { checks, status } }: { readonly health: Health }): JSX.Element {
  const kindOf = (of: string): string => (of === 'ok' ? 'good' : of === 'warning' ? 'warn' : 'bad')
  return (
    <section class="card" aria-label="Checks of the monitoring">
      <h2>
        Checks <Badge kind={kindOf(status)}>{status}</Badge>
      </h2>
      <ul class="plain">
        {checks.map(({ name, status: of, message }) => (
          <li key={name}>
            <Badge kind={kindOf(of)}>{of}</Badge> {seen(name)}: {seen(message)}
          </li>
        ))}
      </ul>
    </section>
  )
}

/** Where a right comes from. Without identities everyone has all of them. */
function byText(places: readonly string[]): string {
  return places.includes('vars.identity') ? 'because vars.identity is not set' : `by ${places.join(', ')}`
}

/** Without identities all people may do the same. */
function Others(): JSX.Element | null {
  const { me } = useWatched(session)
  return me?.administer.by.includes('vars.identity') === false ? <ExplainUser /> : null
}

function Rights(): JSX.Element {
  const { me } = useWatched(session)
  return (
    <section class="card" aria-label="Your rights">
      <h2>Your rights, and where the configuration gives them</h2>
      <ul class="plain">
        {me?.rights.map((held, index) => (
          <li key={index}>
            {held.right} {rightText(held)} <small>{byText([held.by])}</small>
          </li>
        ))}
        {me?.administer.allowed === true ? (
          <li>
            operate <small>{byText(me.administer.by)}</small>
          </li>
        ) : null}
      </ul>
    </section>
  )
}
