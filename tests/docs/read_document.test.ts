import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { missingLine, readSteps } from './read_document.ts'

function fenced(head: string, ...lines: readonly string[]): string {
  return ['```' + head, ...lines, '```'].join('\n')
}

describe('readSteps', () => {
  it('reads commands, servers, what they print and what they print later', () => {
    const text = [
      'Words.',
      fenced('sh server=a', 'npm start'),
      fenced('text', 'Listening'),
      fenced('json', '{}'),
      fenced('sh', 'one', 'two'),
      fenced('text from=a', 'Done'),
    ].join('\n\n')
    assert.deepEqual(readSteps(text), [
      { kind: 'server', line: 3, name: 'a', script: 'npm start', prints: ['Listening'] },
      { kind: 'run', line: 15, script: 'one\ntwo', prints: [] },
      { kind: 'prints', line: 20, from: 'a', prints: ['Done'] },
    ])
  })

  it('leaves out a block with the reason in the line before', () => {
    const reason = '<!-- not run: it takes a week -->'
    assert.deepEqual(readSteps(`${reason}\n\n${fenced('sh', 'wait')}`), [])
    assert.equal(readSteps(`${reason}\n\nWords.\n\n${fenced('sh', 'wait')}`).length, 1)
  })

  for (const [what, text, message] of [
    ['a shell by another name', fenced('bash', 'x'), /line 1: write "sh"/],
    ['a mark that means nothing', fenced('sh later', 'x'), /line 1: "later" is not a mark/],
    [
      'a server that never says it is ready',
      fenced('sh server=a', 'x'),
      /line 1: a server needs a text block/,
    ],
    ['no reason', `<!-- not run -->\n${fenced('sh', 'x')}`, /line 2: write <!-- not run: REASON -->/],
    ['text that nothing prints', `Words.\n\n${fenced('text', 'x')}`, /line 3: a text block stands directly/],
    ['text after words', `${fenced('sh', 'x')}\n\nWords.\n\n${fenced('text', 'x')}`, /line 7: a text block/],
    ['a block without end', '```sh\nx', /line 1: the block has no end/],
  ] as const) {
    it(`refuses ${what}`, () => assert.throws(() => readSteps(text), { message }))
  }
})

describe('missingLine', () => {
  const output = 'first (1)\r\n  second: {"id":"7","x":[]}\nthird'

  it('finds whole lines in their order, whatever stands between and around them', () => {
    assert.equal(missingLine(output, ['first (1)', 'third']), undefined)
    assert.equal(missingLine(output, ['third', 'first (1)']), 'first (1)')
    assert.equal(missingLine(output, ['fir']), 'fir')
    assert.equal(missingLine(output, ['third', 'third']), 'third')
  })

  it('takes … for any text, and everything else as it is', () => {
    assert.equal(missingLine(output, ['second: {"id":"…",…[]}']), undefined)
    assert.equal(missingLine(output, ['second: {"id":"8",…}']), 'second: {"id":"8",…}')
    assert.equal(missingLine(output, ['first .1.']), 'first .1.')
  })
})
