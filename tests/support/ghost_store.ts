/**
 * A store whose writes misbehave as those of a real cluster under faults do: answers get lost, requests are doubled, and given-up writes are
 * applied late, in any order. Everything is drawn from one seed.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { Store, TxnRequest, TxnResult } from '#shared/store/store.ts'

/** How often each fault strikes, as parts of 1. What is left over works. */
export interface GhostFaults {
  /** Applied, but the answer is lost. */
  readonly answerLost: number
  /** Answered as unknown, applied at some later time. */
  readonly late: number
  /** Answered as unknown, never applied. */
  readonly dropped: number
  /** Applied and answered, and applied once more later. */
  readonly doubled: number
  /** Applied twice, the second answer counts. */
  readonly repeated: number
  /** Certainly not applied. */
  readonly unavailable: number
  /** Never answered; applied late or not at all. */
  readonly silent: number
}

export const NO_FAULTS: GhostFaults = {
  answerLost: 0,
  late: 0,
  dropped: 0,
  doubled: 0,
  repeated: 0,
  unavailable: 0,
  silent: 0,
}

export const ALL_FAULTS: GhostFaults = {
  answerLost: 0.1,
  late: 0.15,
  dropped: 0.05,
  doubled: 0.1,
  repeated: 0.05,
  unavailable: 0.05,
  silent: 0.01,
}

export interface GhostStore extends Store {
  /** Applies everything that is still under way. */
  flush(): Promise<void>
  /** Faults so far, by name. */
  readonly struck: ReadonlyMap<keyof GhostFaults, number>
}

/** Wraps a store. */
export function createGhostStore(store: Store, random: () => number, faults: GhostFaults): GhostStore {
  const ghosts: TxnRequest[] = []
  const struck = new Map<keyof GhostFaults, number>()

  async function haunt(share: number): Promise<void> {
    for (let left = ghosts.length; left > 0; left--) {
      if (random() >= share) continue
      const [ghost] = ghosts.splice(Math.floor(random() * ghosts.length), 1)
      // A late write whose lease has ended is refused, as it should be.
      if (ghost !== undefined) await store.txn(ghost).catch(() => undefined)
    }
  }
  function draw(): keyof GhostFaults | undefined {
    let point = random()
    for (const [name, share] of Object.entries(faults) as [keyof GhostFaults, number][]) {
      if (point < share) {
        struck.set(name, (struck.get(name) ?? 0) + 1)
        return name
      }
      point -= share
    }
    return undefined
  }
  async function txn(request: TxnRequest): Promise<TxnResult> {
    await haunt(0.3)
    switch (draw()) {
      case undefined:
        return store.txn(request)
      case 'answerLost':
        await store.txn(request)
        throw unknown()
      case 'late':
        ghosts.push(request)
        throw unknown()
      case 'dropped':
        throw unknown()
      case 'doubled':
        ghosts.push(request)
        return store.txn(request)
      case 'repeated':
        await store.txn(request)
        return store.txn(request)
      case 'unavailable':
        throw new AvisoError('ERR_STORE_UNAVAILABLE', 'Not sent')
      case 'silent':
        if (random() < 0.5) ghosts.push(request)
        return new Promise(() => undefined)
    }
  }
  return { ...store, txn, flush: () => haunt(1), struck }
}

function unknown(): AvisoError {
  return new AvisoError('ERR_OUTCOME_UNKNOWN', 'Sent, but not answered')
}
