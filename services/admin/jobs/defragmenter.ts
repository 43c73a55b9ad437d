/**
 * Gives a store's unused room back, one member after the other, the leader last.
 *
 * A member that is defragmented answers nobody, so the next one has its turn only when the last one is back and has caught up.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { StoreMaintenance, StoreMember } from '#shared/store/maintenance.ts'
import type { CallOptions } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import type { Claim } from './claim.ts'

/** Between looks at a member that is coming back, and how long it may take. */
const RETURN_MS = { poll: 200, most: 60_000 } as const
/** A member so far behind is still catching up. */
const MAX_LAG_REVISIONS = 100n

/** What the defragmenter works with. */
export interface DefragmenterParts {
  readonly maintenance: StoreMaintenance
  readonly clock: Clock
  readonly logger: Logger
}

/** Which members, and how. */
export interface DefragmentOptions extends CallOptions {
  /** Absent: only looks. */
  readonly claim: Claim | undefined
  /** Members with at least so much unused room, and more of it than of used; absent: all. Bytes. */
  readonly wasteBytes?: number | undefined
}

/** What was done to a member. */
export interface MemberReport {
  readonly id: string
  readonly name: string
  readonly is_leader: boolean
  readonly bytes_before: number
  readonly bytes_in_use: number
  /** Absent where it was only looked at. */
  readonly bytes_after?: number
}

/** What a run did. */
export interface DefragmentReport {
  readonly members: readonly MemberReport[]
  /** Alarms for want of room that were taken back. */
  readonly disarmed: number
}

/**
 * Runs once, and takes back the alarms for want of room once all members have it again.
 *
 * @throws {AvisoError} `ERR_STORE_UNAVAILABLE` before anything is done when a member does not answer: with one member away, another
 *   one must not pause. Also what the store throws, and `ERR_JOB_RUNNING`.
 */
export async function defragment(
  parts: DefragmenterParts,
  options: DefragmentOptions,
): Promise<DefragmentReport> {
  const { maintenance, logger } = parts
  const members = await maintenance.members(options)
  const away = members.find(({ isReachable }) => !isReachable)
  if (away !== undefined) throw unreachable(away)
  const chosen = members
    .filter(({ sizeBytes, sizeInUseBytes }) =>
      isWorthwhile(sizeBytes - sizeInUseBytes, sizeInUseBytes, options),
    )
    .toSorted((a, b) => Number(a.isLeader) - Number(b.isLeader))
  const reports: MemberReport[] = []
  for (const member of chosen) {
    if (options.claim === undefined) {
      reports.push(toReport(member))
      continue
    }
    await options.claim.renew()
    await maintenance.defragment(member.id, options)
    const after = await returned(parts, member, options)
    logger('info', 'A member of the store was defragmented', {
      member: member.name,
      bytes_before: member.sizeBytes,
      bytes_after: after.sizeBytes,
    })
    reports.push({ ...toReport(member), bytes_after: after.sizeBytes })
    await options.claim.progress({ members: reports })
  }
  const isComplete = chosen.length === members.length && options.claim !== undefined
  return { members: reports, disarmed: isComplete ? await disarm(parts, options) : 0 }
}

function isWorthwhile(unusedBytes: number, usedBytes: number, { wasteBytes }: DefragmentOptions): boolean {
  return wasteBytes === undefined || (unusedBytes >= wasteBytes && unusedBytes > usedBytes)
}

/** Waits until a member answers and has what the others have. */
async function returned(
  { maintenance, clock }: DefragmenterParts,
  { id }: StoreMember,
  options: DefragmentOptions,
): Promise<StoreMember> {
  const deadline = clock.monotonic() + RETURN_MS.most
  for (;;) {
    const members = await maintenance.members(options)
    const member = members.find((each) => each.id === id)
    const newest = members.reduce((most, { revision = 0n }) => (revision > most ? revision : most), 0n)
    if (member?.isReachable === true && newest - (member.revision ?? 0n) <= MAX_LAG_REVISIONS) return member
    if (clock.monotonic() >= deadline || options.signal?.aborted === true)
      throw new AvisoError(
        'ERR_STORE_UNAVAILABLE',
        'A member has not come back after its defragmentation: look at it before going on',
      )
    await clock.sleep(RETURN_MS.poll, options.signal)
  }
}

/** In this order only: an alarm that is taken back while a member is full comes again with the next write. */
async function disarm({ maintenance, logger }: DefragmenterParts, options: CallOptions): Promise<number> {
  const alarms = (await maintenance.alarms(options)).filter(({ kind }) => kind === 'NOSPACE')
  for (const alarm of alarms) {
    await maintenance.disarm(alarm, options)
    logger('warn', 'The alarm of a member that had no room was taken back', { member: alarm.memberId })
  }
  return alarms.length
}

function toReport({ id, name, isLeader, sizeBytes, sizeInUseBytes }: StoreMember): MemberReport {
  return { id, name, is_leader: isLeader, bytes_before: sizeBytes, bytes_in_use: sizeInUseBytes }
}

function unreachable({ name, id }: StoreMember): AvisoError {
  return new AvisoError(
    'ERR_STORE_UNAVAILABLE',
    `The member ${name === '' ? id : name} does not answer, so no other one may pause: bring it back first, and name all members in the store's address`,
  )
}
