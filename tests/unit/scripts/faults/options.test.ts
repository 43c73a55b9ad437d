import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseFaultsArguments } from '../../../../scripts/faults/options.ts'
import { BROKEN_VARIANTS } from '../../../faults/broken/variants.ts'

const SOUND = { seconds: 180, rounds: 1, grpc: false, losses: false }

describe('parseFaultsArguments()', () => {
  it('takes a time, rounds, a seed, an adapter and the measurement of losses', () => {
    assert.deepEqual(parseFaultsArguments([]), SOUND)
    const argv = ['--seconds', '5', '--rounds', '2', '--seed', '1', '--grpc', '--losses']
    assert.deepEqual(parseFaultsArguments(argv), {
      seconds: 5,
      rounds: 2,
      seed: 1,
      grpc: true,
      losses: true,
    })
  })

  it('takes every mistake by its name', () => {
    for (const breaks of Object.keys(BROKEN_VARIANTS))
      assert.deepEqual(parseFaultsArguments(['--break', breaks]), { ...SOUND, breaks })
  })

  it('lists the mistakes where none of them is named', (context) => {
    const complaint = context.mock.method(console, 'error', () => undefined)
    for (const argv of [['--break'], ['--break', 'nothing'], ['--break', 'toString']]) {
      complaint.mock.resetCalls()
      assert.equal(parseFaultsArguments(argv), 2)
      const text = complaint.mock.calls.flatMap((call) => call.arguments as unknown[]).join('\n')
      for (const [name, { mistake }] of Object.entries(BROKEN_VARIANTS)) {
        assert.ok(text.includes(name), name)
        assert.ok(text.includes(mistake), mistake)
      }
    }
  })

  it('refuses what it does not know, and what does not go together', (context) => {
    context.mock.method(process.stderr, 'write', () => true)
    for (const argv of [
      ['--minutes', '3'],
      ['--seconds', 'long'],
      ['--seconds', '-1'],
      ['--rounds', '1.5'],
      ['more'],
      ['--break', 'plain-put', '--seconds', '5'],
      ['--break', 'plain-put', '--grpc'],
    ])
      assert.equal(parseFaultsArguments(argv), 2, argv.join(' '))
  })
})
