import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { delaysOf, longest } from './delays.ts'
import type { Chain, Operation, Step } from './records.ts'

const acknowledged = (id: string, at: number): Operation => ({
  id,
  event: 'flight',
  key: `/air/${id}`,
  invokedAt: at - 1,
  tries: [
    { outcome: 'unknown', at: at - 1 },
    { outcome: 'stored', at, key: `/air/${id}`, revision: 2n, sequence: 1n },
  ],
})
const delivered = (value: string, at: number): Step => ({
  kind: 'notification',
  at,
  position: { revision: 2n, index: 0 },
  key: `/air/${value}`,
  value,
  sequence: 1n,
})

describe('delaysOf()', () => {
  it('counts from the acknowledgement to the first delivery, over all connections', () => {
    const session = { closedAt: undefined, reason: undefined, from: undefined }
    const chain: Chain = {
      name: 'one',
      selection: { kind: 'keys', prefix: '/air/' },
      isPrompt: true,
      sessions: [
        { ...session, openedAt: 10, steps: [delivered('before', 12), delivered('fast', 18)] },
        {
          ...session,
          openedAt: 50,
          steps: [
            delivered('fast', 51),
            {
              kind: 'revision',
              at: 70,
              revision: 3n,
              writes: [{ kind: 'put', key: '/air/s', value: 'slow' }],
            },
          ],
        },
      ],
    }
    const operations = [
      acknowledged('before', 5),
      acknowledged('fast', 20),
      acknowledged('slow', 30),
      acknowledged('never', 40),
    ]
    const delays = delaysOf(chain, operations)
    assert.deepEqual(delays, [
      { acknowledgedAt: 20, ms: 0 },
      { acknowledgedAt: 30, ms: 40 },
    ])
    assert.equal(longest(delays), 40)
    assert.equal(longest([]), 0)
  })
})
