import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { NothingSelected, selectStages } from '../../../../scripts/test/selection.ts'
import { GATE, ROOT } from '../../../../scripts/test/steps.ts'

const TESTS = [
  'tests/contract/hub.memory.test.ts',
  'tests/contract/store.memory.test.ts',
  'tests/long/idle_watch.test.ts',
  'tests/unit/shared/hub/ring.test.ts',
  'tests/unit/shared/hub/source/pages.test.ts',
]

const select = (words: readonly string[], { folder = ROOT, options = [] as readonly string[] } = {}) =>
  selectStages({ words, options, folder, tests: TESTS })

/** The test files that are handed to Node. */
async function files(words: readonly string[], folder = ROOT): Promise<readonly string[]> {
  const command = await select(words, { folder }).at(-1)?.[0]?.command()
  return (command ?? []).filter((word) => word.endsWith('.test.ts'))
}

function refusal(words: readonly string[], options: readonly string[] = []): string {
  try {
    select(words, { options })
  } catch (error) {
    assert.ok(error instanceof NothingSelected)
    return error.message
  }
  return assert.fail(`${words.join(' ')} was taken`)
}

describe('selectStages()', () => {
  it('takes the whole gate where nothing is named', () => {
    assert.equal(select([]), GATE)
  })

  it('takes steps by their words, in the order of the gate', () => {
    const names = (words: readonly string[]) => select(words).map((stage) => stage.map(({ name }) => name))
    assert.deepEqual(names(['bun', 'lint', 'deno']), [['lint'], ['deno', 'bun']])
    assert.deepEqual(names(['types']), [['types', 'types', 'types']])
    assert.deepEqual(names(['check', 'lint', 'unit']), [
      ['format', 'lint', 'imports', 'types', 'types', 'types'],
      ['unit'],
    ])
  })

  it('takes files, folders and globs, each file once', async () => {
    assert.deepEqual(await files(['tests/unit/shared/hub/ring.test.ts']), [
      'tests/unit/shared/hub/ring.test.ts',
    ])
    assert.deepEqual(await files(['tests/unit', 'tests/unit/shared/hub/']), [
      'tests/unit/shared/hub/ring.test.ts',
      'tests/unit/shared/hub/source/pages.test.ts',
    ])
    assert.deepEqual(await files(['tests/*/*.memory.test.ts']), [
      'tests/contract/hub.memory.test.ts',
      'tests/contract/store.memory.test.ts',
    ])
  })

  it("starts paths at the caller's folder", async () => {
    assert.deepEqual(await files(['hub'], join(ROOT, 'tests/unit/shared')), [
      'tests/unit/shared/hub/ring.test.ts',
      'tests/unit/shared/hub/source/pages.test.ts',
    ])
    assert.deepEqual(await files(['../contract/store.memory.test.ts'], join(ROOT, 'tests/unit')), [
      'tests/contract/store.memory.test.ts',
    ])
  })

  it('takes long tests only where their folder or one of them is named', async () => {
    assert.equal((await files(['tests'])).includes('tests/long/idle_watch.test.ts'), false)
    assert.equal((await files(['tests/*/*.test.ts'])).includes('tests/long/idle_watch.test.ts'), false)
    assert.deepEqual(await files(['tests/long']), ['tests/long/idle_watch.test.ts'])
    assert.deepEqual(await files(['tests/long/*.test.ts']), ['tests/long/idle_watch.test.ts'])
  })

  it('hands options to the named files, and refuses them without files', async () => {
    const [stage] = select(['tests/contract'], { options: ['--test-only'] })
    assert.ok((await stage?.[0]?.command())?.includes('--test-only'))
    assert.match(
      refusal(['lint'], ['--test-only']),
      /^--test-only is an option for test files: name test files before it/,
    )
    assert.match(refusal([], ['--test-only']), /^--test-only is an option for test files/)
  })

  it('refuses a word that names nothing, with the closest name and what there is', () => {
    const rows: readonly (readonly [string, string])[] = [
      ['lnit', ' Did you mean "lint"?'],
      ['ring.test.ts', ' Did you mean "tests/unit/shared/hub/ring.test.ts"?'],
      ['shared/hub/ring.ts', ' Did you mean "tests/unit/shared/hub/ring.test.ts"?'],
      ['contrct', ' Did you mean "tests/contract"?'],
      ['tests/contract/publisher_support.ts', ''],
      ['something else', ''],
    ]
    for (const [word, question] of rows) {
      const [first, next] = refusal([word]).split('\n')
      assert.equal(first, `"${word}" is neither a step nor a test file.${question}`)
      assert.match(
        next ?? '',
        /^Steps: {2}check, format, lint, imports, types, node24, portable, node22, deno, bun, release, unit$/,
      )
    }
  })
})
