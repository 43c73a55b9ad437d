import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { IDENTITY_MUTANTS } from '../mutants/identity_mutants.ts'
import { POLICY_MUTANTS } from '../mutants/policy_mutants.ts'
import { SERVICE_MUTANTS } from '../mutants/service_mutants.ts'
import { VERDICT_MUTANTS } from '../mutants/verdict_mutants.ts'

const ROOT = new URL('../../', import.meta.url)

describe('mutants', () => {
  it('each find the text that they change, once', async () => {
    const mutants = [...IDENTITY_MUTANTS, ...POLICY_MUTANTS, ...SERVICE_MUTANTS, ...VERDICT_MUTANTS]
    const astray: string[] = []
    for (const { file, from } of mutants) {
      const text = await readFile(fileURLToPath(new URL(file, ROOT)), 'utf8').catch(() => '')
      if (text.split(from).length !== 2) astray.push(`${file}: ${from}`)
    }
    assert.deepEqual(astray, [])
  })
})
