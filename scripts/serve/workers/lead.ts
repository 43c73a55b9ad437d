/**
 * What the first of several workers does besides serving: it starts the others, and answers them. It is loaded where there are several.
 *
 * @module
 */

import { createElsewhere, type Elsewhere } from '#shared/access/quota/elsewhere.ts'
import type { Handler } from '#shared/handler.ts'
import type { RunningServer } from '#shared/runtime/runtime.ts'
import { systemClock } from '#shared/time/clock.ts'
import { workerCommand } from '../../released.ts'
import type { launch, LaunchParts } from '../launch.ts'
import { withAllStreams } from './all_streams.ts'
import { createDoors } from './doors.ts'
import { createFamily, type Family } from './family.ts'
import { createQuotaDoor, type QuotaDoor } from './quota_door.ts'
import { FIRST, SOCKET_MODE, socketOf } from './place.ts'

export interface Lead {
  readonly family: Family
  /** Counts attempts with the other workers. */
  readonly elsewhere: Elsewhere
  /** Answers for the streams of all workers. */
  readonly forAll: (handler: Handler) => Handler
  /** Opens the socket at which the other workers ask this one. */
  openDoors(launched: Awaited<ReturnType<typeof launch>>): Promise<RunningServer>
}

/** @param count Workers, with this one. */
export function createLead(count: number, { platform, logger }: LaunchParts): Lead {
  const command = workerCommand(platform.name)
  let quotas: QuotaDoor | undefined
  const onEnded = (life: number): void => quotas?.ended(life)
  const family = createFamily({ count, command, platform, clock: systemClock, logger, onEnded })
  const elsewhere = createElsewhere((one) => family.order({ kind: 'counted', counted: [one] }))
  return {
    family,
    elsewhere,
    forAll: (handler) => withAllStreams(handler, family.up),
    openDoors: (launched) => {
      quotas = createQuotaDoor(launched.system.quotas, family.isAlive)
      const doors = createDoors({
        ...launched,
        onListening: family.listening,
        quotas,
        onCounted: (life, counted) => {
          for (const one of counted) elsewhere.take(one)
          family.order({ kind: 'counted', counted }, life)
        },
      })
      return platform.serve(doors, { path: socketOf(family.folder, FIRST), mode: SOCKET_MODE })
    },
  }
}
