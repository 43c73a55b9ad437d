import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { it } from 'node:test'
import { cpuSeconds } from '../../../../scripts/bench/processes.ts'
import { canShare, childrenOf, createShare } from '../../../../scripts/bench/shares.ts'

/** A process of one processor's work that ends after this time on that processor, whatever else runs. */
const WORK_SECONDS = 0.4
const SHARE = 0.2

it('createShare(): a process gets its share and no more', { skip: !(await canShare()) }, async (context) => {
  const program = `process.stdin.once('data', () => { while (process.cpuUsage().user < ${WORK_SECONDS * 1e6}); process.stdout.write('done') })`
  const child = spawn(process.execPath, ['-e', `console.log('ready'); ${program}`])
  const { pid = 0 } = child
  await once(child.stdout, 'data')
  assert.ok(childrenOf(process.pid).includes(pid))
  const share = createShare(pid)
  context.after(async () => {
    child.kill('SIGKILL')
    await once(child, 'exit')
    await share?.remove()
  })
  share?.limit(SHARE)
  const before = cpuSeconds(pid)
  const startedAt = performance.now()
  child.stdin.write('begin\n')
  await once(child.stdout, 'data')
  const seconds = (performance.now() - startedAt) / 1_000
  const used = (cpuSeconds(pid) - before) / seconds
  // The kernel looks every few milliseconds, and the clock of a process has hundredths of a second.
  assert.ok(used < SHARE * 1.5, `it used ${used} of a processor`)
})
