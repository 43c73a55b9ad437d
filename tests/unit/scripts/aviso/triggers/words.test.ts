import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { splitWords } from '../../../../../scripts/aviso/triggers/words.ts'

const split = (line: string): string[] => splitWords(line, '/home/joe')

describe('splitWords()', () => {
  for (const [line, words] of [
    ['  a  b\tc ', ['a', 'b', 'c']],
    [`a 'b c' "d e" f''g`, ['a', 'b c', 'd e', 'fg']],
    [`a '' ""`, ['a', '', '']],
    ['a b\\ c \\"d\\"', ['a', 'b c', '"d"']],
    [String.raw`a "b\"c\\d\e"`, ['a', String.raw`b"c\d\e`]],
    [String.raw`a 'b\c'`, ['a', String.raw`b\c`]],
    ['a \\\n b', ['a', 'b']],
    ['~/bin/x ~ a~b "~/c"', ['/home/joe/bin/x', '/home/joe', 'a~b', '~/c']],
    ['echo ${request.date} "${json}"', ['echo', '${request.date}', '${json}']],
    [`echo '$HOME; a | b > c'`, ['echo', '$HOME; a | b > c']],
    ['echo \\$HOME a;b'.replace(';', '\\;'), ['echo', '$HOME', 'a;b']],
    ['curl http://x/?a=b', ['curl', 'http://x/?a=b']],
    [`ls '/data/*' "*" \\* a#b '#'`, ['ls', '/data/*', '*', '*', 'a#b', '#']],
    ['$HOME/bin/x "$HOME/a b" ${HOME}s', ['/home/joe/bin/x', '/home/joe/a b', '/home/joes']],
    ['', []],
  ] as const) {
    it(`splits ${JSON.stringify(line)}`, () => assert.deepEqual(split(line), words))
  }

  for (const line of [
    'a | b',
    'a && b',
    'a; b',
    'a > f',
    'a < f',
    'a &',
    '(a)',
    'a\nb',
    'a `b`',
    'a "`b`"',
    'a $(b)',
    'a "$(b)"',
    'a $HOMES',
    'a "$OTHER"',
    'a ${x:-y}',
    'a $1',
    'a $?',
    'ls /data/*.grib',
    'a b # comment',
  ]) {
    it(`refuses ${JSON.stringify(line)}, which needs a shell`, () =>
      assert.throws(() => split(line), /only a shell understands/))
  }

  it('refuses variables in front of the program, and says where they belong', () => {
    assert.throws(() => split('TZ=UTC date'), /sets TZ in front of its program.*put TZ into "environment"/)
    assert.deepEqual(split('env TZ=UTC date'), ['env', 'TZ=UTC', 'date'])
  })

  it('refuses open quotes and a trailing backslash', () => {
    assert.throws(() => split(`a 'b`), /open '/)
    assert.throws(() => split('a "b'), /open "/)
    assert.throws(() => split('a b\\'), /ends in a backslash/)
  })
})
