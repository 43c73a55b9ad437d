/**
 * The command `npm run fuzz`: compares the facade (our form of etcd's API) with a real etcd on random bodies.
 *
 * Every body goes to the service. When the service accepts a body, it also goes to etcd. Three rules are checked. No answer holds keys of
 * other users. An accepted body has the same meaning as in etcd, restricted to the listener's own keys. A refused body causes no read.
 *
 * @module
 */

import process from 'node:process'
import { Command } from 'commander'
import { toText } from '#shared/bytes/bytes.ts'
import { startEtcd } from './etcd/cluster.ts'
import { rangeBody, watchBody } from './fuzz/bodies.ts'
import { createDice, type Dice } from '../tests/support/dice.ts'
import { ALLOWED, startSubject, type Subject } from './fuzz/subject.ts'
import { isMain } from './is_main.ts'
import { parseCommand, wholeNumber } from './parse_command.ts'
import { fromB64 } from '../tests/support/etcd_wire.ts'

/** Number of ranges for one watch. Watches are rare, because each takes a moment to deliver something. */
const RANGES_PER_WATCH = 25
/** How long a watch is read. Its history comes at once. */
const WATCH_READ_MS = 150
const MAX_SHOWN = 10
const DEFAULT_SECONDS = 60
/** A day. A longer time is a mistake in the unit. */
const MAX_SECONDS = 86_400
/** Largest seed: the dice have 32 bits of state. */
const MAX_SEED = 2 ** 32 - 1

/** A whole number in another spelling, which etcd 3.5 accepts and 3.4 refuses. */
const OTHER_NUMBER = /:\s*(?:1\.0|1e0)/

/** The result of a run. */
interface Tally {
  bodies: number
  accepted: number
  watches: number
  watched: number
  /** Accepted bodies with a number in a spelling that this etcd refuses. */
  lenient: number
  /** Keys of other users in answers. */
  foreign: number
  /** Accepted bodies that have another meaning in etcd. */
  different: number
  /** Bodies that were refused after a read. */
  costly: number
  /** Answers with an unexpected status. */
  failed: number
}

async function main(argv: readonly string[]): Promise<number> {
  const options = parseArguments(argv)
  if (typeof options === 'number') return options
  const { seconds, seed } = options
  const etcd = await startEtcd(options.etcd === undefined ? {} : { binary: options.etcd }).catch(
    (error: Error) => console.error(`error: etcd does not start: ${error.message}`),
  )
  if (etcd === undefined) return 1
  const tally: Tally = {
    bodies: 0,
    accepted: 0,
    watches: 0,
    watched: 0,
    lenient: 0,
    foreign: 0,
    different: 0,
    costly: 0,
    failed: 0,
  }
  try {
    const subject = await startSubject(etcd.store)
    const endpoint = etcd.endpoints[0] ?? ''
    const dice = createDice(seed)
    const endAt = performance.now() + seconds * 1000
    while (performance.now() < endAt) {
      for (let count = 0; count < RANGES_PER_WATCH; count++)
        await tryRange(subject, endpoint, { dice, tally })
      await tryWatch(subject, { dice, tally })
    }
    await subject.close()
  } finally {
    await etcd.close()
  }
  console.log(`etcd ${etcd.version}, seed ${seed}, ${seconds} s`)
  console.log(
    `bodies ${tally.bodies}, accepted ${tally.accepted}; watches ${tally.watches}, accepted ${tally.watched}; numbers in a newer spelling ${tally.lenient}`,
  )
  console.log(
    `foreign keys ${tally.foreign}, other meaning than etcd ${tally.different}, refused after a read ${tally.costly}, other answers ${tally.failed}`,
  )
  return tally.foreign + tally.different + tally.costly + tally.failed === 0 ? 0 : 1
}

interface Options {
  readonly seconds: number
  readonly seed: number
  readonly etcd?: string
}

function parseArguments(argv: readonly string[]): Options | number {
  const program = new Command('npm run fuzz --')
    .description(
      'Sends valid and broken bodies to the facade in front of a real etcd, and checks the answers.',
    )
    .option('--seconds <count>', 'how long', wholeNumber(1, MAX_SECONDS), DEFAULT_SECONDS)
    .option('--seed <number>', 'repeat the bodies of another run', wholeNumber(0, MAX_SEED))
    .option('--etcd <binary>', 'use another etcd than npm run etcd')
    .exitOverride()
  const exitCode = parseCommand(program, argv)
  if (exitCode !== undefined) return exitCode
  const {
    seconds,
    seed = Date.now() % MAX_SEED,
    etcd,
  } = program.opts<Partial<Options> & { seconds: number }>()
  return { seconds, seed, ...(etcd !== undefined && { etcd }) }
}

interface Trying {
  readonly dice: Dice
  readonly tally: Tally
}

/** The parts of etcd's answers that are compared. */
interface RangeAnswer {
  readonly kvs?: readonly { readonly key: string }[]
  readonly count?: string
  readonly more?: boolean
}

async function tryRange(subject: Subject, endpoint: string, { dice, tally }: Trying): Promise<void> {
  const body = rangeBody(dice)
  const before = subject.reads()
  const response = await subject.send('/v3/kv/range', body)
  const text = await response.text()
  tally.bodies++
  if (response.status !== 200) {
    const isRefusal = [400, 403, 413].includes(response.status)
    if (!isRefusal) note(tally, 'failed', body, `status ${response.status}`)
    // Only a read shows that a revision is compacted or in the future, so such a refusal may cost one.
    if (isRefusal && subject.reads() !== before && !/revision|History/.test(text))
      note(tally, 'costly', body, text)
    return
  }
  tally.accepted++
  const ours = JSON.parse(text) as RangeAnswer
  const keys = (ours.kvs ?? []).map(({ key }) => fromB64(key))
  for (const key of keys) if (!isAllowed(key)) note(tally, 'foreign', body, key)
  const theirs = await askEtcd(endpoint, body)
  if (theirs === undefined && OTHER_NUMBER.test(toText(body))) {
    tally.lenient++
    return
  }
  const difference = theirs === undefined ? 'etcd refuses it' : differenceOf(ours, theirs, keys)
  if (difference !== undefined) note(tally, 'different', body, difference)
}

/** The answer of etcd to the same bytes; `undefined` when etcd refuses them. */
async function askEtcd(endpoint: string, body: Uint8Array): Promise<RangeAnswer | undefined> {
  const response = await fetch(`${endpoint}/v3/kv/range`, { method: 'POST', body: new Uint8Array(body) })
  const answer = (await response.json()) as RangeAnswer
  return response.status === 200 ? answer : undefined
}

function differenceOf(ours: RangeAnswer, theirs: RangeAnswer, keys: readonly string[]): string | undefined {
  const all = (theirs.kvs ?? []).map(({ key }) => fromB64(key))
  const own = all.filter(isAllowed)
  const isSame = own.join() === keys.join()
  // When a limit cut an answer, keys cannot be compared: etcd also counts keys that the service left out of the range.
  if (!isSame && theirs.more !== true && ours.more !== true) return `${keys.join()} instead of ${own.join()}`
  const isCut = all.length !== own.length || theirs.more === true
  if (!isCut && all.length > 0 && ours.count !== theirs.count)
    return `count ${ours.count} instead of ${theirs.count}`
  return undefined
}

async function tryWatch(subject: Subject, { dice, tally }: Trying): Promise<void> {
  const body = watchBody(dice)
  const stop = new AbortController()
  const response = await subject.send('/v3/watch', body, stop.signal)
  tally.watches++
  if (response.status !== 200) {
    await response.body?.cancel()
    if (![400, 403, 413].includes(response.status)) note(tally, 'failed', body, `status ${response.status}`)
    return
  }
  tally.watched++
  for (const key of await watchedKeys(response)) if (!isAllowed(key)) note(tally, 'foreign', body, key)
  stop.abort()
}

/** The keys that a watch delivers at once. */
async function watchedKeys(response: Response): Promise<readonly string[]> {
  const reader = response.body?.getReader()
  let text = ''
  const timer = setTimeout(() => void reader?.cancel(), WATCH_READ_MS)
  for (;;) {
    const part = await reader?.read().catch(() => undefined)
    if (part?.value === undefined) break
    text += new TextDecoder().decode(part.value)
  }
  clearTimeout(timer)
  return [...text.matchAll(/"key":"([^"]+)"/g)].map(([, key = '']) => fromB64(key))
}

function isAllowed(key: string): boolean {
  return ALLOWED.some((prefix) => key.startsWith(prefix))
}

let shown = 0

function note(
  tally: Tally,
  what: 'foreign' | 'different' | 'costly' | 'failed',
  body: Uint8Array,
  detail: string,
): void {
  tally[what]++
  if (shown++ < MAX_SHOWN) console.log(`${what}: ${toText(body)}\n  ${detail}`)
}

if (isMain(import.meta)) process.exitCode = await main(process.argv.slice(2))
