/** The history checker on histories made by hand: a true one passes, and each kind of damage is found. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkRun, countByKind } from './checker.ts'
import { createDice } from '../support/dice.ts'
import type { Chain, Operation, Run, Session, Step, StoredRevision } from './records.ts'
import { createStoreView } from './store_view.ts'

const PREFIX = '/air/'
const EVENT = 'flight'
/** Milliseconds between two revisions in these histories. */
const STEP_MS = 10

/** A history that can be damaged. */
interface Draft {
  operations: Operation[]
  revisions: StoredRevision[]
  compactions: { revision: bigint; at: number }[]
  chains: Chain[]
  endedAt: number
}

/** `count` revisions of one to three notifications, all acknowledged and delivered to one listener of each kind. */
function drawRun(count: number, seed = 1): Draft {
  const dice = createDice(seed)
  const operations: Operation[] = []
  const revisions: StoredRevision[] = []
  let sequence = 0
  let previous = 0n
  for (let place = 0; place < count; place++) {
    const revision = BigInt(place + 2)
    const at = place * STEP_MS
    const entries = Array.from({ length: dice.whole(1, 3) }, (_, index) => {
      sequence++
      const key = `${PREFIX}${index % 2 === 0 ? 'italy' : 'france'}/${index}`
      return { key, sequence, id: `op-${sequence}` }
    })
    for (const entry of entries) {
      operations.push({
        id: entry.id,
        event: EVENT,
        key: entry.key,
        invokedAt: at,
        tries: [
          { outcome: 'stored', at: at + 5, key: entry.key, revision, sequence: BigInt(entry.sequence) },
        ],
      })
    }
    const writes = entries.map(({ key, id }) => ({ kind: 'put' as const, key, value: id }))
    revisions.push({
      revision,
      writes: [...writes, { kind: 'put', key: PREFIX, value: `#${place}/9` }],
      journals: [{ event: EVENT, previous, place: 0, entries }],
    })
    previous = revision
  }
  const draft = { operations, revisions, compactions: [], chains: [], endedAt: count * STEP_MS }
  const chains = [
    chainOf('all', draft, { kind: 'notifications', event: EVENT, matches: () => true }),
    chainOf('italy', draft, {
      kind: 'notifications',
      event: EVENT,
      matches: (key) => key.includes('/italy/'),
    }),
    chainOf('keys', draft, { kind: 'keys', prefix: PREFIX }),
  ]
  return { ...draft, chains }
}

/** A listener that got everything over one connection. */
function chainOf(name: string, draft: Omit<Draft, 'chains'>, selection: Chain['selection']): Chain {
  const view = createStoreView({ ...draft, chains: [], staleMs: 0 })
  const steps: Step[] = [{ kind: 'origin', at: 0, position: { revision: 1n } }]
  if (selection.kind === 'keys') {
    for (const { revision, writes } of draft.revisions)
      steps.push({ kind: 'revision', at: Number(revision) * STEP_MS, revision, writes })
  } else {
    for (const { revision, index, key, value, sequence } of view.notifications) {
      const at = Number(revision) * STEP_MS
      if (selection.matches(key))
        steps.push({ kind: 'notification', at, position: { revision, index }, key, value, sequence })
    }
  }
  steps.push({
    kind: 'reached',
    at: draft.endedAt,
    position: { revision: draft.revisions.at(-1)?.revision ?? 0n },
  })
  return {
    name,
    selection,
    isPrompt: true,
    sessions: [{ openedAt: 0, closedAt: undefined, reason: undefined, from: undefined, steps }],
  }
}

function check(draft: Draft): Readonly<Record<string, number>> {
  const run: Run = { ...draft, staleMs: 100 }
  return countByKind(checkRun(run))
}

/** The steps of one listener's only connection. */
function stepsOf(draft: Draft, name: string): Step[] {
  const session = draft.chains.find((chain) => chain.name === name)?.sessions[0]
  assert.ok(session !== undefined)
  return session.steps
}

function only(draft: Draft, name: string): Draft {
  return { ...draft, chains: draft.chains.filter((chain) => chain.name === name) }
}

/** Splits a connection in two at a step; the second one starts behind `from`. */
function reconnect(draft: Draft, name: string, at: number, from: Session['from']): void {
  const chain = draft.chains.find((candidate) => candidate.name === name)
  const first = chain?.sessions[0]
  assert.ok(chain !== undefined && first !== undefined)
  const later = first.steps.splice(at)
  const openedAt = later[0]?.at ?? 0
  first.closedAt = openedAt
  chain.sessions.push({ openedAt, closedAt: undefined, reason: undefined, from, steps: later })
}

describe('checkRun() on a listener', () => {
  it('finds nothing in a true history, over one connection or several', () => {
    const draft = drawRun(50)
    assert.deepEqual(check(draft), {})
    reconnect(draft, 'all', 10, undefined)
    reconnect(draft, 'keys', 5, { revision: 5n })
    assert.deepEqual(check(draft), {})
  })

  it('finds a lost notification', () => {
    const draft = only(drawRun(20), 'all')
    stepsOf(draft, 'all').splice(7, 1)
    assert.equal(check(draft)['lost'], 1)
  })

  it('finds a stretch lost between a resumed stream and what came before', () => {
    const draft = only(drawRun(20), 'keys')
    reconnect(draft, 'keys', 6, undefined)
    draft.chains[0]?.sessions[1]?.steps.splice(0, 3)
    assert.equal(check(draft)['lost'], 1)
  })

  it('finds what is lost behind a position that claims it', () => {
    const draft = only(drawRun(20), 'all')
    const steps = stepsOf(draft, 'all')
    const lost = steps.splice(5, 1)[0]
    assert.ok(lost?.kind === 'notification')
    steps.splice(5, 0, { kind: 'reached', at: lost.at, position: lost.position })
    assert.equal(check(draft)['lost'], 1)
  })

  it('finds a doubled notification, and one doubled by a resumed stream', () => {
    const draft = only(drawRun(20), 'all')
    const steps = stepsOf(draft, 'all')
    const again = steps[4]
    assert.ok(again !== undefined)
    steps.splice(5, 0, again)
    assert.deepEqual(check(draft), { doubled: 1 })
    reconnect(draft, 'all', 5, undefined)
    assert.deepEqual(check(draft), { doubled: 1 })
  })

  it('finds two that were swapped', () => {
    const draft = only(drawRun(20), 'all')
    const steps = stepsOf(draft, 'all')
    const [first, second] = steps.slice(8, 10)
    assert.ok(first !== undefined && second !== undefined)
    steps.splice(8, 2, second, first)
    assert.equal(check(draft)['reordered'], 1)
  })

  it('finds a position that goes back', () => {
    const draft = only(drawRun(20), 'all')
    stepsOf(draft, 'all').splice(15, 0, { kind: 'reached', at: 0, position: { revision: 2n } })
    assert.deepEqual(check(draft), { reordered: 1 })
  })

  it('finds a foreign, an invented and an altered notification', () => {
    const foreign = only(drawRun(20), 'italy')
    const other = stepsOf(drawRun(20), 'all').find(
      (step) => step.kind === 'notification' && step.key.includes('france'),
    )
    assert.ok(other !== undefined)
    stepsOf(foreign, 'italy').splice(-1, 0, other)
    assert.deepEqual(check(foreign), { foreign: 1 })

    const invented = only(drawRun(20), 'all')
    const step = stepsOf(invented, 'all')[3]
    assert.ok(step?.kind === 'notification')
    stepsOf(invented, 'all').splice(3, 0, { ...step, position: { revision: 999n, index: 0 } })
    assert.deepEqual(check(invented), { invented: 1 })

    for (const damage of [{ value: 'op-999' }, { sequence: 999n }, { key: '/air/italy/9' }]) {
      const altered = only(drawRun(20), 'all')
      stepsOf(altered, 'all')[3] = { ...step, ...damage }
      assert.equal(check(altered)['altered'], 1)
    }
  })

  it('finds a revision that came in parts', () => {
    const draft = only(drawRun(20), 'keys')
    const steps = stepsOf(draft, 'keys')
    const index = steps.findIndex((step) => step.kind === 'revision' && step.writes.length > 2)
    const whole = steps[index]
    assert.ok(whole?.kind === 'revision')
    steps[index] = { ...whole, writes: whole.writes.slice(0, 1) }
    assert.deepEqual(check(draft), { split: 1 })
  })

  it('finds a stream that stood still, and one that never stood', () => {
    const draft = only(drawRun(20), 'keys')
    stepsOf(draft, 'keys').splice(10)
    const found = check({ ...draft, endedAt: 100_000 })
    assert.deepEqual([found['stuck'], (found['stale'] ?? 0) > 0], [1, true])
    stepsOf(draft, 'keys').splice(0)
    assert.equal(check(draft)['stuck'], 1)
  })

  it('finds what came too late on an open stream only', () => {
    const draft = only(drawRun(20), 'all')
    const steps = stepsOf(draft, 'all')
    for (const [index, step] of steps.entries())
      if (index > 20) steps[index] = { ...step, at: step.at + 1_000 }
    assert.deepEqual(Object.keys(check(draft)), ['stale'])
    const session = draft.chains[0]?.sessions[0]
    assert.ok(session !== undefined)
    session.closedAt = 0
    assert.deepEqual(check(draft), {})
  })
})

describe('checkRun() on gaps', () => {
  /** Cuts revisions 5 to 9 out of a listener's stream and says so. */
  function withGap(oldest: bigint | undefined, compacted: bigint | undefined): Draft {
    const draft = only(drawRun(20), 'keys')
    const steps = stepsOf(draft, 'keys')
    const before = steps.filter((step) => step.kind !== 'revision' || step.revision < 5n)
    const rest = before.splice(1 + 3)
    const behind = steps.filter((step) => step.kind === 'revision' && step.revision >= 10n)
    const origin: Step = { kind: 'origin', at: 100, position: { revision: 9n } }
    const gap: Step = { kind: 'gap', at: 100, oldest }
    steps.splice(
      0,
      steps.length,
      ...before,
      gap,
      ...(oldest === undefined ? [origin] : []),
      ...behind,
      ...rest,
    )
    if (compacted !== undefined) draft.compactions.push({ revision: compacted, at: 50 })
    return draft
  }

  it('accepts one that was announced and really compacted', () => {
    assert.deepEqual(check(withGap(10n, 10n)), {})
    assert.deepEqual(check(withGap(undefined, 10n)), {})
  })

  it('finds one that was not compacted, or not yet, or not so far', () => {
    assert.ok((check(withGap(10n, undefined))['false_gap'] ?? 0) > 0)
    assert.ok((check(withGap(undefined, undefined))['false_gap'] ?? 0) > 0)
    assert.equal(check(withGap(10n, 8n))['false_gap'], 1)
    const late = withGap(10n, undefined)
    late.compactions.push({ revision: 10n, at: 101 })
    assert.ok((check(late)['false_gap'] ?? 0) > 0)
  })

  it('finds one that ends before the listener, and lets one pass that ends where it is', () => {
    const draft = only(drawRun(20), 'keys')
    draft.compactions.push({ revision: 6n, at: 0 })
    stepsOf(draft, 'keys').splice(5, 0, { kind: 'gap', at: 100, oldest: 6n })
    assert.deepEqual(check(draft), {})
    stepsOf(draft, 'keys').splice(7, 0, { kind: 'gap', at: 100, oldest: 6n })
    assert.deepEqual(check(draft), { false_gap: 1 })
  })

  it('finds a gap that says less than was left out', () => {
    assert.equal(check(withGap(8n, 10n))['lost'], 1)
  })
})

describe('checkRun() on the store', () => {
  const bare = (): Draft => ({ ...drawRun(20), chains: [] })

  it('finds an acknowledged notification that is not stored', () => {
    const draft = bare()
    draft.revisions.pop()
    assert.ok((check(draft)['lost'] ?? 0) > 0)
  })

  it('finds one that is stored twice', () => {
    const draft = bare()
    const last = draft.revisions.at(-1)
    assert.ok(last !== undefined)
    const [journal] = last.journals
    assert.ok(journal !== undefined)
    const revision = last.revision + 1n
    const entries = journal.entries.map((entry) => ({
      ...entry,
      sequence: entry.sequence + journal.entries.length,
    }))
    draft.revisions.push({ ...last, revision, journals: [{ ...journal, previous: last.revision, entries }] })
    assert.deepEqual(check(draft), { doubled: journal.entries.length })
  })

  it('finds a jump of numbers, a broken chain and a journal that does not fit', () => {
    const draft = bare()
    draft.revisions.splice(10, 1)
    assert.ok((check(draft)['journal'] ?? 0) >= 2)

    const unwritten = bare()
    const first = unwritten.revisions[0]
    assert.ok(first !== undefined)
    unwritten.revisions[0] = { ...first, writes: first.writes.slice(1) }
    assert.equal(check(unwritten)['journal'], 1)

    const undescribed = bare()
    const second = undescribed.revisions.at(-1)
    assert.ok(second !== undefined)
    undescribed.revisions[undescribed.revisions.length - 1] = { ...second, journals: [] }
    assert.ok((check(undescribed)['journal'] ?? 0) > 0)

    const shared = bare()
    const third = shared.revisions.at(-1)
    const [journal] = third?.journals ?? []
    assert.ok(third !== undefined && journal !== undefined)
    const other = { ...journal, event: 'other', previous: 0n, entries: [] }
    shared.revisions[shared.revisions.length - 1] = { ...third, journals: [journal, other] }
    assert.equal(check(shared)['journal'], 1)
  })

  it('finds a notification of nobody', () => {
    const draft = bare()
    draft.operations.splice(3, 1)
    assert.deepEqual(check(draft), { invented: 1 })
  })

  it('finds an acknowledgement with another place, and a second one that contradicts the first', () => {
    for (const damage of [{ revision: 99n }, { sequence: 99n }]) {
      const draft = bare()
      const operation = draft.operations[5]
      const answer = operation?.tries[0]
      assert.ok(operation !== undefined && answer?.outcome === 'stored')
      operation.tries.push({ ...answer, ...damage })
      assert.deepEqual(check(draft), { misplaced: 1 })
    }
  })

  it('finds what was refused but is stored, unless an earlier answer left it open', () => {
    const draft = bare()
    const operation = draft.operations[5]
    assert.ok(operation !== undefined)
    operation.tries.splice(0, 1, { outcome: 'none', at: 1 })
    assert.deepEqual(check(draft), { ghost: 1 })
    operation.tries.unshift({ outcome: 'unknown', at: 0 })
    assert.deepEqual(check(draft), {})
  })

  it('finds one that was published after another was acknowledged, but is stored before it', () => {
    const draft = bare()
    const operation = draft.operations[2]
    assert.ok(operation !== undefined)
    draft.operations[2] = { ...operation, invokedAt: 1_000 }
    assert.equal(check(draft)['not_real_time'], 1)
  })
})

describe('checkRun() on large histories', () => {
  it('takes 100,000 notifications of three listeners in a few seconds', () => {
    const draft = drawRun(50_000, 7)
    assert.ok(draft.operations.length > 90_000)
    assert.deepEqual(check(draft), {})
  })
})
