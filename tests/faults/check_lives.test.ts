/** The checker of lives can fail: each finding, in the record of a sound round with one thing changed. */

import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { runLivesInMemory } from './broken/lives_in_memory.ts'
import type { ViolationKind } from './checker.ts'
import { checkLives } from './lives/check_lives.ts'
import type { LifeListener, LifeRecord } from './lives/life_records.ts'

const SEED = 5

/** A listener whose first stream of the next life counts as one of the life before. */
function goingOn({ before: chain, after, isTold }: LifeListener): LifeListener {
  return { before: { ...chain, sessions: [...chain.sessions, ...after.sessions] }, after, isTold }
}

const CHANGES: readonly [
  name: string,
  kind: ViolationKind,
  change: (record: LifeRecord) => Partial<LifeRecord>,
][] = [
  [
    'a number that was given out twice',
    'reused',
    ({ claims }) => ({ claims: [...claims, { number: claims[0]?.number ?? '', id: 'another' }] }),
  ],
  [
    'a lost place that is accepted',
    'accepted',
    ({ probes }) => ({ probes: probes.map((one) => ({ ...one, status: 200 })) }),
  ],
  [
    'a listener that was never told',
    'untold',
    ({ listeners }) => ({ listeners: listeners.map((one) => ({ ...one, isTold: false })) }),
  ],
  [
    'a stream that goes on into the next life',
    'untold',
    ({ listeners }) => ({ listeners: listeners.map(goingOn) }),
  ],
  [
    'a refusal without a remedy',
    'unrefused',
    ({ struck }) => ({ struck: { ...struck, complaints: ['No remedy'] } }),
  ],
  ['a notification that is never stored again', 'stuck', () => ({ unanswered: ['one'] })],
  [
    'a copy that lacks what was acknowledged before it was made',
    'lost',
    ({ before: run }) => ({ saved: new Set(run.operations.map(({ id }) => id)) }),
  ],
  [
    'what a new listener misses',
    'lost',
    ({ after }) => ({
      after: {
        ...after,
        chains: after.chains.map((chain) => ({
          ...chain,
          sessions: chain.sessions.map((session) => ({
            ...session,
            steps: session.steps.filter((_, index) => index !== 3),
          })),
        })),
      },
    }),
  ],
]

describe('checkLives()', () => {
  let sound: LifeRecord
  before(async () => {
    sound = await runLivesInMemory({ kind: 'restore of an older copy' }, SEED)
  })

  it('finds nothing in a sound round', () => {
    assert.deepEqual(checkLives(sound), [])
  })

  for (const [name, kind, change] of CHANGES) {
    it(`finds ${name}`, () => {
      const kinds = new Set(checkLives({ ...sound, ...change(sound) }).map((found) => found.kind))
      assert.ok(kinds.has(kind), [...kinds].join(', '))
    })
  }
})
