/**
 * What an operator asks of a store besides the port: its members, their room, alarms. An optional power, because not every
 * store has members.
 *
 * @module
 */

import type { AvisoError } from '#shared/errors.ts'
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

/** Limits one snapshot, and hears how far it is. */
export interface SnapshotOptions extends CallOptions {
  /** @param share Done so far, from 0 to 1. The copy is made and verified before its first byte is read. */
  readonly onProgress?: (share: number) => void
}

/** A whole, consistent copy of a store at one revision, as the bytes of one file. */
export interface StoreSnapshot {
  /** Revision that the copy holds: everything up to and including it. */
  readonly revision: Revision
  /** Bytes of the copy. */
  readonly sizeBytes: number
  /** The copy, in pieces, once. Leaving the loop gives its room back. */
  readonly bytes: AsyncIterable<Uint8Array>
  /** Gives the room of a copy back that is not read to its end. Idempotent. */
  release(): Promise<void>
}

/** The power to be copied while it is read and written. Optional: a store without it is copied with its own tools. */
export interface StoreBackup {
  /**
   * Copies the store. Reads and writes go on meanwhile. One at a time.
   *
   * @throws {AvisoError} `ERR_CONFLICT` while another copy is made or read, `ERR_STORE_FULL` without room for the copy,
   *   `ERR_STORE_DAMAGED` where what was copied does not agree with its checksums.
   */
  snapshot(options?: SnapshotOptions): Promise<StoreSnapshot>
}

/** A store that can be copied, or the reason why it cannot. */
export type BackupPower =
  | { readonly backup: StoreBackup; readonly refusal?: undefined }
  | { readonly backup?: undefined; readonly refusal: AvisoError }
