/**
 * What an operator asks of a store besides the port: its members, their room, alarms. An optional power, because not every
 * store has members.
 *
 * @module
 */

import type { CallOptions, Revision } from './store.ts'

/** One server of a store. */
export interface StoreMember {
  /** Id as the store writes it; stable while the member exists. */
  readonly id: string
  readonly name: string
  /** Whether it answered. If it did not, the figures below are 0 or absent. */
  readonly isReachable: boolean
  readonly isLeader: boolean
  readonly version?: string
  readonly revision?: Revision
  /** Bytes of its file, and bytes of those in use. The difference is room that only {@link StoreMaintenance.defragment} gives back. */
  readonly sizeBytes: number
  readonly sizeInUseBytes: number
}

/** Something a store has raised until an operator takes it back. */
export interface StoreAlarm {
  readonly memberId: string
  /** `NOSPACE`: it refuses to grow. `CORRUPT`: a member's data differ from the others'. */
  readonly kind: string
}

/** Maintenance of a store. Every method throws `AvisoError` as those of `Store` do. */
export interface StoreMaintenance {
  members(options?: CallOptions): Promise<readonly StoreMember[]>
  /** Rewrites one member's file without unused room. The member answers no requests meanwhile: about 12 ms for each MB in use. */
  defragment(memberId: string, options?: CallOptions): Promise<void>
  alarms(options?: CallOptions): Promise<readonly StoreAlarm[]>
  /** Takes an alarm back. It comes again while its cause remains. */
  disarm(alarm: StoreAlarm, options?: CallOptions): Promise<void>
}
