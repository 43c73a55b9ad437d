import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { administrate } from '../../../../scripts/aviso/admin.ts'
import type { CommandContext } from '../../../../scripts/aviso/context.ts'
import { joinBytes, toBytes } from '#shared/bytes/bytes.ts'
import { ClientError } from '#shared/client/client_error.ts'
import { BACKUP_MEDIA_TYPE, frameLine } from '#shared/http/framed_body.ts'
import { adminContext } from './admin_context.ts'

const DATA = toBytes('0123456789')
const SHA256 = '84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882'
const SNAPSHOT = { at: '2026-11-25T12:00:00.000Z', revision: '7', size_bytes: DATA.length }

function bodyOf(end: Record<string, unknown> = { ...SNAPSHOT, sha256: SHA256 }): Uint8Array {
  const parts = [
    frameLine({ progress: { copied: 0.5 } }),
    frameLine({ snapshot: SNAPSHOT }),
    frameLine({ bytes: DATA.length }),
    DATA,
    frameLine({ end }),
  ]
  return joinBytes(
    parts,
    parts.reduce((sum, { length }) => sum + length, 0),
  )
}

interface Service {
  readonly context: CommandContext
  readonly results: readonly string[]
  readonly asked: string[]
}

/** A service that answers with a body. */
function serving(body: Uint8Array, doneStatus = 200): Service {
  const { context, output } = adminContext()
  const asked: string[] = []
  const fetch: CommandContext['fetch'] = async (url) => {
    asked.push(new URL(url).pathname)
    if (url.endsWith('/done')) return Response.json({ message: 'not now' }, { status: doneStatus })
    return new Response(new Uint8Array(body), { headers: { 'content-type': BACKUP_MEDIA_TYPE } })
  }
  return { context: { ...context, fetch }, results: output.results, asked }
}

async function folderOf(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-backup-'))
  context.after(() => rm(folder, { recursive: true }))
  return folder
}

const task = (file: string, options = {}) => ({ kind: 'backup', file, options }) as const

describe('backUp()', () => {
  it('writes a file for this user alone, and says that it has it', async (test) => {
    const file = join(await folderOf(test), 'copy')
    const { context, results, asked } = serving(bodyOf())
    await administrate(task(file), context)
    assert.deepEqual(await readFile(file), Buffer.from(DATA))
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    assert.match(results[0] ?? '', /^Backup of revision 7: .*copy, 10 B in \d/)
    assert.deepEqual(asked, ['/api/v1/admin/backup', '/api/v1/admin/backup/done'])
  })
  it('is done although the service does not count it', async (test) => {
    const file = join(await folderOf(test), 'copy')
    const { context, results } = serving(bodyOf(), 409)
    await administrate(task(file, { json: true }), context)
    const report = JSON.parse(results[0] ?? '') as Record<string, unknown>
    assert.deepEqual([report['recorded'], report['sha256'], report['size_bytes']], [false, SHA256, 10])
  })
  it('keeps nothing of a copy that is cut short at any byte, or damaged', async (test) => {
    const folder = await folderOf(test)
    const whole = bodyOf()
    const cuts = Array.from({ length: whole.length }, (_, length) => whole.subarray(0, length))
    const flipped = whole.slice()
    const at = whole.length - bodyEnd().length - 1
    flipped[at] = (flipped[at] ?? 0) ^ 1
    const shorter = bodyOf({ ...SNAPSHOT, size_bytes: 9, sha256: SHA256 })
    for (const body of [...cuts, flipped, shorter]) {
      const { context, asked } = serving(body)
      await assert.rejects(administrate(task(join(folder, 'copy')), context), (error) => {
        assert.ok(error instanceof ClientError)
        return error.exitCode === 1
      })
      assert.deepEqual(await readdir(folder), [])
      assert.deepEqual(asked, ['/api/v1/admin/backup'])
    }
  })
  it('shows the error that a copy ends with', async (test) => {
    const folder = await folderOf(test)
    const { context } = serving(frameLine({ error: { message: 'the disk is full' } }))
    await assert.rejects(administrate(task(join(folder, 'copy')), context), /the disk is full/)
    assert.deepEqual(await readdir(folder), [])
  })
  it('replaces a file only when it is told to', async (test) => {
    const folder = await folderOf(test)
    const file = join(folder, 'copy')
    await writeFile(file, 'old')
    const { context, asked } = serving(bodyOf())
    await assert.rejects(administrate(task(file), context), (error) => {
      assert.match(String(error), /exists already.*--force/)
      return error instanceof ClientError && error.exitCode === 2
    })
    assert.deepEqual(asked, [])
    await assert.rejects(administrate(task(folder, { force: true }), context), /is a folder/)
    await assert.rejects(administrate(task(join(folder, 'no/copy')), context), /There is no folder/)
    assert.equal(await readFile(file, 'utf8'), 'old')
    await administrate(task(file, { force: true }), context)
    assert.deepEqual(await readFile(file), Buffer.from(DATA))
  })
  it('says what the service says', async (test) => {
    const { context } = adminContext()
    const file = join(await folderOf(test), 'copy')
    await assert.rejects(administrate(task(file), context), /status 404: This runtime makes no backups/)
  })
})

function bodyEnd(): Uint8Array {
  return frameLine({ end: { ...SNAPSHOT, sha256: SHA256 } })
}
