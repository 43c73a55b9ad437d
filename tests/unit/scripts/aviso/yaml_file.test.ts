import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseYamlFile } from '../../../../scripts/aviso/yaml_file.ts'

describe('parseYamlFile()', () => {
  it('keeps numbers, dates and times as they are written', () => {
    const { value } = parseYamlFile(
      'a: 0010\nb: 20210101\nc: 12:30\nd: [0x10, 1.50]\ne: 2021-01-01\nf: 1_000\ng: 99999999999999999999',
      'x.yaml',
    )
    assert.deepEqual(value, {
      a: '0010',
      b: '20210101',
      c: '12:30',
      d: ['0x10', '1.50'],
      e: '2021-01-01',
      f: '1_000',
      g: '99999999999999999999',
    })
  })

  it('reads no, yes, on and off as text, and true, false and null as what they are', () => {
    const { value } = parseYamlFile('[no, yes, on, off, true, False, null, ~]', 'x.yaml')
    assert.deepEqual(value, ['no', 'yes', 'on', 'off', true, false, null, null])
  })

  it('says where a file is malformed', () => {
    assert.throws(() => parseYamlFile('a: [1\nb: 2', 'x.yaml'), /^ClientError: x\.yaml:2:\d+ /)
    assert.throws(() => parseYamlFile('a: 1\na: 2', 'x.yaml'), /x\.yaml:2:1 Map keys must be unique/)
  })

  it('names every problem of a malformed file, one for each line', () => {
    assert.throws(
      () => parseYamlFile('a: 1\na: 2\nb: %x\nc: @x\n', 'x.yaml'),
      /^ClientError: x\.yaml:2:1 Map keys must be unique\nx\.yaml:3:4 .*%.*\nx\.yaml:4:4 .*@/,
    )
  })

  it('names each alias without an anchor, and a second document', () => {
    assert.throws(
      () => parseYamlFile('a: &a 1\nb: *a\nc: *nope\n<<: *none\n', 'x.yaml'),
      /^ClientError: x\.yaml:3:4 \*nope: no anchor &nope stands before it\nx\.yaml:4:5 \*none: /,
    )
    assert.throws(
      () => parseYamlFile('a: 1\n---\nb: 1\n', 'x.yaml'),
      /x\.yaml:2:1 A second document begins here/,
    )
  })

  it('refuses documents that expand without bound', () => {
    const bomb = [
      'a: &a [1,1,1,1,1,1,1,1,1,1]',
      ...'bcdefgh'.split('').map((name, at) => `${name}: &${name} [${`*${'abcdefg'[at]},`.repeat(9)}]`),
    ]
    assert.throws(() => parseYamlFile(bomb.join('\n'), 'x.yaml'), /too many aliases/)
  })

  it('locates keys, list entries, and the parent of what is not there', () => {
    const file = parseYamlFile('listeners:\n  - event: flight\n    triggers:\n      - type: echo\n', 'l.yaml')
    assert.equal(
      file.locate(['listeners', 0, 'triggers', 0, 'type']),
      'l.yaml:4:9 listeners.0.triggers.0.type',
    )
    assert.equal(file.locate(['listeners', 0, 'request']), 'l.yaml:2:5 listeners.0.request')
    assert.equal(file.locate([]), 'l.yaml:1:1')
  })
})
