import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import { schemasOfFiles } from '#shared/service_files/schema_files.ts'
import { toBytes } from '#shared/bytes/bytes.ts'

const files = (entries: Readonly<Record<string, unknown>>): Map<string, Uint8Array> =>
  new Map(
    Object.entries(entries).map(([path, content]) => [
      path,
      toBytes(typeof content === 'string' ? content : JSON.stringify(content)),
    ]),
  )
const schema = (values: readonly string[]): object => ({
  version: 0.1,
  payload: 'location',
  mars: {
    endpoint: [{ engine: ['etcd_rest'], base: '/ec/mars', stem: 'date={date},stream={stream}' }],
    request: {
      date: [{ type: 'DateHandler', canonic: '%Y%m%d' }],
      stream: [{ type: 'EnumHandler', values }],
    },
  },
})
const language = {
  _field: { stream: { values: [['oper', 'da', 'daily archive'], 'enfo'] }, class: { values: ['od'] } },
}

describe('schemasOfFiles()', () => {
  it('finds the schema by its name, in whatever folder', () => {
    const schemas = schemasOfFiles(
      files({ 'x/event_listener_schema.json': schema(['oper']), 'y.json': 'not looked at' }),
    )
    assert.deepEqual(schemas?.events, ['mars'])
    assert.equal(schemasOfFiles(files({ 'y.json': '{}' })), undefined)
  })
  it("completes enumerations with the language's values, synonyms too, as 1.x's parser ecmwf does", () => {
    const schemas = schemasOfFiles(
      files({ 'event_listener_schema.json': schema(['own']), 'language.json': language }),
    )
    const encode = (stream: string): string =>
      schemas?.require('mars').encode({ date: '20261125', stream }).stem ?? ''
    for (const stream of ['own', 'oper', 'daily archive', 'enfo'])
      assert.equal(encode(stream), `/ec/mars/date=20261125,stream=${stream}`)
    assert.throws(() => encode('else'))
  })
  for (const [what, entries] of [
    [
      'two of them',
      { 'a/event_listener_schema.json': schema(['a']), 'b/event_listener_schema.json': schema(['a']) },
    ],
    ['one that is no JSON', { 'event_listener_schema.json': '{' }],
    ['one that is no schema', { 'event_listener_schema.json': '{}' }],
    ['a language that is no JSON', { 'event_listener_schema.json': schema(['a']), 'language.json': 'x' }],
  ] as const)
    it(`refuses ${what}`, () => {
      assert.throws(
        () => schemasOfFiles(files(entries)),
        (error) => isAvisoError(error, 'ERR_CONFIG'),
      )
    })
})
