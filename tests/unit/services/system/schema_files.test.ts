import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readSchemaFiles } from '#services/system/schema_files.ts'

const missing = (): Promise<string> => Promise.reject(new Error('ENOENT'))

describe('readSchemaFiles()', () => {
  it('takes shipped schemas by name and others by path', async () => {
    const files = await readSchemaFiles(['flight', 'own.json'], () => Promise.resolve('{"a":{}}'))
    assert.deepEqual(
      files.map(({ source }) => source),
      ['flight', 'own.json'],
    )
    assert.deepEqual(files[1]?.content, { a: {} })
  })

  it('reads YAML as it reads JSON', async () => {
    const text = `notification_schema:
  things: &things
    topic: { base: things, key_order: [date] }
    identifier:
      date: { type: DateHandler, canonical_format: "%Y%m%d" } # a comment
`
    const [yaml] = await readSchemaFiles(['own.yaml'], () => Promise.resolve(text))
    const date = { type: 'DateHandler', canonical_format: '%Y%m%d' }
    const things = { topic: { base: 'things', key_order: ['date'] }, identifier: { date } }
    assert.deepEqual(yaml?.content, { notification_schema: { things } })
    await assert.rejects(
      readSchemaFiles(['own.yaml'], () => Promise.resolve('a: [1\nb: 2')),
      /Schema file "own\.yaml" is not YAML, 2:1: /,
    )
    const bomb = `a: &a [1]\n${[...Array(200).keys()].map((index) => `b${index}: *a`).join('\n')}`
    await assert.rejects(
      readSchemaFiles(['own.yaml'], () => Promise.resolve(bomb)),
      /Schema file "own\.yaml" uses too many aliases/,
    )
  })

  it('names a file that cannot be read or is no JSON', async () => {
    await assert.rejects(readSchemaFiles(['own.json'], missing), /Cannot read the schema file "own\.json"/)
    await assert.rejects(
      readSchemaFiles(['own.json'], () => Promise.resolve('{')),
      /Schema file "own\.json" is not JSON/,
    )
  })
})
