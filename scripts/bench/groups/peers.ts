/**
 * Measures other message systems beside Aviso, in the same run and by the same generator.
 *
 * @module
 */

import { hasGenerator, ownCost, runLoads, theOnly, type Load, type LoadRun } from '../generator.ts'
import { avisoServerPeer } from '../peers/aviso_server.ts'
import { centrifugoPeer } from '../peers/centrifugo.ts'
import { mosquittoPeer } from '../peers/mosquitto.ts'
import { natsPeer } from '../peers/nats.ts'
import { nchanPeer } from '../peers/nchan.ts'
import { ourPeer, ourPeerOnEtcd } from '../peers/ours.ts'
import { MissingPeerError, type Peer, type PeerServer } from '../peers/peer.ts'
import { redisPeer } from '../peers/redis.ts'
import type { Bench, RowGroup } from '../plan.ts'
import { place, type Placement } from '../processes.ts'
import type { Row } from '../row.ts'
import { median, NO_SAMPLES, type Percentiles } from '../statistics.ts'

const CONNECTIONS = 64
const LISTENERS = 1_000
const RATE = 50
/** Notifications that are replayed. */
const REPLAYED = { full: 100_000, quick: 20_000 } as const
const LIMIT_MS = 120_000

/** Figures of one system in one run. NaN: it does not do that. */
interface Figures {
  readonly perSecond: number
  readonly latencyMs: Percentiles
  readonly oneMs: number
  readonly deliveryMs: Percentiles
  readonly deliveryMicros: number
  readonly replayed: number
  readonly ownMicros: number
}

/** The rows about other systems. They are measured only on request: some are built first, and none of them is part of Aviso. */
export const peersGroup: RowGroup = {
  name: 'peers',
  isOnRequest: true,
  summary:
    'NATS, Redis, mosquitto, nchan (and Centrifugo, aviso-server) beside Aviso: singles, 1,000 listeners, replay; † is not durable',
  placement: 'together',
  measure: async (bench) => {
    if (!hasGenerator())
      throw new Error('Peers are measured by the generator in C, which needs a compiler: install cc')
    const systems: readonly Peer[] = [
      ...bench.runtimes.map(ourPeer),
      ourPeerOnEtcd,
      natsPeer(true),
      natsPeer(false),
      redisPeer,
      mosquittoPeer,
      nchanPeer,
      centrifugoPeer,
      avisoServerPeer(true),
      avisoServerPeer(false),
    ]
    const missing = new Map<Peer, string>()
    const figures = new Map<Peer, Figures[]>()
    for (let run = 0; run < bench.runs; run++) {
      for (const peer of run % 2 === 0 ? systems : systems.toReversed()) {
        if (missing.has(peer)) continue
        const measured = await measureIfThere(bench, peer)
        if (typeof measured === 'string') missing.set(peer, measured)
        else figures.set(peer, [...(figures.get(peer) ?? []), measured])
      }
    }
    return toRows(bench, figures, missing)
  },
}

/** @returns the figures, or why the system cannot be had */
async function measureIfThere(bench: Bench, peer: Peer): Promise<Figures | string> {
  bench.say(`peers: ${peer.name}`)
  try {
    return await measure(bench, peer)
  } catch (error) {
    if (error instanceof MissingPeerError) return error.message.split('\n')[0] ?? ''
    throw error
  }
}

async function measure(bench: Bench, peer: Peer): Promise<Figures> {
  const milliseconds = bench.isQuick ? 1_000 : 4_000
  const post = async (server: PeerServer, connections: number): Promise<LoadRun> =>
    runLoads(server.url, { until: milliseconds }, [server.publish({ connections })])
  const singles = await onServer(peer, 'together', async (server) => {
    // Code of some systems is compiled when it first runs.
    await post(server, CONNECTIONS)
    const many = await post(server, CONNECTIONS)
    return { many, one: await post(server, 1) }
  })
  const { perSecond, latencyMs } = theOnly(singles.many.results)
  const delivered = await onServer(peer, 'apart', (server) => deliver(server, milliseconds))
  const replayed = await onServer(peer, 'together', (server) =>
    replay(server, bench.isQuick ? REPLAYED.quick : REPLAYED.full),
  )
  return {
    perSecond,
    latencyMs,
    oneMs: theOnly(singles.one.results).latencyMs.p50,
    ...delivered,
    replayed,
    ownMicros: singles.many.ownMicros,
  }
}

async function onServer<Result>(
  peer: Peer,
  placement: Placement,
  use: (server: PeerServer) => Promise<Result>,
): Promise<Result> {
  place(placement)
  const server = await peer.start()
  try {
    return await use(server)
  } finally {
    await server.stop()
    place('together')
  }
}

/** Publishes at a steady rate from one connection, so that the order of numbers is that of publishing. */
async function deliver(
  server: PeerServer,
  milliseconds: number,
): Promise<Pick<Figures, 'deliveryMs' | 'deliveryMicros'>> {
  const { url, listen, publish, publishLive = publish } = server
  if (listen === undefined) return { deliveryMs: NO_SAMPLES, deliveryMicros: Number.NaN }
  let before = 0
  let after = 0
  const plan = {
    until: milliseconds,
    onOpen: () => void (before = server.cpuSeconds()),
    onSettled: () => void (after = server.cpuSeconds()),
  }
  const loads = (): readonly Load[] => [
    publishLive({ connections: 1, ratePerSecond: RATE }),
    listen(LISTENERS),
  ]
  await runLoads(url, { until: milliseconds / 2 }, loads())
  const { results } = await runLoads(url, plan, loads())
  const [, deliveries] = results
  if (deliveries === undefined) throw new Error('The generator gave no result')
  return { deliveryMs: deliveries.latencyMs, deliveryMicros: ((after - before) * 1e6) / deliveries.count }
}

/** @returns the notifications per second */
async function replay({ url, replay: fill }: PeerServer, count: number): Promise<number> {
  if (fill === undefined) return Number.NaN
  const streams = await fill(count)
  return theOnly((await runLoads(url, { until: LIMIT_MS }, [streams])).results).perSecond
}

function toRows(
  bench: Bench,
  figures: ReadonlyMap<Peer, readonly Figures[]>,
  missing: ReadonlyMap<Peer, string>,
): readonly Row[] {
  const [ours] = figures
  const absent = Array.from(missing, ([{ name }, why]) => `not measured: ${name} (${why})`)
  const rowsOf = (
    title: string,
    unit: string,
    figure: (each: Figures) => number,
    notes: (all: readonly Figures[]) => readonly string[] = () => [],
  ): readonly Row[] =>
    Array.from(figures, ([peer, all]): Row => {
      const isFirst = peer === ours?.[0]
      return {
        name: title,
        runtime: `${peer.name}${peer.isDurable ? '' : ' †'}`,
        unit,
        runs: all.map(figure),
        ...(ours !== undefined && !isFirst && { limit: { name: ours[0].name, runs: ours[1].map(figure) } }),
        notes: [...notes(all), ...(isFirst && title.includes('singles') ? absent : [])],
      }
    }).filter(({ runs }) => !runs.some(Number.isNaN))
  const p99 = (all: readonly Figures[], of: (each: Figures) => Percentiles): string =>
    `p99 ${median(all.map((each) => of(each).p99)).toFixed(1)} ms`
  const replayed = (bench.isQuick ? REPLAYED.quick : REPLAYED.full).toLocaleString('en')
  return [
    ...rowsOf(
      `singles, ${CONNECTIONS} connections`,
      '/s',
      (each) => each.perSecond,
      (all) => [
        `p50 ${median(all.map(({ latencyMs }) => latencyMs.p50)).toFixed(2)} ms, ${p99(all, (each) => each.latencyMs)}`,
        ownCost(all),
      ],
    ),
    ...rowsOf('a single, 1 connection, p50', 'ms', (each) => each.oneMs),
    ...rowsOf(
      `${LISTENERS} listeners, ${RATE}/s, p50`,
      'ms',
      (each) => each.deliveryMs.p50,
      (all) => [p99(all, (each) => each.deliveryMs)],
    ),
    ...rowsOf(
      `${LISTENERS} listeners, ${RATE}/s, processor time`,
      'µs a delivery',
      (each) => each.deliveryMicros,
    ),
    ...rowsOf(`replay of ${replayed}`, '/s', (each) => each.replayed),
  ]
}
