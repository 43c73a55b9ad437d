/**
 * Publishers: POST through the real ingest, with short patience on purpose, and repeat what has no certain answer under the same id, at another
 * ingest.
 *
 * @module
 */

import type { Dice } from '../support/dice.ts'
import type { Door } from './door.ts'
import { cloudEvent, drawNotification, type Draft, type DrawOptions } from './notifications.ts'
import type { Operation, Try } from './records.ts'

/** What a publisher is made with. */
export interface PublisherOptions extends DrawOptions {
  readonly name: string
  readonly dice: Dice
  readonly ingests: readonly [Door, ...Door[]]
  /** Every operation, from the moment it is sent. */
  readonly operations: Operation[]
  /** Takes what is sent, for {@link repeat}. */
  readonly drafts?: Draft[]
  /** Notifications per request; more than one: a batch. */
  readonly perRequest: number
  /** Longest pause between requests, in milliseconds. */
  readonly thinkMs: number
  /** Requests after which it ends by itself. */
  readonly requests?: number
  /** Ends the publishing; what is open is still brought to an end. */
  readonly stop: AbortSignal
}

/** Shorter than the ingest's own patience in most cases, so that writes are abandoned while they are under way. */
const PATIENCE_MS = { least: 300, most: 6_000 } as const
/**
 * A notification is given up after this long. Together with the ingest's 10 s it stays below the time for which compaction leaves history alone: an
 * ingest knows ids only as far back as history reaches.
 */
export const GIVE_UP_MS = 8_000
/** Share of notifications that are sent again although they were acknowledged. */
const AGAIN_SHARE = 0.03
const RETRY_PAUSE_MS = 100

/** Publishes until it is stopped. */
export async function publish(options: PublisherOptions): Promise<void> {
  const { name, dice, operations, perRequest, thinkMs, stop, requests = Infinity } = options
  for (let number = 0; number < requests && !stop.aborted; number++) {
    const drafts = Array.from({ length: perRequest }, (_, place) =>
      drawNotification(`${name}.${number}.${place}`, dice, options),
    )
    const invokedAt = performance.now()
    const batch = drafts.map(({ id, event, key }): Operation => ({ id, event, key, invokedAt, tries: [] }))
    operations.push(...batch)
    options.drafts?.push(...drafts)
    await bringToAnEnd(options, { drafts, batch, giveUpMs: GIVE_UP_MS, again: dice.chance(AGAIN_SHARE) })
    await new Promise((done) => setTimeout(done, dice.whole(0, thinkMs)))
  }
}

/**
 * Sends notifications again under their ids, one after the other, each until it is stored or until time is over.
 *
 * @returns what was answered, as operations of their own.
 */
export async function repeat(
  parts: Pick<PublisherOptions, 'dice' | 'ingests'>,
  drafts: readonly Draft[],
  giveUpMs: number,
): Promise<Operation[]> {
  const giveUpAt = performance.now() + giveUpMs
  const operations: Operation[] = []
  for (const draft of drafts) {
    const { id, event, key } = draft
    const invokedAt = performance.now()
    const operation: Operation = { id, event, key, invokedAt, tries: [] }
    operations.push(operation)
    const batch = [operation]
    await bringToAnEnd(parts, { drafts: [draft], batch, giveUpMs: giveUpAt - invokedAt, again: false })
  }
  return operations
}

/** What is sent until it is stored. */
interface Sending {
  readonly drafts: readonly Draft[]
  readonly batch: readonly Operation[]
  readonly giveUpMs: number
  /** Whether it is sent once more when it is stored. */
  readonly again: boolean
}

async function bringToAnEnd(
  { dice, ingests }: Pick<PublisherOptions, 'dice' | 'ingests'>,
  { drafts, batch, giveUpMs, again: isSentAgain }: Sending,
): Promise<void> {
  const giveUpAt = performance.now() + giveUpMs
  let again = isSentAgain
  let ingest = dice.whole(0, ingests.length - 1)
  for (;;) {
    const open = batch.map(({ tries }) => tries.every(({ outcome }) => outcome !== 'stored'))
    const isOpen = open.includes(true)
    if (!isOpen && !again) return
    if (!isOpen) again = false
    const door = ingests[ingest++ % ingests.length] ?? ingests[0]
    const answers = await send(door, drafts, dice)
    for (const [place, operation] of batch.entries()) {
      const answer = answers[place]
      if (answer !== undefined) operation.tries.push(answer)
    }
    if (performance.now() >= giveUpAt) return
    if (answers.some(({ outcome }) => outcome !== 'stored'))
      await new Promise((done) => setTimeout(done, dice.whole(0, RETRY_PAUSE_MS)))
  }
}

/** One request. @returns How it ended for each notification. */
async function send(door: Door, drafts: readonly Draft[], dice: Dice): Promise<readonly Try[]> {
  const patience = dice.whole(PATIENCE_MS.least, PATIENCE_MS.most)
  const [first] = drafts
  const isBatch = drafts.length > 1
  const body = JSON.stringify(isBatch ? drafts.map(cloudEvent) : first && cloudEvent(first))
  const type = isBatch ? 'application/cloudevents-batch+json' : 'application/cloudevents+json'
  try {
    const response = await door('/api/v1/notification', {
      method: 'POST',
      headers: { 'content-type': type },
      body,
      signal: AbortSignal.timeout(patience),
    })
    const answer = (await response.json()) as Answer
    if (response.status >= 400 && response.status < 500) throw new RefusedError(answer.message)
    const results = isBatch ? answer.results : [{ ...answer, status: response.status }]
    return drafts.map((_, place) => toTry(results?.[place] ?? { ...answer, status: response.status }))
  } catch (error) {
    if (error instanceof RefusedError) throw error
    const outcome = isRefused(error) ? 'none' : 'unknown'
    return drafts.map(() => ({ outcome, at: performance.now() }))
  }
}

/** The members of an answer, or of one result in it, that are read here. */
interface Result {
  readonly status?: number | string
  readonly sequence?: string
  readonly revision?: string
  readonly key?: string
  readonly outcome?: string
  readonly code?: string
  readonly message?: string
}

interface Answer extends Result {
  readonly results?: readonly Result[]
}

function toTry({ status, sequence, revision, key, outcome, code }: Result): Try {
  const at = performance.now()
  if (status === 200 && sequence !== undefined && revision !== undefined && key !== undefined)
    return { outcome: 'stored', at, key, revision: BigInt(revision), sequence: BigInt(sequence) }
  return { outcome: outcome === 'none' ? 'none' : 'unknown', at, ...(code !== undefined && { code }) }
}

/** The ingest finds fault with a notification: a mistake of the test, not a fault that it made. */
class RefusedError extends Error {
  constructor(message = 'The ingest refused a notification') {
    super(message)
    this.name = 'RefusedError'
  }
}

/** Nobody listens there, so nothing was sent. */
function isRefused(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED'
}
