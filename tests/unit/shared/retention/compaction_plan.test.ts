import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { planCompaction, type CompactionPlan } from '#shared/retention/compaction_plan.ts'
import { NO_HISTORY, encodeHistory, parseHistory, type MarkHistory } from '#shared/retention/mark_history.ts'

const HOUR_MS = 3_600_000
const GAP_MS = 3 * HOUR_MS
const START = Date.UTC(2026, 0, 1)
const rules = { longestGapMs: GAP_MS }

/** A store that remembers when, in truth, each revision was written. */
function createModel(retentionMs: number) {
  const writtenAt: number[] = [0, 0]
  let trueNow = START
  let stored: MarkHistory = NO_HISTORY
  let oldest = 1n
  const claims = new Set<bigint>()
  const head = (): bigint => BigInt(writtenAt.length - 1)
  const write = (): void => void writtenAt.push(trueNow)
  return {
    write,
    head,
    oldest: () => oldest,
    pass: (ms: number) => {
      trueNow += ms
    },
    trueNow: () => trueNow,
    /** What every run writes first. @returns Its revision. */
    claim: (): bigint => {
      write()
      claims.add(head())
      return head()
    },
    read: () => stored,
    plan: (history: MarkHistory, clockErrorMs: number, boundary: bigint): CompactionPlan =>
      planCompaction({
        history,
        head: head(),
        boundary,
        now: trueNow + clockErrorMs,
        retentionMs,
        longestAgeMs: retentionMs,
        rules,
      }),
    /** Compare-and-swap of the history. */
    put: (seen: MarkHistory, next: MarkHistory): boolean => {
      if (stored !== seen) return false
      stored = parseHistory(encodeHistory(next))
      write()
      return true
    },
    compact: (target: bigint) => {
      if (target <= oldest) return
      const youngest = writtenAt[Number(target)] ?? Infinity
      assert.ok(claims.has(target), 'the target is a write of ours, which deletes nothing')
      assert.ok(
        trueNow - youngest >= retentionMs,
        `compacted ${(retentionMs - (trueNow - youngest)) / HOUR_MS} h early`,
      )
      oldest = target
    },
  }
}

type Model = ReturnType<typeof createModel>

/** One admin's run, which may stop after any step. */
function run(model: Model, clockErrorMs: number, stopAfter: number): void {
  const boundary = model.claim()
  // Somebody deletes a key meanwhile.
  model.write()
  const seen = model.read()
  const plan = model.plan(seen, clockErrorMs, boundary)
  if (stopAfter === 0 || !model.put(seen, plan.history)) return
  if (stopAfter === 1 || plan.target === undefined) return
  model.compact(plan.target)
}

/** Two admins that read the same history; the slower one finds its write refused, and plans again. */
function runTogether(model: Model, one: number, other: number): void {
  const claims = [model.claim(), model.claim()] as const
  const seen = model.read()
  const plans = [model.plan(seen, one, claims[1]), model.plan(seen, other, claims[0])] as const
  assert.ok(model.put(seen, plans[0].history))
  assert.ok(!model.put(seen, plans[1].history))
  if (plans[0].target !== undefined) model.compact(plans[0].target)
  run(model, other, 2)
}

const step = fc.record({
  passMs: fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 2 * HOUR_MS }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 40 * 24 * HOUR_MS }) },
  ),
  writes: fc.integer({ min: 0, max: 5 }),
  /** What a clock may be off by without being caught. */
  waverMs: fc.integer({ min: 0, max: GAP_MS }),
  otherWaverMs: fc.integer({ min: 0, max: GAP_MS }),
  /** The clock is turned, by more than it may be off unseen. */
  turn: fc.option(
    fc.integer({ min: 2, max: 9_000 }).map((gaps) => gaps * GAP_MS + HOUR_MS),
    { freq: 6, nil: 0 },
  ),
  isTurnedBack: fc.boolean(),
  kind: fc.constantFrom('run', 'run', 'run', 'crash', 'together', 'missed'),
  stopAfter: fc.integer({ min: 0, max: 1 }),
})

describe('planCompaction()', () => {
  it('never plans to forget what is younger than the retention, whatever clocks, gaps, crashes and other admins do', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 400 }),
        fc.array(step, { minLength: 1, maxLength: 120 }),
        (retentionHours, steps) => {
          const model = createModel(retentionHours * HOUR_MS)
          let turnedMs = 0
          for (const {
            passMs,
            writes,
            waverMs,
            otherWaverMs,
            turn,
            isTurnedBack,
            kind,
            stopAfter,
          } of steps) {
            for (let count = 0; count < writes; count++) model.write()
            model.pass(passMs)
            turnedMs += isTurnedBack ? -(turn ?? 0) : (turn ?? 0)
            const error = turnedMs + waverMs
            if (kind === 'run') run(model, error, 2)
            else if (kind === 'crash') run(model, error, stopAfter)
            else if (kind === 'together') runTogether(model, error, turnedMs + otherWaverMs)
          }
        },
      ),
      { numRuns: 10_000 },
    )
  })

  it('gains nothing from clocks that waver between many turns', () => {
    // Two clocks that differ by almost the longest gap, turned forward together three times within the same instant.
    const model = createModel(HOUR_MS)
    model.write()
    for (let turn = 0; turn < 4; turn++) {
      for (const waver of [0, GAP_MS - 1]) run(model, turn * (2 * GAP_MS + HOUR_MS) + waver, 2)
    }
    assert.equal(model.oldest(), 1n)
  })

  it('keeps no more than the retention, the longest gap and the distance of two marks', () => {
    const retentionMs = 15 * 24 * HOUR_MS
    const model = createModel(retentionMs)
    const writtenAt = new Map<bigint, number>()
    for (let hour = 0; hour < 24 * 90; hour++) {
      model.write()
      writtenAt.set(model.head(), model.trueNow())
      model.pass(HOUR_MS)
      run(model, 0, 2)
      if (hour < 24 * 20) continue
      const oldestAt = writtenAt.get(model.oldest()) ?? writtenAt.get(model.oldest() - 1n) ?? 0
      const keptMs = model.trueNow() - oldestAt
      assert.ok(
        keptMs <= retentionMs + GAP_MS + retentionMs / 128 + 2 * HOUR_MS,
        `keeps ${keptMs / HOUR_MS} h`,
      )
    }
    assert.ok(model.read().marks.length < 520, `${model.read().marks.length} marks`)
  })

  it('recovers from a clock that was a year ahead for a day', () => {
    const retentionMs = 24 * HOUR_MS
    const model = createModel(retentionMs)
    const hours = (count: number, errorMs: number): void => {
      for (let hour = 0; hour < count; hour++) {
        model.write()
        model.pass(HOUR_MS)
        run(model, errorMs, 2)
      }
    }
    hours(48, 0)
    hours(24, 365 * 24 * HOUR_MS)
    const before = model.oldest()
    hours(40, 0)
    assert.ok(model.oldest() > before)
  })

  it('counts a long absence only where an operator vouches for it', () => {
    const history = { marks: [{ revision: 5n, at: START, countedMs: 0 }], compacted: 0n }
    const retentionMs = 24 * HOUR_MS
    const input = { history, head: 9n, now: START + 40 * HOUR_MS, retentionMs, longestAgeMs: retentionMs }
    assert.equal(planCompaction({ ...input, rules }).target, undefined)
    assert.equal(planCompaction({ ...input, rules: { ...rules, isTrusted: true } }).target, 5n)
    const early = { ...input, now: START + 26 * HOUR_MS, rules: { ...rules, isTrusted: true } }
    assert.equal(planCompaction(early).target, undefined)
  })

  it('plans nothing from an empty history, and adds the first mark', () => {
    const input = {
      history: NO_HISTORY,
      head: 7n,
      now: START,
      retentionMs: HOUR_MS,
      longestAgeMs: HOUR_MS,
      rules,
    }
    const plan = planCompaction(input)
    assert.equal(plan.target, undefined)
    assert.deepEqual(plan.history.marks, [{ revision: 7n, at: START, countedMs: 0 }])
    assert.equal(plan.step, 'first')
  })

  it('marks what is as old where another admin has marked a later revision', () => {
    const history = { marks: [{ revision: 8n, at: START, countedMs: 0 }], compacted: 0n }
    const input = { history, head: 9n, boundary: 7n, retentionMs: HOUR_MS, longestAgeMs: HOUR_MS, rules }
    const { marks } = planCompaction({ ...input, now: START + HOUR_MS }).history
    assert.deepEqual(
      marks.map(({ revision }) => revision),
      [8n, 8n],
    )
  })

  it("refuses another store's history", () => {
    const history = { marks: [{ revision: 8n, at: START, countedMs: 0 }], compacted: 0n }
    const input = { history, head: 7n, now: START, retentionMs: HOUR_MS, longestAgeMs: HOUR_MS, rules }
    assert.throws(() => planCompaction(input), RangeError)
  })
})
