import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const MODULE = fileURLToPath(new URL('../../../scripts/standard_output.ts', import.meta.url))
/** Far more than a pipe holds. */
const BYTES = 5_000_000
/** Looking at `process.stdout` makes a pipe refuse what it has no room for. */
const PROGRAM = `
  const { writeResult } = await import(${JSON.stringify(MODULE)})
  console.error(String(process.stdout.isTTY))
  process.exitCode = writeResult('x'.repeat(${BYTES}))
`

describe('writeResult()', () => {
  it('waits for a reader that is slower than the program', async () => {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const ended = once(child, 'close')
    await once(child.stderr, 'data')
    let bytes = 0
    for await (const part of child.stdout) bytes += (part as Buffer).length
    assert.deepEqual([await ended, bytes], [[0, null], BYTES])
  })
})
