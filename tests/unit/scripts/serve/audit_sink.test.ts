import assert from 'node:assert/strict'
import { mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'

import { openAuditSink } from '../../../../scripts/serve/audit_sink.ts'

describe('openAuditSink()', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'aviso-audit-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  it('makes a file that its owner alone may read, and appends', async () => {
    const path = join(folder, 'audit.jsonl')
    const sink = await openAuditSink(path)
    await sink('1\n')
    await sink('2\n')
    assert.equal(await readFile(path, 'utf8'), '1\n2\n')
    assert.equal((await stat(path)).mode & 0o777, 0o600)
  })

  it('goes on in a new file when the old one is moved away', async () => {
    const path = join(folder, 'rotated.jsonl')
    const sink = await openAuditSink(path)
    await sink('1\n')
    await rename(path, `${path}.1`)
    await sink('2\n')
    assert.deepEqual(
      [await readFile(`${path}.1`, 'utf8'), await readFile(path, 'utf8'), (await stat(path)).mode & 0o777],
      ['1\n', '2\n', 0o600],
    )
  })

  it('says at once that a file cannot be written', async () => {
    await assert.rejects(openAuditSink(join(folder, 'nosuch', 'audit.jsonl')), {
      code: 'ERR_CONFIG',
      message: /nosuch\/audit\.jsonl" \(vars\.audit\.file\)$/,
    })
  })
})
