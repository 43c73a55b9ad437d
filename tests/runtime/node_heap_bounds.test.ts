import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { YOUNG_HEAP_BYTES } from '#shared/runtime/heap_bounds.ts'

/** Keeps much of what it makes, turn after turn, so that V8 wants more place for new objects. */
const KEEPER = `
  const { boundHeap, youngHeapBytes } = await import(process.argv[1])
  if (process.argv[2] === 'bounded') boundHeap()
  const kept = []
  for (let turn = 0; turn < 100; turn++) {
    for (let count = 0; count < 10_000; count++) kept.push({ count, turn, text: [count] })
    await new Promise((next) => setImmediate(next))
  }
  console.log(youngHeapBytes())
`

function youngHeapOf(how: 'bounded' | 'free'): number {
  const file = fileURLToPath(new URL('../../shared/runtime/heap_bounds.ts', import.meta.url))
  const options = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', KEEPER]
  const { stdout, stderr } = spawnSync(process.execPath, [...options, file, how], { encoding: 'utf8' })
  assert.match(stdout, /^\d+\n$/, stderr)
  return Number(stdout)
}

describe('boundHeap()', () => {
  it('stops the growth of the young generation', () => {
    const [bounded, free] = [youngHeapOf('bounded'), youngHeapOf('free')]
    assert.ok(bounded <= 2 * YOUNG_HEAP_BYTES, `${bounded} bytes, one step beyond the bound at most`)
    assert.ok(free >= 2 * bounded, `${free} bytes without the bound, so nothing is shown`)
  })
})
