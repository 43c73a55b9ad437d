import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { runStages, toTable } from '../../../../scripts/test/run_stages.ts'
import { runStep } from '../../../../scripts/test/run_step.ts'
import type { Step } from '../../../../scripts/test/steps.ts'

/** A step that runs a command. */
const commandStep = (title: string, ...command: readonly string[]): Step => ({
  name: title,
  title,
  limitMs: 60_000,
  command: async () => command,
})

/** A step that runs a program of one line. */
const step = (title: string, program: string): Step => commandStep(title, process.execPath, '-e', program)

const OPEN = 'tests/unit/scripts/test/leaves_timer_open.ts'
/** A runner in one process; it would not start below another one that it knows of. */
const IN_ONE_PROCESS = ['env', '-u', 'NODE_TEST_CONTEXT', process.execPath, '--test', '--test-isolation=none']

async function isRunning(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return status !== '' && !/\) Z /.test(status)
}

async function run(...stages: readonly (readonly Step[])[]) {
  let output = ''
  const results = await runStages(stages, (text) => (output += text))
  return { results: results.map(({ title, passed }) => [title, passed]), output, all: results }
}

describe('runStages()', () => {
  it('runs the remaining steps after a failure', async () => {
    const { results } = await run(
      [step('first', 'process.exit(1)')],
      [step('second', '')],
      [step('third', 'process.kill(process.pid, "SIGKILL")'), step('fourth', '')],
    )
    assert.deepEqual(results, [
      ['first', false],
      ['second', true],
      ['third', false],
      ['fourth', true],
    ])
  })

  it('runs the steps of a stage at the same time, and keeps their output apart', async () => {
    // Each waits until the other runs: one after the other would be a deadlock.
    const talk = (own: string): string => `
      const { createServer, connect } = require('node:net')
      console.log('${own} 1')
      createServer((socket) => socket.end()).listen('\\0aviso-${process.pid}-${own}')
      const other = '\\0aviso-${process.pid}-${own === 'a' ? 'b' : 'a'}'
      const ask = () => connect(other).on('error', () => setTimeout(ask, 20)).on('connect', () => {
        console.log('${own} 2')
        setTimeout(() => process.exit(), 100)
      })
      ask()`
    const { results, output } = await run([step('a', talk('a')), step('b', talk('b'))])
    assert.deepEqual(results, [
      ['a', true],
      ['b', true],
    ])
    assert.match(output, /^\n── at the same time: a, b\n/)
    for (const name of ['a', 'b'])
      assert.match(
        output,
        new RegExp(`── ${name}\n${name} 1\n${name} 2\n── ${name}: passed in \\d+\\.\\d s\n`),
      )
  })

  it('takes a command that cannot be had for a failure, and tells why', async () => {
    const missing: Step = {
      ...commandStep('missing'),
      command: () => Promise.reject(new Error('No Node 22', { cause: new Error('no network') })),
    }
    const { results, output } = await run([missing], [{ ...missing, command: async () => ['/nowhere/tool'] }])
    // A timer that is left behind would hold the gate when all is done.
    assert.equal(process.getActiveResourcesInfo().includes('Timeout'), false)
    assert.deepEqual(results, [
      ['missing', false],
      ['missing', false],
    ])
    assert.match(output, /No Node 22: no network\n/)
    assert.match(output, /spawn \/nowhere\/tool ENOENT\n/)
  })

  it('names the failed tests of a step', async () => {
    const program = `console.log('✖ failing tests:\\n\\ntest at a.test.ts:3:1\\n✖ does it (1.2ms)\\n  Error: x'); process.exit(1)`
    const { all } = await run([step('tests', program)], [step('more', '')])
    assert.deepEqual(all[0]?.failedTests, ['a.test.ts:3:1: does it'])
  })
})

describe('runStep()', () => {
  it('ends a step after its time, by a signal that lets a test runner say which tests had not ended', async () => {
    let output = ''
    const script = 'trap "echo interrupted: a; exit 1" TERM; echo up; while :; do sleep 0.05; done'
    const hangs = commandStep('hangs', 'sh', '-c', script)
    const result = await runStep(hangs, (text) => (output += text), { limitMs: 1_000 })
    assert.equal(result.passed, false)
    assert.deepEqual(output.split('\n'), [
      'up',
      'The step had not ended after 1 s',
      'interrupted: a',
      'It was ended after 1 s, its limit. No test of it had ended as far as its output tells, with 1 s of silence',
      '',
    ])
  })

  it('ends a runner that a failing test left something open in: it says after which test, and the others go on', async () => {
    const { limitMs, ...open } = commandStep('open', ...IN_ONE_PROCESS, OPEN)
    assert.ok(limitMs > 3_000)
    const { results, output, all } = await run(
      [{ ...open, limitMs: 3_000 }, step('beside', '')],
      [step('behind', '')],
    )
    assert.deepEqual(results, [
      ['open', false],
      ['beside', true],
      ['behind', true],
    ])
    const sentence =
      /It was ended after 3 s, its limit\. It hung after its last test, "is not needed by the last test", with \d s of silence: a test left something open, such as a timer/
    assert.match(output, /✔ is not needed by the last test[^]*── open: FAILED/)
    assert.match(output, sentence)
    assert.match(toTable(all, 5), sentence)
    assert.deepEqual(all[0]?.failedTests, [`${OPEN}:11:3: is left open by a failing test`])
  })

  it('names the failed tests of a runner that says nothing more when it is ended', async () => {
    const script = `echo '  ✖ fails (1.5ms)'; echo '  ✔ passes (0.1ms)'; exec sleep 1000`
    const result = await runStep(commandStep('dumb', 'sh', '-c', script), () => undefined, {
      limitMs: 500,
      heldMs: 100,
    })
    assert.deepEqual(result.failedTests, ['fails'])
    assert.match(result.late ?? '', /It hung after its last test, "passes", or in one behind it/)
  })

  it('ends all processes of a step that is late, those in groups of their own, too', async () => {
    const script = `setsid sleep 1000 & echo $! ; trap '' TERM; while :; do sleep 0.05; done`
    let output = ''
    const late = commandStep('late', 'sh', '-c', script)
    const result = await runStep(late, (text) => (output += text), { limitMs: 300, endMs: 200 })
    const [pid = ''] = output.split('\n')
    assert.equal(result.passed, false)
    assert.ok(result.leftBehind.includes(`${pid} sleep 1000`), result.leftBehind.join())
    assert.equal(await isRunning(Number(pid)), false)
  })

  it('has failed at its limit, also where the runner then ends with 0', async () => {
    const script = `trap 'exit 0' TERM; while :; do sleep 0.05; done`
    const result = await runStep(commandStep('polite', 'sh', '-c', script), () => undefined, { limitMs: 300 })
    assert.equal(result.passed, false)
  })

  it('names and ends a process that holds a runner after its summary', async () => {
    // The process holds the errors of the runner, which therefore waits, as node --test does.
    const script = `sleep 1000 & echo $! ; echo 'ℹ tests 1'; echo 'ℹ duration_ms 1'; wait`
    const held = commandStep('held', 'sh', '-c', script)
    let output = ''
    const result = await runStep(held, (text) => (output += text), { limitMs: 20_000, heldMs: 200 })
    const [pid = ''] = output.split('\n')
    assert.deepEqual(
      { passed: result.passed, leftBehind: result.leftBehind },
      { passed: true, leftBehind: [`${pid} sleep 1000`] },
    )
  })

  it('ends a runner that goes on after its summary, and takes its sums for the result', async () => {
    const runs = async (failed: number): Promise<readonly unknown[]> => {
      const sums = `ℹ tests 1\nℹ fail ${failed}\nℹ cancelled 0\nℹ duration_ms 1`
      const program = `console.log(${JSON.stringify(sums)}); setInterval(() => {}, 1000)`
      const { passed, leftBehind } = await runStep(step('stuck', program), () => undefined, { heldMs: 200 })
      return [passed, leftBehind.length]
    }
    assert.deepEqual(await runs(0), [true, 1])
    assert.deepEqual(await runs(1), [false, 1])
  })

  it('waits for a runner that is silent before its summary', async () => {
    const script = `echo up; sleep 0.5; echo 'ℹ tests 1'; echo 'ℹ duration_ms 1'`
    const silent = commandStep('silent', 'sh', '-c', script)
    const result = await runStep(silent, () => undefined, { heldMs: 100 })
    assert.deepEqual([result.passed, result.leftBehind], [true, []])
  })
})

describe('toTable()', () => {
  it('tells each step, its verdict and seconds, and failed tests below it', () => {
    const results = [
      { title: 'lint', passed: true, seconds: 2.04, failedTests: [], leftBehind: ['7 sleep 9'] },
      {
        title: 'tests on Bun',
        passed: false,
        seconds: 148.26,
        failedTests: ['a.test.ts: does it'],
        leftBehind: [],
      },
    ]
    assert.equal(
      toTable(results, 150),
      [
        'step          result  seconds',
        'lint          passed      2.0',
        '    left behind by a test: 7 sleep 9',
        'tests on Bun  FAILED    148.3',
        '    ✖ a.test.ts: does it',
        '',
        '1 of 2 steps FAILED',
      ].join('\n'),
    )
    assert.match(toTable(results.slice(0, 1), 2), /\nAll 1 steps passed in 2 s$/)
  })
})
