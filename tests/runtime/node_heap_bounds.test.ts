import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
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

/** Fills the young generation, makes V8 give its place back, as it does while a process rests, and fills it again. */
const RESTED = `
  const { boundHeap, youngHeapBytes } = await import(process.argv[1])
  boundHeap()
  async function fill(isLarge) {
    const end = performance.now() + 20_000
    for (let turn = 0, kept = []; !isLarge() && performance.now() < end; turn++) {
      if (turn % 50 === 0) kept = []
      for (let count = 0; count < 10_000; count++) kept.push({ count, turn, text: [count] })
      await new Promise((next) => setImmediate(next))
    }
  }
  const most = Number(process.argv[2])
  await fill(() => youngHeapBytes() >= most)
  globalThis.gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  if (youngHeapBytes() >= most) throw new Error('V8 gave nothing back')
  await fill(() => youngHeapBytes() >= most)
  console.log(youngHeapBytes())
`

/** Keeps each new object for a while, so that each collection has something to move, and tells how long other threads computed, in ns. */
const MOVER = `
  const { readdirSync, readFileSync } = await import('node:fs')
  const { boundHeap } = await import(process.argv[1])
  boundHeap(Number(process.argv[2]))
  const kept = []
  for (let count = 0; count < 8_000_000; count++) kept[count % 20_000] = { count, text: [count] }
  let others = 0
  for (const thread of readdirSync('/proc/self/task'))
    if (Number(thread) !== process.pid)
      others += Number(readFileSync('/proc/self/task/' + thread + '/schedstat', 'utf8').split(' ')[0])
  console.log(others)
`

/** The number that a script prints. Other threads do not compile, so that what they do is collecting. */
function run(script: string, ...args: readonly string[]): number {
  const file = fileURLToPath(new URL('../../shared/runtime/heap_bounds.ts', import.meta.url))
  const options = [
    '--disable-warning=ExperimentalWarning',
    '--no-concurrent-recompilation',
    '--expose-gc',
    '--input-type=module',
    '-e',
    script,
  ]
  const { stdout, stderr } = spawnSync(process.execPath, [...options, file, ...args], { encoding: 'utf8' })
  assert.match(stdout, /^\d+\n$/, stderr)
  return Number(stdout)
}

const youngHeapOf = (how: 'bounded' | 'free'): number => run(KEEPER, how)

describe('boundHeap()', () => {
  it('stops the growth of the young generation', () => {
    const [bounded, free] = [youngHeapOf('bounded'), youngHeapOf('free')]
    assert.ok(bounded <= 2 * YOUNG_HEAP_BYTES, `${bounded} bytes, one step beyond the bound at most`)
    assert.ok(free >= 2 * bounded, `${free} bytes without the bound, so nothing is shown`)
  })

  it('lets the young generation grow again after V8 has made it smaller', () => {
    const bytes = run(RESTED, String(YOUNG_HEAP_BYTES))
    assert.ok(bytes >= YOUNG_HEAP_BYTES, `${bytes} bytes`)
    assert.ok(bytes <= 2 * YOUNG_HEAP_BYTES, `${bytes} bytes, one step beyond the bound at most`)
  })

  it('lets no other threads collect new objects where there is one processor', (t) => {
    if (!existsSync('/proc/self/schedstat')) return t.skip('the time of threads needs Linux')
    const [alone, helped] = [run(MOVER, '1'), run(MOVER, '4')]
    assert.ok(
      alone < helped / 2,
      `other threads computed for ${alone} ns, with four processors for ${helped}`,
    )
  })
})
