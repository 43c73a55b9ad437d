/**
 * Frees a store's unused disk space, one member after the other, the leader last.
 *
 * A member answers no request while it is defragmented. So the next member begins only when the last one answers and has caught up.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { StoreMaintenance, StoreMember } from '#shared/store/maintenance.ts'
import type { CallOptions } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import type { Claim } from './claim.ts'

/** Time between two checks of a member that is coming back, and the longest time that it may take. */
const RETURN_MS = { poll: 200, most: 60_000 } as const
/** A member that is further behind than this is still catching up. */
const MAX_LAG_REVISIONS = 100n

export interface DefragmenterParts {
  readonly maintenance: StoreMaintenance
  readonly clock: Clock
  readonly logger: Logger
}

/** Which members to defragment, and how. */
export interface DefragmentOptions extends CallOptions {
  /** Absent in a dry run. */
  readonly claim: Claim | undefined
  /** Defragment only members with at least so many unused bytes, and more unused than used; absent: all members. */
  readonly wasteBytes?: number | undefined
}

/** The result for one member. */
export interface MemberReport {
  readonly id: string
  readonly name: string
  readonly is_leader: boolean
  readonly bytes_before: number
  readonly bytes_in_use: number
  /** Absent in a dry run. */
  readonly bytes_after?: number
}

/** The result of a run. */
export interface DefragmentReport {
  readonly members: readonly MemberReport[]
  /** Number of `NOSPACE` alarms (a member's disk quota is used up) that were cleared. */
  readonly disarmed: number
}

/**
 * Runs the defragmenter once, and clears `NOSPACE` alarms after all members have space again.
 *
 * @throws {AvisoError} `ERR_STORE_UNAVAILABLE` when a member does not answer. Nothing is done then, because no other member may pause.
 *   The same code when a member does not come back. `ERR_JOB_RUNNING` when another admin has taken over, and what the store throws.
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

/** Waits until a member answers and has caught up with the others. */
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
        'A member has not come back after its defragmentation: check it, then run defragment again',
      )
    await clock.sleep(RETURN_MS.poll, options.signal)
  }
}

/** Clears `NOSPACE` alarms. Only after defragmentation: an alarm cleared while a member is full returns with the next write. */
async function disarm({ maintenance, logger }: DefragmenterParts, options: CallOptions): Promise<number> {
  const alarms = (await maintenance.alarms(options)).filter(({ kind }) => kind === 'NOSPACE')
  for (const alarm of alarms) {
    await maintenance.disarm(alarm, options)
    logger('warn', 'The NOSPACE alarm of a member was cleared', { member: alarm.memberId })
  }
  return alarms.length
}

function toReport({ id, name, isLeader, sizeBytes, sizeInUseBytes }: StoreMember): MemberReport {
  return { id, name, is_leader: isLeader, bytes_before: sizeBytes, bytes_in_use: sizeInUseBytes }
}

function unreachable({ name, id }: StoreMember): AvisoError {
  return new AvisoError(
    'ERR_STORE_UNAVAILABLE',
    `The member ${name === '' ? id : name} does not answer, so no other member may pause: restart it first, and name all members in the store's address`,
  )
}
