import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { describe, it } from 'node:test'
import { runSteps, type Site } from './run_document.ts'

const site: Site = {
  folder: tmpdir(),
  environment: process.env,
  adapt: (text) => text.replaceAll('8080', '9090'),
}

describe('runSteps', () => {
  it('runs commands beside servers, and ends these at the end', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'aviso-steps-'))
    const server = 'echo $$ > pid; echo "ready at 8080"; exec sleep 1000'
    await runSteps(
      [
        { kind: 'server', line: 1, name: 'a', script: server, prints: ['ready at 8080'] },
        { kind: 'run', line: 2, script: 'kill -0 $(cat pid)\necho 8080', prints: ['8080'] },
        { kind: 'prints', line: 3, from: 'a', prints: ['ready at 8080'] },
      ],
      { ...site, folder },
    )
    const pid = Number(await readFile(join(folder, 'pid'), 'utf8'))
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
    await rm(folder, { recursive: true })
  })

  for (const [what, script, prints, message] of [
    ['a command that fails', 'echo said >&2; false; echo later', [], /line 7: exit code 1\n[^]*said/],
    ['output that is missing', 'echo one', ['two'], /line 7: not printed: two\n[^]*one/],
  ] as const) {
    it(`tells of ${what}, with its line and what was printed`, async () => {
      const steps = [{ kind: 'run', line: 7, script, prints }] as const
      await assert.rejects(runSteps(steps, site), { message })
    })
  }

  it('tells of a server that ends before it is ready', async () => {
    const steps = [{ kind: 'server', line: 7, name: 'a', script: 'echo no', prints: ['yes'] }] as const
    await assert.rejects(runSteps(steps, site), { message: /line 7: ended, not printed: yes\n[^]*no/ })
  })

  it('tells of a server that was not started', async () => {
    const steps = [{ kind: 'prints', line: 7, from: 'a', prints: ['yes'] }] as const
    await assert.rejects(runSteps(steps, site), { message: /line 7: there is no server a/ })
  })
})
