import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as v from 'valibot'
import { loadSettings } from '#shared/config/load.ts'
import { section } from '#shared/config/section.ts'

const number = v.optional(v.number(), 1)
const schema = section({
  heartbeatSeconds: number,
  stallSeconds: number,
  port: number,
  listen: v.optional(v.union([v.literal('everything'), v.array(v.string())]), []),
  identity: v.optional(
    v.union([v.literal('none'), section({ realm: v.string(), providers: number })]),
    'none',
  ),
})

function reasonFor(file: object): string {
  try {
    loadSettings(schema, { text: JSON.stringify(file), source: 'file.json' })
  } catch (error) {
    if (error instanceof Error) return error.message
  }
  return 'accepted'
}

describe('section()', () => {
  it('refuses a mistyped setting with its path and the one that was meant', () => {
    assert.equal(
      reasonFor({ heartbeatSecond: 5 }),
      'file.json: heartbeatSecond: there is no setting "heartbeatSecond" here: did you mean "heartbeatSeconds"?',
    )
    assert.match(reasonFor({ identity: { realm: 'r', provider: 1 } }), /identity\.provider: .*"providers"\?$/)
  })

  it('tells every unknown setting of every section, whatever else is wrong', () => {
    const reason = reasonFor({ stallSecond: 1, prot: 2, identity: { realm: 'r', a: 1, b: 2 }, port: 'x' })
    for (const path of ['stallSecond', 'prot', 'identity.a', 'identity.b', 'port'])
      assert.match(reason, new RegExp(`^  ${path}: `, 'm'))
    assert.equal(reason.split('\n').length, 6)
  })

  it('lists the settings where none resembles it', () => {
    assert.match(
      reasonFor({ colour: 'red' }),
      /^file\.json: colour: .*: known are heartbeatSeconds, stallSeconds, port, listen, identity$/,
    )
  })

  it('names a setting that is missing, and a value that is no object', () => {
    assert.equal(
      reasonFor({ identity: { providers: 1 } }),
      'file.json: identity.realm: this setting is required',
    )
    assert.match(
      reasonFor({ identity: 'off' }),
      /^file\.json: identity: "off" is not allowed here: use "none" or an object$/,
    )
  })
})

describe('loadSettings()', () => {
  it('says of a value that may have several shapes what is wrong with the one that was meant', () => {
    assert.equal(reasonFor({ listen: ['a', 5] }), 'file.json: listen.1: 5 is not a text in quotes')
    assert.match(
      reasonFor({ listen: 'all' }),
      /^file\.json: listen: "all" is not allowed here: use "everything" or a list$/,
    )
  })
})
