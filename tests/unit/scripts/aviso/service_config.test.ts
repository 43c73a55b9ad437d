import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { ClientError } from '#shared/client/client_error.ts'
import { manageConfig } from '../../../../scripts/aviso/service_config.ts'
import { keysUnder, put } from '../../services/admin/jobs/fixture.ts'
import { adminContext } from './admin_context.ts'
import type { TestContext } from './fixture.ts'

async function folderOf(context: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-config-'))
  context.after(() => rm(folder, { recursive: true }))
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(folder, path, '..'), { recursive: true })
    await writeFile(join(folder, path), content)
  }
  return folder
}

async function treeOf(folder: string): Promise<Record<string, string>> {
  const entries = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  )
  const read = entries.map(
    async ({ parentPath, name }) =>
      [
        join(parentPath, name).slice(folder.length + 1),
        await readFile(join(parentPath, name), 'utf8'),
      ] as const,
  )
  return Object.fromEntries((await Promise.all(read)).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

const push = { kind: 'push', service: 'aviso/v1', message: 'm', deleteOthers: false } as const
const pull = { kind: 'pull', service: 'aviso/v1', deleteOthers: false } as const

describe('manageConfig()', () => {
  it('pulls what was pushed, sub-folders too (case 118)', async (test) => {
    const { context, output } = adminContext()
    const files = { 'a.json': '{}', 'sub/deep/b.txt': 'b' }
    await manageConfig({ ...push, folder: await folderOf(test, files) }, context)
    assert.deepEqual(output.results, ['a.json', 'sub/deep/b.txt'])
    assert.equal(output.logged.at(-1)?.message, 'Push operation for service aviso/v1 successfully executed')
    const folder = await folderOf(test, { 'a.json': 'old', 'mine.txt': 'kept' })
    await manageConfig({ ...pull, folder }, context)
    assert.deepEqual(await treeOf(folder), { ...files, 'mine.txt': 'kept' })
    await manageConfig({ ...pull, folder, deleteOthers: true }, context)
    assert.deepEqual(await treeOf(folder), files)
  })
  it('pushes beside what is there, or instead of it (case 119)', async (test) => {
    const { context, store } = adminContext()
    await manageConfig({ ...push, folder: await folderOf(test, { a: '1', b: '1' }) }, context)
    const smaller = await folderOf(test, { a: '2' })
    await manageConfig({ ...push, folder: smaller }, context)
    assert.equal((await keysUnder(store, '/ec/config/aviso/v1/')).length, 2)
    await manageConfig({ ...push, folder: smaller, deleteOthers: true }, context)
    assert.deepEqual(await keysUnder(store, '/ec/config/aviso/v1/'), ['/ec/config/aviso/v1/a'])
  })
  it('removes only when it is told to (case 120)', async (test) => {
    const { context, output, store } = adminContext()
    await manageConfig({ ...push, folder: await folderOf(test, { a: '1' }) }, context)
    output.results.length = 0
    await manageConfig({ kind: 'remove', service: 'aviso/v1', doIt: false }, context)
    assert.deepEqual(
      [output.results, output.logged.at(-1)?.message],
      [['a'], 'remove --doit to delete these files'],
    )
    assert.equal((await keysUnder(store, '/ec/config/')).length, 2)
    await manageConfig({ kind: 'remove', service: 'aviso/v1', doIt: true }, context)
    assert.deepEqual(await keysUnder(store, '/ec/config/'), [])
    for (const task of [
      { ...pull, folder: await folderOf(test, {}) },
      { kind: 'revert', service: 'aviso/v1' },
    ] as const) {
      await manageConfig(task, context)
      assert.equal(output.logged.at(-1)?.message, 'No files found for service aviso/v1')
    }
  })
  it('prints a line of JSON for each task with --json, also where nothing is found', async (test) => {
    const { context, output } = adminContext()
    const json = { ...context, json: true }
    const empty = await folderOf(test, {})
    const tasks = [
      { kind: 'status', service: 'aviso/v1' },
      { ...pull, folder: empty },
      { ...push, folder: empty },
      { kind: 'revert', service: 'aviso/v1' },
      { kind: 'remove', service: 'aviso/v1', doIt: false },
    ] as const
    for (const task of tasks) await manageConfig(task, json)
    const none = { service: 'aviso/v1', files: [] }
    const told = { service: 'aviso/v1', message: 'No files found for service aviso/v1' }
    assert.deepEqual(
      output.results.map((line) => JSON.parse(line) as unknown),
      [null, none, none, told, told],
    )
    await manageConfig({ ...push, folder: await folderOf(test, { a: '1' }) }, json)
    for (const task of [
      { kind: 'revert', service: 'aviso/v1' },
      { kind: 'remove', service: 'aviso/v1', doIt: true },
    ] as const) {
      const before = output.results.length
      await manageConfig(task, json)
      assert.deepEqual(Object.keys(JSON.parse(output.results[before] ?? '') as object), [
        'service',
        'message',
      ])
    }
  })
  it('ends where a folder cannot be made', async (test) => {
    const { context } = adminContext()
    await manageConfig({ ...push, folder: await folderOf(test, { a: '1' }) }, context)
    await assert.rejects(manageConfig({ ...pull, folder: '/proc/x' }, context), /Cannot write \/proc\/x\/a: /)
  })
  it('reverts (case 121)', async (test) => {
    const { context } = adminContext()
    await manageConfig({ ...push, folder: await folderOf(test, { a: '1' }) }, context)
    await manageConfig({ ...push, folder: await folderOf(test, { a: '2' }) }, context)
    await manageConfig({ kind: 'revert', service: 'aviso/v1' }, context)
    const folder = await folderOf(test, {})
    await manageConfig({ ...pull, folder }, context)
    assert.deepEqual(await treeOf(folder), { a: '1' })
  })
  it('prints the status as 1.x does (case 122)', async (test) => {
    const { context, output } = adminContext()
    await manageConfig({ kind: 'status', service: 'aviso/v1' }, context)
    assert.deepEqual(output.logged.at(-1), { level: 'WARNING', message: 'No service aviso/v1 found' })
    await manageConfig({ ...push, folder: await folderOf(test, { a: '1' }) }, context)
    await manageConfig({ kind: 'status', service: 'aviso/v1' }, context)
    const printed = output.results.at(-1) ?? ''
    assert.match(printed, /^\{\n {4}"aviso_version": /)
    const status = JSON.parse(printed) as Record<string, unknown>
    assert.deepEqual([status['message'], status['version'], status['engine']], ['m', 1, 'ETCD_REST'])
  })
  it('skips files that are too large or empty, and says so', async (test) => {
    const { context, output, store } = adminContext({ AVISO_MAX_FILE_SIZE: '1' })
    await manageConfig(
      { ...push, folder: await folderOf(test, { a: 'x'.repeat(1025), b: '', c: 'c' }) },
      context,
    )
    assert.deepEqual(await keysUnder(store, '/ec/config/aviso/v1/'), ['/ec/config/aviso/v1/c'])
    assert.equal(output.logged.filter(({ level }) => level === 'WARNING').length, 2)
    await manageConfig({ ...push, service: 'other', folder: await folderOf(test, { b: '' }) }, context)
    assert.equal(output.logged.at(-1)?.message, 'No file found to push for service other')
  })
  it('writes nothing outside the folder, whatever the store holds', async (test) => {
    const { context, store } = adminContext()
    await put(store, ['/ec/config/aviso/v1/ok', 'ok'], ['/ec/config/aviso/v1/../../escaped', 'x'])
    const folder = await folderOf(test, {})
    await assert.rejects(manageConfig({ ...pull, folder }, context), ClientError)
    assert.deepEqual(await treeOf(folder), {})
  })
  it('says what the service refuses, and which folder cannot be read', async (test) => {
    const { context } = adminContext()
    const folder = await folderOf(test, { a: '1' })
    await assert.rejects(manageConfig({ ...push, service: '../x', folder }, context), /status 400/)
    await assert.rejects(
      manageConfig({ ...push, folder: join(folder, 'nothing') }, context),
      /Cannot read the folder/,
    )
  })
})
