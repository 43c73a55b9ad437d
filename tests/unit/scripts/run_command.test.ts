import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { describe, it } from 'node:test'
import { outputOf, runCommand } from '../../../scripts/run_command.ts'

describe('runCommand()', () => {
  it('hands over both streams and the exit code', async () => {
    const program = 'console.log("out"); console.error("err"); process.exitCode = 3'
    const { code, output } = await runCommand(process.execPath, ['-e', program])
    assert.equal(code, 3)
    assert.deepEqual(output.split('\n').toSorted(), ['', 'err', 'out'])
  })

  it('takes input, a folder and variables', async () => {
    const program =
      'process.stdin.on("data", (text) => console.log(String(text), process.env.WORD, process.cwd()))'
    const { output } = await runCommand(process.execPath, ['-e', program], {
      input: 'given',
      folder: tmpdir(),
      environment: { WORD: 'word' },
    })
    assert.equal(output, `given word ${tmpdir()}\n`)
  })

  it('fails where the program is missing, and leaves no timer that holds the process', async () => {
    await assert.rejects(runCommand('/nowhere/tool', []), /spawn \/nowhere\/tool ENOENT/)
    assert.equal(process.getActiveResourcesInfo().includes('Timeout'), false)
  })
})

describe('outputOf()', () => {
  it('fails with the output where the exit code is not 0', async () => {
    await assert.rejects(
      outputOf(process.execPath, ['-e', 'console.log("why"); process.exit(1)']),
      /node -e .* ended with 1:\nwhy\n/,
    )
  })
})
