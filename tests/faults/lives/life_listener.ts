/**
 * A listener over several lives of a store: it goes on where it was, and when it is told that its place is gone, it starts again from now.
 *
 * @module
 */

import type { Dice } from '../../support/dice.ts'
import type { Door } from '../door.ts'
import { listen, type Protocol, type Told } from '../listener.ts'
import { destinationPrefix } from '../notifications.ts'
import type { Chain, Selection, Session } from '../records.ts'
import { createSseProtocol } from '../sse_protocol.ts'
import { comparePositions, type StoreView } from '../store_view.ts'
import type { LifeListener } from './life_records.ts'

/** What it listens to. */
export interface LifePlan {
  readonly name: string
  readonly event: 'flight' | 'dissemination'
  /** Files are for a destination. */
  readonly destination?: string
  /** The number to start with; absent: from now on. */
  readonly fromNumber?: bigint
  /** Goes on behind a gap, instead of starting again from now. */
  readonly isPatient?: boolean
}

/** A running listener. */
export interface LivingListener {
  readonly chain: Chain
  readonly plan: LifePlan
  /** The last place that it knew before it was told; absent: it knew none. */
  oldCursor(): string | undefined
  isTold(): boolean
  readonly done: Promise<void>
}

const RECONNECT_MS = 200

/** Starts one. */
export function startLifeListener(
  plan: LifePlan,
  parts: { readonly doors: readonly [Door, ...Door[]]; readonly dice: Dice; readonly stop: AbortSignal },
): LivingListener {
  const { destination, event, name } = plan
  const { event: _, ...fields } = fieldsOf(plan)
  const memory: Memory = { latest: undefined, old: undefined, isTold: false }
  const protocol = remembering(createSseProtocol(event, fields), plan, memory)
  const selection: Selection = {
    kind: 'notifications',
    event,
    matches: (key) => destination === undefined || key.startsWith(destinationPrefix(destination)),
  }
  const { chain, done } = listen({
    name,
    selection,
    protocol,
    habit: 'prompt',
    isUndisturbed: true,
    ...parts,
    settle: parts.stop,
    brake: { heldUntil: 0 },
    limits: { reconnectMs: RECONNECT_MS },
  })
  return {
    chain,
    plan,
    done,
    oldCursor: () => memory.old ?? memory.latest,
    isTold: () => memory.isTold,
  }
}

/** What it asks for. */
export function fieldsOf({ event, destination }: LifePlan): Readonly<Record<string, string>> {
  return { event, ...(destination !== undefined && { destination }) }
}

interface Memory {
  latest: string | undefined
  old: string | undefined
  isTold: boolean
}

/** Forgets its place when it is told, and remembers which one that was. */
function remembering(inner: Protocol, { fromNumber, isPatient }: LifePlan, memory: Memory): Protocol {
  const note = (told: Told): Told => {
    if (typeof told.cursor === 'string' && told.step?.kind !== 'gap') memory.latest = told.cursor
    if (told.step?.kind !== 'gap' || isPatient === true) return told
    memory.old ??= memory.latest
    memory.isTold = true
    return { ...told, cursor: null }
  }
  return {
    ...inner,
    request: (cursor) => {
      const request = inner.request(cursor)
      if (cursor !== undefined || fromNumber === undefined) return request
      return { ...request, path: `${request.path}&from_id=${fromNumber}` }
    },
    reader: (take, cursor) => inner.reader((told) => take(note(told)), cursor),
    refusal: (status, body) => {
      const told = inner.refusal(status, body)
      return told === undefined ? undefined : note(told)
    },
  }
}

/** Divides its connections where it was told. */
export function divide({ chain, isTold }: LivingListener): LifeListener {
  const sessions = [...chain.sessions]
  const end = sessions.findIndex(({ steps }) => steps.some(({ kind }) => kind === 'gap'))
  const last = end === -1 ? sessions.length : end + 1
  const before = sessions
    .slice(0, last)
    .map(withoutGap)
    .filter(({ steps }) => steps.length > 0)
  return {
    before: { ...chain, isPrompt: false, sessions: before },
    after: { ...chain, sessions: sessions.slice(last) },
    isTold: isTold(),
  }
}

function withoutGap(session: Session): Session {
  return { ...session, steps: session.steps.filter(({ kind }) => kind !== 'gap') }
}

/** Whether all listeners have their last notification. */
export function hasArrived(chains: readonly Chain[], view: StoreView): boolean {
  return chains.every(({ selection, sessions }) => {
    const last = view.atoms(selection).at(-1)
    if (last === undefined) return true
    return sessions.some(({ steps }) => {
      const step = steps.at(-1)
      return step !== undefined && 'position' in step && comparePositions(step.position, last) >= 0
    })
  })
}
