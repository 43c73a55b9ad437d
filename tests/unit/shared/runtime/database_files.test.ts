import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { openWitness, replaceFile, secure } from '#shared/runtime/database_files.ts'
import { databaseFile, openHostDatabase } from '#shared/runtime/process_host.ts'

/** A file whose rights nobody can change, not even the superuser. */
const FIXED_FILE = '/proc/self/status'

describe('database files', () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'aviso-database-files-'))
  })
  after(async () => {
    await rm(folder, { recursive: true })
  })

  it('secure(): tells where it cannot take rights away, and says nothing where there is nothing to do', async () => {
    const told: string[] = []
    const warn = (message: string): void => void told.push(message)
    secure(FIXED_FILE, 0o600, warn)
    assert.match(
      told.join(),
      /Others may read \/proc\/self\/status, and this process cannot change that: chmod it/,
    )
    const own = join(folder, 'own')
    await writeFile(own, '', { mode: 0o600 })
    secure(own, 0o600, warn)
    secure(join(folder, 'absent'), 0o600, warn)
    assert.equal(told.length, 1)
  })

  // Node's own way to make folders never ends in /proc.
  it('databaseFile(): says what to do where the folder cannot be made', { timeout: 10_000 }, async () => {
    const file = join(folder, 'file')
    await writeFile(file, '')
    for (const path of [file, join(file, 'below', 'it'), '/proc/x', '/proc/x/y', '/proc/self/status/x'])
      await assert.rejects(databaseFile(path), {
        code: 'ERR_CONFIG',
        message: /The data folder .* cannot be made: check that no file is in its place/,
      })
  })

  it('databaseFile(): makes every folder that is missing, for this user alone', async () => {
    const path = await databaseFile(join(folder, 'one', 'two'))
    for (const made of [join(path, '..'), join(path, '..', '..')])
      assert.equal((await stat(made)).mode & 0o777, 0o700)
    assert.equal(await databaseFile(join(folder, 'one', 'two')), path, 'it is there already')
  })

  it('openHostDatabase(): says what to do where nothing can be written into the folder', async () => {
    await assert.rejects(openHostDatabase('/proc/self'), {
      code: 'ERR_CONFIG',
      message: /cannot be opened: check that its folder may be read and written, or choose another/,
    })
  })

  it('replaceFile(): leaves a whole file that only its user may read', async () => {
    const path = join(folder, 'replaced')
    await writeFile(path, 'an older and longer text', { mode: 0o644 })
    replaceFile(path, new TextEncoder().encode('new'))
    assert.equal(await readFile(path, 'utf8'), 'new')
    assert.equal((await stat(path)).mode & 0o777, 0o600)
  })

  it('openWitness(): overwrites a part of the file in place', async () => {
    const path = join(folder, 'witness')
    const witness = openWitness(path)
    assert.equal(witness.read(), undefined)
    witness.create(new Uint8Array(8))
    witness.write(new Uint8Array([1, 2]), 3)
    assert.deepEqual([...(witness.read() ?? [])], [0, 0, 0, 1, 2, 0, 0, 0])
    witness.close()
  })
})
