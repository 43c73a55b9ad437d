/**
 * The files of the repository that users of the npm package need beside the program: documents, examples, and what other programs read. A
 * bundle has the documents in itself, too, so that services show them (`/docs`).
 *
 * @module
 */

import type { Plugin } from 'esbuild'
import { cp, glob, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** They keep their places, so that paths in documents and configurations are right. */
const FILES = [
  'LICENSE',
  'wrangler-like.config.json',
  'services/config.schema.json',
  'services/monitoring/grafana/aviso.json',
  'services/monitoring/prometheus/alerts.yaml',
  'scripts/listen.mjs',
  'scripts/examples/*.yaml',
  'scripts/examples/*.json',
  'scripts/examples/*.{html,mjs}',
  'scripts/examples/policies/*.json',
  // Not the whole folder: a clone that is used keeps secrets there.
  'scripts/deploy/*.{conf,json,service,socket,yaml}',
  'scripts/deploy/{Caddyfile,Containerfile,Containerfile.etcd}',
  'scripts/deploy/chart/{,templates/}*.{json,tpl,yaml}',
  'scripts/deploy/grafana/*.yaml',
]
const DOCUMENTS = ['README.md', '{services,shared}/**/*.md', 'scripts/{,aviso/**/,deploy/}*.md']

/** Copies the files into `folder`. Links of documents to what is not among them become plain text. */
export async function copyDocuments(folder: string): Promise<void> {
  const documents = await found(DOCUMENTS)
  const files = await found(FILES)
  const known = new Set([...documents, ...files])
  for (const path of known) await mkdir(dirname(join(folder, path)), { recursive: true })
  for (const path of files) await cp(join(ROOT, path), join(folder, path))
  for (const [path, text] of await readDocuments(known, documents)) await writeFile(join(folder, path), text)
}

/** Puts the documents into a bundle: their path and their text. */
export const EMBEDDED_DOCUMENTS: Plugin = {
  name: 'documents',
  setup({ onLoad }) {
    onLoad({ filter: /services\/system\/embedded_documents\.ts$/ }, async () => {
      const documents = await found(DOCUMENTS)
      const texts = await readDocuments(new Set(documents), documents)
      return { contents: `export const embedded = ${JSON.stringify(Object.fromEntries(texts))}` }
    })
  },
}

async function readDocuments(
  known: ReadonlySet<string>,
  documents: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const texts = documents.map(async (path): Promise<[string, string]> => {
    const text = await readFile(join(ROOT, path), 'utf8')
    return [path, withKnownLinks(text, path, known)]
  })
  return new Map(await Promise.all(texts))
}

async function found(patterns: readonly string[]): Promise<readonly string[]> {
  const paths: string[] = []
  for (const pattern of patterns) {
    const before = paths.length
    for await (const path of glob(pattern, { cwd: ROOT })) paths.push(path)
    if (paths.length === before) throw new Error(`No file matches ${pattern} (scripts/release/documents.ts)`)
  }
  return paths.toSorted()
}

function withKnownLinks(text: string, from: string, known: ReadonlySet<string>): string {
  return text.replaceAll(/\[([^\]]+)\]\(([^)\s]+)\)/g, (link, words: string, target: string) => {
    const [file = ''] = target.split('#')
    const isThere = file === '' || /^https?:/.test(file) || known.has(posix.join(posix.dirname(from), file))
    return isThere ? link : words
  })
}
