/** The checker of lives can fail: each finding, in the record of a sound round with one thing changed. */

import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { runLivesInMemory } from './broken/lives_in_memory.ts'
import type { ViolationKind } from './checker.ts'
import { checkLives } from './lives/check_lives.ts'
import { behindLoss, mayBeLost, readLoss, type NamedEvent, type NamedLoss } from './lives/damaged_page.ts'
import type { LifeListener, LifeRecord } from './lives/life_records.ts'
import type { Run } from './records.ts'

const SEED = 5

/** Behind everything that the sound round has written. */
const LATER = 10n ** 12n
const NOTHING_LOST: NamedLoss = { revision: LATER, named: [], stretches: [], lost: 0, isNamed: true }

function allIn({ revisions }: Run): readonly NamedEvent[] {
  return revisions.flatMap(({ revision, writes }) => writes.map(({ key }) => ({ key, revision })))
}

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
  [
    'what a salvage does not name, and is gone',
    'lost',
    ({ struck, before: run }) => ({
      struck: {
        ...struck,
        salvaged: { loss: NOTHING_LOST, wholeFrom: LATER, kept: run.revisions.slice(0, -1) },
      },
    }),
  ],
  [
    'what a salvage names, and is there',
    'misnamed',
    ({ struck, before: run }) => ({
      struck: {
        ...struck,
        salvaged: { loss: { ...NOTHING_LOST, named: allIn(run) }, wholeFrom: LATER, kept: run.revisions },
      },
    }),
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

describe('readLoss()', () => {
  const line = (message: string, fields: object): string =>
    JSON.stringify({ level: 'warn', message, ...fields })
  const read = (revisions: string, more: object = {}): NamedLoss => {
    const end = { lost: 1, revisions, revision: '90', ...more }
    const loss = readLoss(
      [
        'Listening on http://127.0.0.1:1',
        line('An event that cannot be read is given up', { key: '/a', revision: 7 }),
        line('The store lost what lay on damaged pages, as accepted: it goes on with a new epoch', end),
      ].join('\n'),
    )
    assert.ok(loss !== undefined)
    return loss
  }

  it('reads what a salvage names, and where history begins behind it', () => {
    const loss = read('revisions 7 to 9, 12')
    assert.deepEqual([loss.lost, loss.isNamed, loss.revision, behindLoss(loss)], [1, true, 90n, 13n])
    assert.equal(behindLoss(read('revisions 7 and later')), 90n)
    assert.equal(behindLoss(read('none')), 0n)
    assert.equal(readLoss('nothing'), undefined)
  })

  it('takes for lost what is named alone, and the stretches only where not all is named', () => {
    const may = (loss: NamedLoss, key: string, revision: bigint): boolean =>
      mayBeLost(loss, { key, revision })
    const all = read('revisions 7 to 9')
    assert.deepEqual([may(all, '/a', 7n), may(all, '/b', 7n), may(all, '/a', 8n)], [true, false, false])
    for (const some of [
      read('revisions 7 to 9', { lost: 300 }),
      read('revisions 7 to 9', { unnamed: 'more' }),
    ])
      assert.deepEqual([may(some, '/b', 9n), may(some, '/b', 10n)], [true, false])
  })
})
