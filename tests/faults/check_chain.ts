/**
 * Checks what one listener got over all its connections against what the store holds.
 *
 * @module
 */

import { firstIndex } from '#shared/search.ts'
import type { Report } from './checker.ts'
import type { Chain, Position, Run, Session, Step } from './records.ts'
import {
  comparePositions,
  firstBehind,
  formatPosition,
  notificationContent,
  writeContent,
  writesContent,
  type Atom,
  type StoreView,
} from './store_view.ts'

/** A listener on its way through the store's history. */
interface Walk {
  readonly chain: Chain
  readonly atoms: readonly Atom[]
  readonly view: StoreView
  readonly report: (kind: Parameters<Report>[0], what: string) => void
  /** How far the listener is; absent before its first stream stood. */
  position: Position | undefined
  /** The next atom to come. */
  next: number
  /** Numbers of the atoms that came. */
  readonly delivered: Map<number, number>
  /** Atoms that need not come: before the start, or in an announced gap. */
  readonly excused: Set<number>
  /** A gap was announced without saying where history goes on. */
  isLostInGap: boolean
}

/** Reports everything that is wrong with a listener's deliveries. */
export function checkChain(chain: Chain, run: Run, view: StoreView, report: Report): void {
  const walk: Walk = {
    chain,
    view,
    atoms: view.atoms(chain.selection),
    report: (kind, what) => report(kind, chain.name, what),
    position: undefined,
    next: 0,
    delivered: new Map(),
    excused: new Set(),
    isLostInGap: false,
  }
  for (const session of chain.sessions) {
    startSession(walk, session)
    for (const step of session.steps) take(walk, step)
  }
  const missing = walk.atoms.length - walk.next
  if (walk.position !== undefined && missing > 0) {
    const from = walk.atoms[walk.next]
    walk.report(
      'stuck',
      `${missing} never came, the first at ${from === undefined ? '' : formatPosition(from)}`,
    )
  }
  if (walk.position === undefined) walk.report('stuck', 'no stream ever stood')
  if (chain.isPrompt) checkStale(walk, run)
}

function startSession(walk: Walk, { from }: Session): void {
  if (walk.position === undefined && from !== undefined) excuse(walk, from)
}

/** Goes on behind a position without what lies before it. */
function excuse(walk: Walk, position: Position): void {
  const next = firstBehind(walk.atoms, position, walk.next)
  for (let index = walk.next; index < next; index++) walk.excused.add(index)
  walk.position = position
  walk.next = next
}

function take(walk: Walk, step: Step): void {
  switch (step.kind) {
    case 'origin':
      return takeOrigin(walk, step.position)
    case 'notification':
      return deliver(walk, step.position, notificationContent(step), step.at)
    case 'revision': {
      const known = atomAt(walk, { revision: step.revision, index: 0 })
      const content = writesContent(step.writes)
      const isPart =
        known !== undefined &&
        content !== known.content &&
        step.writes.every((write) => known.content.split('\n').includes(writeContent(write)))
      if (isPart) walk.report('split', `revision ${step.revision} came in parts`)
      deliver(walk, { revision: step.revision, index: 0 }, isPart ? known.content : content, step.at)
      return
    }
    case 'reached':
      return reach(walk, step.position)
    case 'gap':
      return skip(walk, step)
  }
}

/** A stream that starts now defines the listener's position, unless it had one that was not given up in a gap. */
function takeOrigin(walk: Walk, position: Position): void {
  if (walk.position === undefined || walk.isLostInGap) {
    walk.isLostInGap = false
    return excuse(walk, position)
  }
  // A stream that goes on says where it does: that is a claim like any other.
  reach(walk, position)
}

function atomAt({ atoms }: Walk, position: Position): Atom | undefined {
  return atoms[indexOf(atoms, position)]
}

/** Index of the atom at a position, -1 for none. */
function indexOf(atoms: readonly Atom[], position: Position): number {
  const index = firstBehind(atoms, position) - 1
  const atom = atoms[index]
  return atom !== undefined && comparePositions(atom, position) === 0 ? index : -1
}

function deliver(walk: Walk, position: Position, content: string, at: number): void {
  const { atoms, delivered, report } = walk
  const index = indexOf(atoms, position)
  const place = `${formatPosition(position)} (${content.slice(0, 120)})`
  const atom = atoms[index]
  if (atom === undefined) {
    report(walk.view.hasRevision(position.revision) ? 'foreign' : 'invented', place)
    return
  }
  if (atom.content !== content) report('altered', `${place} should be ${atom.content.slice(0, 120)}`)
  if (walk.position !== undefined && comparePositions(position, walk.position) <= 0) {
    report(
      delivered.has(index) ? 'doubled' : 'reordered',
      `${place} came when ${formatPosition(walk.position)} was reached`,
    )
    return
  }
  pass(walk, index, `${formatPosition(position)} came`)
  delivered.set(index, at)
  walk.position = position
  walk.next = index + 1
}

function reach(walk: Walk, position: Position): void {
  const { atoms, report } = walk
  if (walk.position !== undefined && comparePositions(position, walk.position) < 0) {
    report('reordered', `position ${formatPosition(position)} came after ${formatPosition(walk.position)}`)
    return
  }
  const next = firstBehind(atoms, position, walk.next)
  pass(walk, next, `${formatPosition(position)} was reached`)
  walk.position = position
  walk.next = next
}

/** Everything up to an atom has been left out. */
function pass({ atoms, next, position, report }: Walk, until: number, why: string): void {
  if (next >= until) return
  const [first, last] = [atoms[next], atoms[until - 1]]
  if (first === undefined || last === undefined) return
  const from = position === undefined ? 'the start' : formatPosition(position)
  report(
    'lost',
    `${until - next} between ${from} and when ${why}: ${formatPosition(first)} ${first.label} … ${formatPosition(last)} ${last.label}`,
  )
}

/**
 * An announced gap must be true, and must be one: what can still be read must not be called gone. One that ends where the listener is costs nothing:
 * two services learn of a compaction at different times.
 */
function skip(walk: Walk, { oldest, at }: Extract<Step, { kind: 'gap' }>): void {
  const { view, report } = walk
  const compacted = view.compactedBefore(at)
  const reached = walk.position ?? { revision: 0n }
  if (oldest !== undefined) {
    const end = { revision: oldest - 1n }
    if (oldest > compacted)
      report('false_gap', `everything before ${oldest} was called gone, not ${compacted}`)
    if (comparePositions(end, reached) < 0)
      report('false_gap', `everything before ${oldest} was called gone at ${formatPosition(reached)}`)
    else excuse(walk, end)
    return
  }
  const wanted = reached.index === undefined ? reached.revision + 1n : reached.revision
  if (compacted <= wanted)
    report('false_gap', `${wanted} was called gone, but only what is before ${compacted} was compacted`)
  walk.isLostInGap = true
}

/** Nothing acknowledged waits too long on a stream that is open. */
function checkStale({ chain, atoms, delivered, excused, report }: Walk, { staleMs, endedAt }: Run): void {
  const { sessions } = chain
  for (const [index, { acknowledgedAt, label }] of atoms.entries()) {
    if (acknowledgedAt === undefined || excused.has(index)) continue
    const session = sessions[lastOpened(sessions, acknowledgedAt)]
    if (session === undefined) continue
    const until = Math.min(delivered.get(index) ?? endedAt, session.closedAt ?? endedAt)
    if (until - acknowledgedAt <= staleMs) continue
    report(
      'stale',
      `${label} was not delivered within ${Math.round(until - acknowledgedAt)} ms on an open stream`,
    )
  }
}

/** Index of the last session opened before a time, -1 for none. */
function lastOpened(sessions: readonly Session[], at: number): number {
  return firstIndex(sessions, ({ openedAt }) => openedAt > at) - 1
}
