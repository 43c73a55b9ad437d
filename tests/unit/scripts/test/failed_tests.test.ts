import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { failedTests, lastTest } from '../../../../scripts/test/failed_tests.ts'

const NODE = `▶ outer
  ✖ fails => here (1.443455ms)
  ✔ passes (0.21541ms)
✖ outer (2.889261ms)
✖ b.test.ts (74.539967ms)
ℹ tests 3
ℹ fail 2

✖ failing tests:

test at a.test.ts:3:53
✖ fails => here (1.443455ms)
  AssertionError [ERR_ASSERTION]: Expected values to be strictly equal:
  ✖ not a test (1ms)

test at b.test.ts:1:1
✖ b.test.ts (74.539967ms)
  'test failed'
`

const DENO = `outer ...
  fails => here ... \u001B[0m\u001B[31mFAILED\u001B[0m (2ms)
\u001B[0m\u001B[1m\u001B[37m\u001B[41m ERRORS \u001B[0m

outer ... fails => here \u001B[38;5;245m=> ext:deno_node/testing.ts:1:23191\u001B[0m
error: AssertionError: Expected values to be strictly equal:

\u001B[0m\u001B[1m\u001B[37m\u001B[41m FAILURES \u001B[0m

outer ... fails => here \u001B[38;5;245m=> ext:deno_node/testing.ts:1:23191\u001B[0m
./b.test.ts (uncaught error)

FAILED | 0 passed (1 step) | 2 failed (1 step)

error: Test failed
`

const BUN = `bun test v1.4.5

a.test.ts:
error: x
(fail) outer > fails => here [1.98ms]
(pass) outer > passes [0.10ms]
(skip) skipped

b.test.ts:

# Unhandled error between tests
-------------------------------

2 tests failed:
(fail) outer > fails => here [1.98ms]

 1 pass
 1 fail
`

describe('failedTests()', () => {
  it('reads the names that node --test prints at its end', () => {
    assert.deepEqual(failedTests(NODE), ['a.test.ts:3:53: fails => here', 'b.test.ts:1:1: b.test.ts'])
  })

  it('reads the names that deno test prints at its end', () => {
    assert.deepEqual(failedTests(DENO), ['outer ... fails => here', './b.test.ts (uncaught error)'])
  })

  it('reads each name that bun test prints once, with its file', () => {
    assert.deepEqual(failedTests(BUN), [
      'a.test.ts: outer > fails => here',
      'b.test.ts: error outside of its tests',
    ])
  })

  it('finds none in other output', () => {
    assert.deepEqual(failedTests('Found 0 warnings and 0 errors.\n✖ 1 problem'), [])
  })

  it('reads the names of a runner of Node that was ended before it repeats them', () => {
    assert.deepEqual(failedTests(NODE.slice(0, NODE.indexOf('ℹ tests'))), [
      'fails => here',
      'outer',
      'b.test.ts',
    ])
  })
})

describe('lastTest()', () => {
  it('reads which test ended last, in the forms of all three runners', () => {
    assert.deepEqual([NODE, DENO, BUN].map(lastTest), ['b.test.ts', 'fails => here', 'outer > fails => here'])
    const suite = 'a store ...\n  closes ... ok (0ms)\na store ... ok (1ms)\n'
    assert.equal(lastTest(suite), 'closes')
    assert.equal(lastTest(BUN.slice(0, BUN.indexOf('(skip)'))), 'outer > passes')
  })

  it('finds none in other output', () => {
    assert.equal(lastTest('Found 0 warnings and 0 errors.\n'), undefined)
  })
})
