import assert from 'node:assert/strict'
import { glob, readdir, readFile, stat } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { describe, it } from 'node:test'
import packageFile from '../../package.json' with { type: 'json' }
import { readDocuments, ROOT, type Document } from './documents.ts'
import { readSteps } from './read_document.ts'

const MAX_README_LINES = 150
const MAX_PROSE_CHARACTERS = 120
/** It names folders as they were. */
const CHANGELOG = '.github/CHANGELOG.md'

const documents = await readDocuments()

describe('documents', () => {
  it('have shell blocks whose marks are right', () => {
    for (const { path, text } of documents) assert.doesNotThrow(() => readSteps(text), path)
  })

  it('link to files and headings that exist', async () => {
    const broken: string[] = []
    for (const document of documents) {
      for (const target of linksOf(document.text))
        if (!(await isThere(document, target))) broken.push(`${document.path}: ${target}`)
    }
    assert.deepEqual(broken, [])
  })

  it('are all found from the README', () => {
    const found = new Set(['README.md'])
    for (const path of found) {
      for (const target of linksOf(textOf(path)))
        found.add(posix.join(posix.dirname(path), target.replace(/#.*/, '')))
    }
    const lost = documents.map(({ path }) => path).filter((path) => !found.has(path))
    assert.deepEqual(lost, [])
  })

  it('name paths that exist', async () => {
    const missing: string[] = []
    for (const { path, text } of documents.filter((document) => document.path !== CHANGELOG)) {
      for (const name of pathsIn(text)) if (!(await matches(name))) missing.push(`${path}: ${name}`)
    }
    assert.deepEqual(missing, [])
  })

  it('name npm scripts that exist, as do messages and comments of the sources', async () => {
    const known = new Set(Object.keys(packageFile.scripts))
    const unknown: string[] = []
    for (const { path, text } of [...documents, ...(await sources())]) {
      for (const [, name = ''] of text.matchAll(/\bnpm run ([a-z][\w:-]*)/g))
        if (!known.has(name)) unknown.push(`${path}: npm run ${name}`)
    }
    assert.deepEqual(unknown, [])
  })

  it('have lines of prose that fit a screen', () => {
    const long = documents.flatMap(({ path, text }) =>
      proseLines(text)
        .filter(({ content }) => content.length > MAX_PROSE_CHARACTERS)
        .map(({ line }) => `${path}:${line}`),
    )
    assert.deepEqual(long, [])
  })
})

describe('scripts/README.md', () => {
  it('names every npm script', () => {
    const named = new Set(textOf('scripts/README.md').match(/(?<=\bnpm (?:run )?)[a-z][\w:-]*/g))
    const scripts = Object.keys(packageFile.scripts)
    assert.deepEqual(
      scripts.filter((name) => !named.has(name)),
      [],
    )
  })
})

describe('tests/README.md', () => {
  it('names every folder of tests', async () => {
    const text = textOf('tests/README.md')
    const entries = await readdir(join(ROOT, 'tests'), { withFileTypes: true })
    const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => `\`tests/${name}\``)
    assert.deepEqual(
      folders.filter((name) => !text.includes(name)),
      [],
    )
  })
})

describe('README.md', () => {
  it(`has at most ${MAX_README_LINES} lines`, () => {
    const lines = textOf('README.md').trimEnd().split('\n')
    assert.ok(lines.length <= MAX_README_LINES, `${lines.length} lines`)
  })
})

function textOf(path: string): string {
  return documents.find((document) => document.path === path)?.text ?? ''
}

/** Text without its fenced blocks; lines keep their numbers. */
function withoutBlocks(text: string): string {
  return text.replaceAll(/^```[^]*?^```$/gm, (block) => block.replaceAll(/[^\n]/g, ''))
}

function linksOf(text: string): readonly string[] {
  const targets = [...withoutBlocks(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
  return targets.filter((target) => !target.startsWith('https:'))
}

async function isThere(from: Document, target: string): Promise<boolean> {
  const [file = '', anchor] = target.split('#')
  const path = file === '' ? from.path : posix.join(posix.dirname(from.path), file)
  if (anchor === undefined) return exists(path)
  return headingsOf(textOf(path)).includes(anchor)
}

/** Anchors of headings, as GitHub makes them. */
function headingsOf(text: string): readonly string[] {
  return [...withoutBlocks(text).matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  )
}

/** Everything in backticks that begins as a path of ours does. `*` stands for part of a name. */
function pathsIn(text: string): readonly string[] {
  const inBackticks = [...withoutBlocks(text).matchAll(/`([^`\n]+)`/g)].map(([, name = '']) => name)
  return inBackticks.filter((name) =>
    /^(?:services|shared|scripts|tests|\.github|\.ci)\/[\w./*-]+$/.test(name),
  )
}

async function matches(pattern: string): Promise<boolean> {
  if (!pattern.includes('*')) return exists(pattern)
  for await (const _path of glob(pattern, { cwd: ROOT })) return true
  return false
}

function exists(path: string): Promise<boolean> {
  return stat(join(ROOT, path)).then(
    () => true,
    () => false,
  )
}

async function sources(): Promise<readonly Document[]> {
  const paths: string[] = []
  for await (const path of glob('{services,shared,scripts,tests}/**/*.ts', { cwd: ROOT })) paths.push(path)
  return Promise.all(paths.map(async (path) => ({ path, text: await readFile(join(ROOT, path), 'utf8') })))
}

/** Lines that are read as text: no blocks, no tables. */
function proseLines(text: string): readonly { readonly line: number; readonly content: string }[] {
  return withoutBlocks(text)
    .split('\n')
    .map((content, index) => ({ line: index + 1, content }))
    .filter(({ content }) => !content.startsWith('|'))
}
