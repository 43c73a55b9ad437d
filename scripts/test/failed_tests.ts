/**
 * Reads the names of failed tests from the output of a test runner.
 *
 * @module
 */

import { stripVTControlCharacters } from 'node:util'

/** @returns one entry for each failed test: its name, preceded by its file or place if the runner prints that */
export function failedTests(output: string): readonly string[] {
  const lines = stripVTControlCharacters(output).split('\n')
  return [...failedOnNode(lines), ...failedOnDeno(lines), ...failedOnBun(lines)]
}

/** Whether `node --test` has told the sums of all tests, which it does after the last one. */
export function hasSummary(output: string): boolean {
  return /^ℹ duration_ms /m.test(sums(output))
}

/** Whether there are such sums, and no test failed or was cancelled. */
export function allPassed(output: string): boolean {
  return hasSummary(output) && ['fail', 'cancelled'].every((name) => sums(output).includes(`\nℹ ${name} 0\n`))
}

function sums(output: string): string {
  return stripVTControlCharacters(output.slice(output.lastIndexOf('ℹ tests ')))
}

/** `node --test` repeats the failed tests at its end: a line with the place, and one with the name. */
function failedOnNode(lines: readonly string[]): readonly string[] {
  return behind(lines, '✖ failing tests:').flatMap((line, index, list) => {
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
