/**
 * Reads the names of tests from the output of a test runner.
 *
 * @module
 */

import { stripVTControlCharacters } from 'node:util'

/** @returns one entry for each failed test: its name, preceded by its file or place if the runner prints that */
export function failedTests(output: string): readonly string[] {
  const lines = stripVTControlCharacters(output).split('\n')
  return [...failedOnNode(lines), ...failedOnDeno(lines), ...failedOnBun(lines)]
}

/** The test that ended last, as far as the output tells: what a runner that hangs had done before. */
export function lastTest(output: string): string | undefined {
  // The failed ones are repeated behind the sums.
  const [tests = ''] = stripVTControlCharacters(output).split(/^ℹ tests |^ FAILURES $/m)
  const lines = tests.split('\n')
  // A suite ends like a test, but its name comes before its tests, too.
  const suites = new Set(lines.flatMap((line) => /^ *(?:▶ (.+)|(.+) \.\.\.)$/.exec(line)?.slice(1) ?? []))
  return lines
    .map((line) => ENDED.map((form) => form.exec(line)?.[1]).find((name) => name !== undefined))
    .findLast((name) => name !== undefined && !suites.has(name))
}

/** The line of a test that ended, in the three runners: Node's, Deno's, Bun's. */
const ENDED = [
  /^ *[✔✖] (.+) \([\d.]+ms\)/,
  /^ *(.+) \.\.\. (?:ok|FAILED)(?: \(|$)/,
  /^\((?:pass|fail)\) (.+?)(?: \[[\d.]+ms\])?$/,
]

/** Whether `node --test` has told the sums of all tests, which it does after the last one. */
export function hasSummary(output: string): boolean {
  return /^ℹ duration_ms /m.test(sums(output))
}

/** Whether there are such sums, and every test had ended. */
export function allEnded(output: string): boolean {
  return hasSummary(output) && sums(output).includes('\nℹ cancelled 0\n')
}

/** Whether, besides, no test failed. */
export function allPassed(output: string): boolean {
  return allEnded(output) && sums(output).includes('\nℹ fail 0\n')
}

function sums(output: string): string {
  return stripVTControlCharacters(output.slice(output.lastIndexOf('ℹ tests ')))
}

/**
 * `node --test` repeats the failed tests at its end: a line with the place, and one with the name. One that was ended before, and their files,
 * are told by name alone.
 */
function failedOnNode(lines: readonly string[]): readonly string[] {
  const repeated = behind(lines, '✖ failing tests:')
  if (repeated.length === 0)
    return lines.flatMap((line) => {
      const name = /^ *✖ (.+) \([\d.]+ms\)$/.exec(line)?.[1]
      return name === undefined ? [] : [name]
    })
  return repeated.flatMap((line, index, list) => {
    const place = /^test at (.+)$/.exec(line)?.[1]
    const name = /^✖ (.+?)(?: \([\d.]+ms\))?$/.exec(list[index + 1] ?? '')?.[1]
    return place === undefined || name === undefined ? [] : [`${place}: ${name}`]
  })
}

/** `deno test` repeats the failed tests after its last heading. The place is left out, because it is often inside Deno. */
function failedOnDeno(lines: readonly string[]): readonly string[] {
  const list = behind(lines, ' FAILURES ').slice(1)
  return list.slice(0, list.indexOf('')).map((line) => line.replace(/ => \S+$/, ''))
}

/** `bun test` prints a file above its tests, and repeats the failed ones at its end, without their files. */
function failedOnBun(lines: readonly string[]): readonly string[] {
  const failed = new Map<string, string>()
  let file = ''
  for (const line of lines) {
    file = /^(\S+\.test\.ts):$/.exec(line)?.[1] ?? file
    const name = /^\(fail\) (.+?)(?: \[[\d.]+ms\])?$/.exec(line)?.[1]
    if (name !== undefined && !failed.has(name)) failed.set(name, `${file}: ${name}`)
    if (line === '# Unhandled error between tests') failed.set(file, `${file}: error outside of its tests`)
  }
  return [...failed.values()]
}

/** The lines after the last line that equals `heading`; none when there is no such line. */
function behind(lines: readonly string[], heading: string): readonly string[] {
  const index = lines.lastIndexOf(heading)
  return index === -1 ? [] : lines.slice(index + 1)
}
