import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { freshClone, strangersPath, type FreshClone } from '../support/fresh_clone.ts'

const MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url))
/** The first start in a clone may download etcd. */
const DEADLINE_MS = 120_000
/** A short test that needs a real etcd. */
const CONTRACT = 'tests/contract/store.etcd_oracle.test.ts'

/** A running npm. */
interface Npm {
  output(): string
  /** The exit code. */
  readonly ended: Promise<number | null>
  /** Waits until the output holds `text`. */
  printed(text: string): Promise<void>
  /** Sends what Ctrl-C sends, if it still runs, and waits for the end. */
  interrupt(): Promise<number | null>
}

/** Runs npm as a terminal does: in a process group of its own, which gets the signal of Ctrl-C as a whole. */
function npm(folder: string, path: string, argv: readonly string[]): Npm {
  // What npm and the test runner tell this process is not for those in the clone.
  const own = Object.entries(process.env).filter(([name]) => !/^(?:npm_|NODE_|INIT_CWD$|AVISO_)/.test(name))
  const child = spawn('npm', argv, {
    cwd: folder,
    env: { ...Object.fromEntries(own), PATH: path, CI: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let output = ''
  let wake = (): void => undefined
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      wake()
    })
  }
  let isRunning = true
  const signal = (name: NodeJS.Signals): void => {
    if (isRunning && child.pid !== undefined) process.kill(-child.pid, name)
  }
  const limit = setTimeout(signal, DEADLINE_MS, 'SIGKILL')
  const ended = new Promise<number | null>((done) => {
    child.once('close', (code) => {
      isRunning = false
      clearTimeout(limit)
      done(code)
    })
  }).finally(() => wake())
  return {
    output: () => output,
    ended,
    printed: async (text) => {
      while (isRunning && !output.includes(text)) await new Promise<void>((done) => (wake = done))
      assert.ok(output.includes(text), `npm ${argv.join(' ')} ended without "${text}":\n${output}`)
    },
    interrupt: () => {
      signal('SIGINT')
      return ended
    },
  }
}

for (const etcd of [true, false]) {
  describe(`a fresh clone ${etcd ? 'with an etcd on the PATH' : 'without one, which downloads it'}`, () => {
    let clone: FreshClone
    let links: string
    let path: string

    before(async () => {
      clone = await freshClone()
      // In place of `npm ci`.
      await symlink(MODULES, join(clone.folder, 'node_modules'))
      links = await mkdtemp(join(tmpdir(), 'aviso-path-'))
      path = await strangersPath(etcd, links)
      assert.equal(existsSync(join(clone.folder, '.cache')), false)
    })

    after(async () => {
      await clone.close()
      await rm(links, { recursive: true, force: true })
    })

    it('runs npm run etcd, which answers and stops at Ctrl-C', async (context) => {
      const running = npm(clone.folder, path, ['run', 'etcd'])
      context.after(() => running.interrupt())
      await running.printed('Stop it with Ctrl-C')
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(running.output())?.[0]
      const response = await fetch(`${url}/health`)
      assert.deepEqual(await response.json(), { health: 'true' })
      assert.equal(await running.interrupt(), 0, running.output())
      assert.equal(existsSync(join(clone.folder, '.cache', 'etcd')), !etcd)
    })

    it('passes a contract test on etcd', async () => {
      const test = npm(clone.folder, path, ['test', '--', CONTRACT])
      assert.equal(await test.ended, 0, test.output())
      assert.match(test.output(), /^ℹ pass [1-9]/m)
      assert.match(test.output(), /^ℹ skipped 0$/m)
    })
  })
}
