import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

import { ALL_MUTANTS } from '../mutants/all_mutants.ts'

const ROOT = new URL('../../', import.meta.url)

describe('mutants', () => {
  it('each find the text that they change, once', async () => {
    const astray: string[] = []
    for (const { file, from } of ALL_MUTANTS) {
      const text = await readFile(fileURLToPath(new URL(file, ROOT)), 'utf8').catch(() => '')
      if (text.split(from).length !== 2) astray.push(`${file}: ${from}`)
    }
    assert.deepEqual(astray, [])
  })
})
