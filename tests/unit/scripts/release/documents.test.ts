import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { glob, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'

import { copyDocuments } from '../../../../scripts/release/documents.ts'
import { outputOf } from '../../../../scripts/run_command.ts'
import { temporaryFolder } from '../../../support/server.ts'

/** What users copy from. */
const COPIED = /\bscripts\/(?:examples|deploy)\/[\w./-]*\w/g
/** The folder that the operator makes. */
const MADE = 'scripts/deploy/secrets'

describe('copyDocuments()', () => {
  it('copies every file that the documents send their readers to', async (context) => {
    const folder = await temporaryFolder(context)
    await copyDocuments(folder)
    const named = new Map<string, string>()
    for await (const path of glob('**/*.md', { cwd: folder }))
      for (const [file] of (await readFile(join(folder, path), 'utf8')).matchAll(COPIED))
        if (!file.startsWith(MADE)) named.set(file, path)
    assert.ok(named.size > 10, [...named.keys()].join())
    assert.deepEqual(
      [...named].filter(([file]) => !existsSync(join(folder, file))),
      [],
    )
  })

  it('copies all of the examples and of the files for deploying, and no secret beside them', async (context) => {
    const folder = await temporaryFolder(context)
    await copyDocuments(folder)
    const kept = await outputOf('git', ['ls-files', 'scripts/examples', 'scripts/deploy'])
    const copied: string[] = []
    for await (const entry of glob('scripts/{examples,deploy}/**/*', { cwd: folder, withFileTypes: true }))
      if (entry.isFile()) copied.push(join(entry.parentPath, entry.name).slice(folder.length + 1))
    assert.deepEqual(copied.toSorted(), kept.trimEnd().split('\n').toSorted())
  })
})
