import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createOutput } from '../../../../scripts/aviso/output.ts'

function sinks(isTTY: boolean) {
  const written: string[] = []
  const sink = { isTTY, columns: 20, write: (text: string) => written.push(text) }
  return { written, options: { stdout: sink, stderr: sink, debug: false, quiet: false, now: () => 0 } }
}

describe('createOutput()', () => {
  it('shows no status line where there is no terminal', () => {
    const { written, options } = sinks(false)
    createOutput(options).status('listening')
    assert.deepEqual(written, [])
  })

  it('takes the status line away for each message and puts it back', () => {
    const { written, options } = sinks(true)
    const output = createOutput(options)
    output.status('listening · 12 receved · 3 s ago')
    output.log('INFO', 'hello')
    output.clearStatus()
    assert.equal(
      written.join(''),
      '\r\u001B[2Klistening · 12 rece\r\u001B[2Khello\nlistening · 12 rece\r\u001B[2K',
    )
  })

  it('colours warnings and errors on a terminal, unless told not to', () => {
    for (const [isTTY, colour, shown] of [
      [true, true, '\u001B[31mno\u001B[0m\n'],
      [true, false, 'no\n'],
      [false, true, 'no\n'],
    ] as const) {
      const { written, options } = sinks(isTTY)
      createOutput({ ...options, colour }).log('ERROR', 'no')
      assert.deepEqual(written, [shown])
    }
  })

  it('has a screen where results go to a terminal, with the usual size where it does not know its own', () => {
    const { written, options } = sinks(true)
    const { screen } = createOutput({ ...options, colour: false })
    assert.deepEqual([screen?.size(), screen?.isColoured], [{ columns: 20, rows: 24 }, false])
    screen?.show('runs')
    assert.equal(written.join(''), '\u001B[H\u001B[2Jruns\n')
    const unknown = { ...options.stdout, columns: 0, rows: 0 }
    assert.deepEqual(createOutput({ ...options, stdout: unknown }).screen?.size(), { columns: 80, rows: 24 })
    assert.equal(createOutput(sinks(false).options).screen, undefined)
  })

  it('says what its level lets through', () => {
    for (const [flags, shown] of [
      [{}, ['INFO', 'WARNING', 'ERROR']],
      [{ debug: true }, ['DEBUG', 'INFO', 'WARNING', 'ERROR']],
      [{ debug: true, quiet: true }, ['ERROR']],
    ] as const) {
      const { written, options } = sinks(false)
      const output = createOutput({ ...options, ...flags })
      for (const level of ['DEBUG', 'INFO', 'WARNING', 'ERROR'] as const) output.log(level, level)
      assert.deepEqual(
        written,
        shown.map((level) => `${level}\n`),
      )
    }
  })

  it('lets nothing drive the terminal', () => {
    const { written, options } = sinks(false)
    createOutput(options).log('ERROR', 'a\u001B]0;title\u0007b\rc')
    assert.deepEqual(written, ['a\uFFFD]0;title\uFFFDb\uFFFDc\n'])
  })

  it('reports a log file that cannot be written once', () => {
    const { written, options } = sinks(false)
    const output = createOutput({ ...options, logFile: '/no/such/folder/x.log' })
    output.log('INFO', 'a')
    output.log('INFO', 'b')
    assert.equal(written.filter((line) => line.startsWith('Cannot write to the log file')).length, 1)
  })
})
