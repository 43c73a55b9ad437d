import assert from 'node:assert/strict'
import { mkdir, readdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { after, before, describe, it } from 'node:test'
import { runCommand } from '../../scripts/run_command.ts'
import { freshClone, type FreshClone } from '../support/fresh_clone.ts'
import { openWorkplace, ROOT, writeFiles, type Workplace } from './installed.ts'

/** The system that this machine is not. */
const OTHER_SYSTEM = process.arch === 'x64' ? 'linux-arm64' : 'linux-x64'

describe('npm run release refuses', () => {
  let clone: FreshClone
  let workplace: Workplace

  before(async () => {
    workplace = await openWorkplace()
    clone = await freshClone()
  })

  after(async () => {
    await clone.close()
    await workplace.close()
  })

  function release(argv: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const script = join(clone.folder, 'scripts/release.ts')
    return runCommand(process.execPath, ['--disable-warning=ExperimentalWarning', script, ...argv], {
      folder: workplace.folder,
      environment,
    })
  }

  it('an installation without tools', async () => {
    const modules = join(clone.folder, 'node_modules')
    await mkdir(modules)
    await symlink(join(ROOT, 'node_modules/commander'), join(modules, 'commander'))
    assert.deepEqual(await release([]), {
      code: 2,
      output: 'error: esbuild, bun, tsc are not installed: run npm ci without --omit=dev\n',
    })
    await symlink(join(ROOT, 'node_modules/.bin'), join(modules, '.bin'))
    for (const name of ['esbuild', 'bun', 'valibot', '@esbuild'])
      await symlink(join(ROOT, 'node_modules', name), join(modules, name))
  })

  for (const [what, argv, said] of [
    ['a part that does not exist', ['linux-riscv64'], /Allowed choices are package, linux-x64, linux-arm64/],
    ['a flag that does not exist', ['--output', 'x'], /unknown option '--output'/],
    [
      'a folder below a file',
      ['--out', 'file/below'],
      /file\/below cannot be written \(ENOTDIR\): name another/,
    ],
    ['a folder with files of others', ['--out', 'others'], /others holds other files: name an empty folder/],
  ] as const) {
    it(what, async () => {
      await writeFiles(workplace.folder, { file: '', 'others/kept': '' })
      const { code, output } = await release(argv)
      assert.match(output, said)
      assert.equal(code, 2, output)
      assert.deepEqual(await readdir(join(workplace.folder, 'others')), ['kept'])
    })
  }

  it('an executable of another system whose runtime cannot be had', async () => {
    const { code, output } = await release([OTHER_SYSTEM, '--out', 'offline'], {
      npm_config_offline: 'true',
      npm_config_cache: join(workplace.folder, 'empty'),
    })
    assert.match(output, new RegExp(`error: npm cannot fetch @oven/bun-\\S+, the runtime of ${OTHER_SYSTEM}`))
    assert.equal(code, 1, output)
  })
})
