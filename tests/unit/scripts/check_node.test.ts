/** The module that every npm script preloads, in a small project of its own, because what it does is done once for each process. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const CHECK_NODE = fileURLToPath(new URL('../../../scripts/check_node.mjs', import.meta.url))
const FILES = {
  'package.json': '{ "type": "module", "imports": { "#shared/*": "./shared/*" } }',
  'scripts/main.ts': "import { a } from './a.ts'\nimport { b } from '#shared/b.ts'\nconsole.log(a + b)\n",
  'scripts/a.ts': "export const a: string = 'a'\n",
  'shared/b.ts': "export const b: string = 'b'\n",
}

describe('check_node', () => {
  let folder: string
  let temporary: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'aviso-check-node-'))
    temporary = join(folder, 'temporary')
    for (const [path, text] of Object.entries({ ...FILES, 'temporary/none': '' })) {
      await mkdir(dirname(join(folder, path)), { recursive: true })
      await writeFile(join(folder, path), text)
    }
    await copyFile(CHECK_NODE, join(folder, 'scripts/check_node.mjs'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  function run(environment: Readonly<Record<string, string>> = {}): {
    readonly status: number | null
    readonly output: string
  } {
    const { PATH } = process.env
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--import', './scripts/check_node.mjs', 'scripts/main.ts'],
      { cwd: folder, encoding: 'utf8', env: { PATH, TMPDIR: temporary, ...environment } },
    )
    return { status, output: stdout + stderr }
  }
  const cached = (path = '.cache/node_compile'): boolean =>
    existsSync(join(folder, path)) && readdirSync(join(folder, path)).length > 0

  it('keeps compiled code in the clone, and nothing in the folder for temporary files', () => {
    assert.deepEqual(run(), { status: 0, output: 'ab\n' })
    assert.ok(cached())
    assert.deepEqual(readdirSync(temporary), ['none'])
    assert.deepEqual(run(), { status: 0, output: 'ab\n' })
  })
  it('runs a file that has changed since it was compiled', async () => {
    run()
    await writeFile(join(folder, 'scripts/a.ts'), "export const a: string = 'c'\n")
    assert.deepEqual(run(), { status: 0, output: 'cb\n' })
  })
  it('says what to do where a tool of developers is not installed', async () => {
    const { 'package.json': settings } = FILES
    await writeFile(
      join(folder, 'package.json'),
      settings.replace(/\}$/, ', "devDependencies": { "@tools/one": "1.0.0" } }'),
    )
    await writeFile(join(folder, 'scripts/a.ts'), "export { a } from '@tools/one/part'\n")
    assert.deepEqual(run(), {
      status: 2,
      output:
        'error: @tools/one is not installed, which only developers need: run npm ci without --omit=dev\n',
    })
    await writeFile(join(folder, 'scripts/a.ts'), "export { a } from 'two'\n")
    const other = run()
    assert.equal(other.status, 1)
    assert.match(other.output, /ERR_MODULE_NOT_FOUND/)
  })
  it('goes without compiled code, silently, where it cannot be kept', async () => {
    await writeFile(join(folder, '.cache'), 'a file, so that no folder can be made')
    assert.deepEqual(run(), { status: 0, output: 'ab\n' })
  })
  it('leaves the place of compiled code to NODE_COMPILE_CACHE and NODE_DISABLE_COMPILE_CACHE', () => {
    assert.deepEqual(run({ NODE_DISABLE_COMPILE_CACHE: '1' }), { status: 0, output: 'ab\n' })
    assert.deepEqual(run({ NODE_COMPILE_CACHE: join(folder, 'chosen') }), { status: 0, output: 'ab\n' })
    assert.ok(cached('chosen'))
    assert.ok(!cached())
  })
  it('says which file of the project is missing', async () => {
    await rm(join(folder, 'shared/b.ts'))
    const { status, output } = run()
    assert.equal(status, 1)
    assert.match(output, /shared\/b\.ts/)
  })
})
