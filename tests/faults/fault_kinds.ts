/**
 * Every kind of fault. Each strikes, waits, and heals what it broke.
 *
 * @module
 */

import type { EtcdMember } from '../../scripts/etcd/member.ts'
import type { Compactor } from './compactor.ts'
import type { Dice } from '../support/dice.ts'
import type { Scene } from './scene.ts'
import type { Site, SiteService } from './site.ts'
import type { Cut, TcpProxy, Weather } from './tcp_proxy.ts'

/** What faults strike at, and with. */
export interface FaultParts {
  readonly site: Site
  readonly scene: Scene
  readonly compactor: Compactor
  readonly dice: Dice
  /** Which follower to strike at; absent: any. */
  readonly chooseFollower?: (followers: readonly [number, ...number[]]) => Promise<number>
}

/** A kind of fault. */
export interface Fault {
  /** Faults of one area do not strike at the same time. */
  readonly area: 'members' | 'edges' | 'clients' | 'services' | 'history' | 'clocks'
  /** @returns What was struck. */
  readonly run: (parts: FaultParts, lengthMs: number) => Promise<string>
}

/** As a machine without a time server, or in another time zone. */
const CLOCK_JUMP_S = 3_600

/** All kinds by name. */
export const FAULTS = {
  'kill leader': { area: 'members', run: (parts, ms) => onMember(parts, 'leader', killed(ms)) },
  'kill follower': { area: 'members', run: (parts, ms) => onMember(parts, 'follower', killed(ms)) },
  'kill all members': { area: 'members', run: killAll },
  'pause leader': { area: 'members', run: (parts, ms) => onMember(parts, 'leader', paused(ms)) },
  'pause follower': { area: 'members', run: (parts, ms) => onMember(parts, 'follower', paused(ms)) },
  'isolate leader': { area: 'members', run: (parts, ms) => onMember(parts, 'leader', isolated(ms)) },
  'isolate follower': { area: 'members', run: (parts, ms) => onMember(parts, 'follower', isolated(ms)) },
  'stop leader': { area: 'members', run: (parts, ms) => onMember(parts, 'leader', stopped(ms)) },
  'edges stall': { area: 'edges', run: (parts, ms) => onEdges(parts, weather({ kind: 'stall' }, ms)) },
  'edges mute': { area: 'edges', run: (parts, ms) => onEdges(parts, weather({ kind: 'mute' }, ms)) },
  'edges refuse': { area: 'edges', run: (parts, ms) => onEdges(parts, weather({ kind: 'refuse' }, ms)) },
  'edges delay': {
    area: 'edges',
    run: (parts, ms) => onEdges(parts, weather({ kind: 'delay', ms: 400 }, ms)),
  },
  'edges cut': { area: 'edges', run: (parts, ms) => onEdges(parts, cuts(parts.dice, ms)) },
  'edges half-closed': { area: 'edges', run: (parts, ms) => onEdges(parts, halfClosed(ms)) },
  'listeners cut': {
    area: 'clients',
    run: (parts, ms) => onFronts(parts, 'listening', cuts(parts.dice, ms)),
  },
  'listeners stall': {
    area: 'clients',
    run: (parts, ms) => onFronts(parts, 'listening', weather({ kind: 'stall' }, ms)),
  },
  'listeners half-closed': {
    area: 'clients',
    run: (parts, ms) => onFronts(parts, 'listening', halfClosed(ms)),
  },
  'publishers cut': { area: 'clients', run: (parts, ms) => onFronts(parts, 'ingests', cuts(parts.dice, ms)) },
  'publishers mute': {
    area: 'clients',
    run: (parts, ms) => onFronts(parts, 'ingests', weather({ kind: 'mute' }, ms)),
  },
  'kill ingest between send and answer': { area: 'services', run: killMidWrite },
  'kill ingest': { area: 'services', run: (parts, ms) => restart(parts, 'ingests', 'SIGKILL', ms) },
  'stop ingest': { area: 'services', run: (parts, ms) => restart(parts, 'ingests', 'SIGTERM', ms) },
  'kill listening': { area: 'services', run: (parts, ms) => restart(parts, 'listening', 'SIGKILL', ms) },
  'stop listening': { area: 'services', run: (parts, ms) => restart(parts, 'listening', 'SIGTERM', ms) },
  'pause ingest': { area: 'services', run: (parts, ms) => pauseService(parts, 'ingests', ms) },
  'pause listening': { area: 'services', run: (parts, ms) => pauseService(parts, 'listening', ms) },
  'clock jumps forward': { area: 'clocks', run: (parts, ms) => jumpClock(parts, CLOCK_JUMP_S, ms) },
  'clock jumps back': { area: 'clocks', run: (parts, ms) => jumpClock(parts, -CLOCK_JUMP_S, ms) },
  'compact once': { area: 'history', run: compactOnce },
  'compaction storm': { area: 'history', run: compactionStorm },
  'etcd full': { area: 'history', run: fillStore },
  flood: { area: 'history', run: flood },
} satisfies Readonly<Record<string, Fault>>

export type FaultKind = keyof typeof FAULTS

/** The kinds that can strike at an installation. */
export function possibleFaults({ clocksMissing }: Site): readonly FaultKind[] {
  const kinds = Object.keys(FAULTS) as FaultKind[]
  return kinds.filter((kind) => clocksMissing === false || FAULTS[kind].area !== 'clocks')
}

/** Breaks a member and heals it. */
type OnMember = (member: EtcdMember, parts: FaultParts, index: number) => Promise<void>
/** Breaks connections and heals them. */
type OnProxies = (proxies: readonly TcpProxy[]) => Promise<void>

async function onMember(parts: FaultParts, role: 'leader' | 'follower', fault: OnMember): Promise<string> {
  const { site, dice, chooseFollower = async (followers) => dice.pick(followers) } = parts
  const { members } = site.cluster
  const leader = await site.cluster.leader()
  const [first, ...others] = members.map((_, index) => index).filter((index) => index !== leader)
  const index = role === 'leader' || first === undefined ? leader : await chooseFollower([first, ...others])
  const member = members[index]
  if (member === undefined) throw new Error(`There is no member ${index}`)
  await fault(member, parts, index)
  return `member ${index + 1}`
}

function killed(ms: number): OnMember {
  return async (member) => {
    await member.kill('SIGKILL')
    await pause(ms)
    await member.restart()
  }
}

function stopped(ms: number): OnMember {
  return async (member) => {
    await member.stop()
    await pause(ms)
    await member.restart()
  }
}

function paused(ms: number): OnMember {
  return async (member) => {
    await member.kill('SIGSTOP')
    await pause(ms)
    await member.kill('SIGCONT')
  }
}

function isolated(ms: number): OnMember {
  return async (_member, { site }, index) => {
    site.cluster.isolate(index)
    await pause(ms)
    site.cluster.reunite()
  }
}

async function killAll({ site }: FaultParts, ms: number): Promise<string> {
  const { members } = site.cluster
  await Promise.all(members.map((member) => member.kill('SIGKILL')))
  await pause(ms / 2)
  // Together, for none answers before most of them run.
  await Promise.all(members.map((member) => member.restart()))
  return 'all members'
}

/** Strikes at one service's edges: all of them, or the one to one member. */
async function onEdges({ site, dice }: FaultParts, fault: OnProxies): Promise<string> {
  const service = dice.pick([...site.ingests, ...site.listening])
  const all = dice.chance(0.5)
  const number = dice.whole(0, service.edges.length - 1)
  const struck = service.edges.filter((_, index) => all || index === number)
  await fault(struck)
  return `${service.process.name} to ${all ? 'all members' : `member ${number + 1}`}`
}

async function onFronts(
  { site }: FaultParts,
  side: 'ingests' | 'listening',
  fault: OnProxies,
): Promise<string> {
  await fault(site[side].map(({ front }) => front))
  return `clients of ${side}`
}

function weather(kind: Weather, ms: number): OnProxies {
  return async (proxies) => {
    for (const proxy of proxies) proxy.setWeather(kind)
    await pause(ms)
    for (const proxy of proxies) proxy.setWeather({ kind: 'fair' })
  }
}

/** Cuts again and again, each time somewhere else. */
function cuts(dice: Dice, ms: number): OnProxies {
  const kinds: readonly [Cut, ...Cut[]] = ['mid_answer', 'mid_answer', 'mid_request', 'reset']
  return async (proxies) => {
    for (const end = performance.now() + ms; performance.now() < end;) {
      const how = dice.pick(kinds)
      for (const proxy of proxies) proxy.cut(how)
      await pause(dice.whole(100, 600))
    }
  }
}

function halfClosed(ms: number): OnProxies {
  return async (proxies) => {
    for (const proxy of proxies) proxy.halfClose()
    await pause(ms / 2)
  }
}

/** Holds the store's answers to an ingest back until a write has gone out, and kills it then. */
async function killMidWrite({ site, dice }: FaultParts, ms: number): Promise<string> {
  const { process, edges } = dice.pick(site.ingests)
  for (const edge of edges) edge.setWeather({ kind: 'mute' })
  const sent = (): number => edges.reduce((sum, { passed }) => sum + passed.requests, 0)
  const before = sent()
  for (const end = performance.now() + ms; performance.now() < end && sent() === before;) await pause(5)
  await process.stop('SIGKILL')
  for (const edge of edges) edge.setWeather({ kind: 'fair' })
  await process.start()
  return process.name
}

async function restart(
  { site, dice }: FaultParts,
  side: 'ingests' | 'listening',
  signal: NodeJS.Signals,
  ms: number,
): Promise<string> {
  const { process } = dice.pick<SiteService>(site[side])
  await process.stop(signal)
  await pause(ms / 4)
  await process.start()
  return process.name
}

async function pauseService(
  { site, dice }: FaultParts,
  side: 'ingests' | 'listening',
  ms: number,
): Promise<string> {
  const { process } = dice.pick<SiteService>(site[side])
  process.signal('SIGSTOP')
  await pause(ms)
  process.signal('SIGCONT')
  return process.name
}

/** etcd refuses writes as it does without room: by the alarm that stands until an operator takes it back. */
async function fillStore({ site }: FaultParts, ms: number): Promise<string> {
  await site.cluster.alarm(true)
  try {
    await pause(ms)
  } finally {
    await site.cluster.alarm(false)
  }
  return 'all members'
}

/** The wall clock of one service jumps by an hour, and back again. */
async function jumpClock({ site, dice }: FaultParts, seconds: number, ms: number): Promise<string> {
  const { process, clock } = dice.pick<SiteService>([...site.ingests, ...site.listening])
  await clock?.set(seconds)
  await pause(ms)
  await clock?.set(0)
  return process.name
}

async function compactOnce({ compactor }: FaultParts): Promise<string> {
  return (await compactor.compact()) ? 'the store' : 'nothing yet'
}

async function compactionStorm({ compactor }: FaultParts, ms: number): Promise<string> {
  let count = 0
  for (const end = performance.now() + ms; performance.now() < end;) {
    if (await compactor.compact()) count++
    await pause(200)
  }
  return `the store, ${count} times`
}

async function flood({ scene }: FaultParts): Promise<string> {
  // Longer than a stream may stay unread in these tests.
  await scene.flood(4_500)
  return 'slow listeners'
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms))
}
