/**
 * Finds what the words after `npm test --` name: steps, test files, folders and globs.
 *
 * @module
 */

import { basename, matchesGlob, relative, resolve, sep } from 'node:path'
import { closest } from '#shared/closest.ts'
import { CHECKS, filesStep, GATE, LONG_TESTS, ROOT, STAGES, type Stage, type Step } from './steps.ts'

const TEST_SUFFIX = '.test.ts'

/** Word → the steps that it names. */
const WORDS: ReadonlyMap<string, readonly Step[]> = new Map<string, readonly Step[]>([
  ['check', CHECKS],
  ...Map.groupBy(STAGES.flat(), ({ name }) => name),
])

/** The help about the names of steps and files. */
export const WHAT_THERE_IS = `Steps:  ${[...WORDS.keys()].join(', ')}
        (check is format, lint, imports and types; unit is tests/unit; without a name the whole gate runs)
Files:  a test file, a folder or a quoted glob, relative to the folder you are in:
          npm test -- tests/unit/shared/time
          npm test -- 'tests/contract/hub.*.test.ts'
        Options of node --test follow a second "--":
          npm test -- tests/unit/shared/time -- --test-name-pattern=deadline`

/** The words name nothing that can run. The message lists what can. */
export class NothingSelected extends Error {}

/** What the command line selects. */
export interface Selection {
  /** Names of steps, files, folders and globs. Empty: the whole gate. */
  readonly words: readonly string[]
  /** Further options of `node --test` for the named files. */
  readonly options: readonly string[]
  /** The caller's folder, to which paths are relative. */
  readonly folder: string
  /** Every test file, relative to the project's folder. */
  readonly tests: readonly string[]
}

/**
 * Finds the stages that words name.
 *
 * @returns the stages in the order in which they run, with the named files last
 * @throws {NothingSelected} for the first word that names neither a step nor a test file, and for options without files.
 */
export function selectStages(selection: Selection): readonly Stage[] {
  const { words, options } = selection
  const steps = new Set<Step>()
  const files = new Set<string>()
  for (const word of words) {
    for (const step of WORDS.get(word) ?? []) steps.add(step)
    if (WORDS.has(word)) continue
    const named = filesNamed(word, selection)
    if (named.length === 0) throw new NothingSelected(explain(word, selection))
    for (const file of named) files.add(file)
  }
  if (files.size === 0 && options.length > 0) {
    throw new NothingSelected(
      `${options.join(' ')} is an option for test files: name test files before it.\n${WHAT_THERE_IS}`,
    )
  }
  if (words.length === 0) return GATE
  const named: Stage = files.size === 0 ? [] : [filesStep([...files].toSorted(), options)]
  const stages = STAGES.map((stage) => stage.filter((step) => steps.has(step)))
  return [...stages, named].filter((stage) => stage.length > 0)
}

/** The test files that a word names. Long tests are included only when the word names their folder or one of them. */
function filesNamed(word: string, { folder, tests }: Selection): readonly string[] {
  const path = relative(ROOT, resolve(folder, word)).split(sep).join('/')
  const isLong = `${path}/`.startsWith(LONG_TESTS)
  return tests.filter(
    (test) =>
      (isLong || !test.startsWith(LONG_TESTS)) &&
      (test === path || path === '' || test.startsWith(`${path}/`) || matchesGlob(test, path)),
  )
}

function explain(word: string, selection: Selection): string {
  const meant = closest(word, WORDS.keys()) ?? closestPath(word, selection)
  const question = meant === undefined ? '' : ` Did you mean "${meant}"?`
  return `"${word}" is neither a step nor a test file.${question}\n${WHAT_THERE_IS}`
}

/** The test file or folder with the most similar name, by the last part of the path. The name of a source file finds its test. */
function closestPath(word: string, { folder, tests }: Selection): string | undefined {
  const paths = new Map(
    tests.flatMap(withFolders).map((path) => [basename(path, TEST_SUFFIX), path] as const),
  )
  const name = closest(basename(word).replace(/(?:\.test)?\.ts$/, ''), paths.keys())
  const path = name === undefined ? undefined : paths.get(name)
  return path === undefined ? undefined : relative(folder, resolve(ROOT, path))
}

/** A path and the folders above it: `a/b/c`, `a/b`, `a`. */
function withFolders(path: string): readonly string[] {
  const parts = path.split('/')
  return parts.map((_, index) => parts.slice(0, parts.length - index).join('/'))
}
