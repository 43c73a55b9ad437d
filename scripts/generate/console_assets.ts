/**
 * Bundles the page of the console. The result is kept in the repository, so that a clone needs no build step, and every runtime can serve
 * the page without reading a file.
 *
 * @module
 */

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type BuildOptions } from 'esbuild'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PAGE = join(ROOT, 'services/console/page')
/** Characters of a file's hash in its name: 48 bits. */
const HASH_CHARACTERS = 12
/** Packages whose code is in the page. */
export const CONSOLE_PACKAGES = ['preact', 'd3-shape', 'd3-path'] as const

const OPTIONS = {
  absWorkingDir: ROOT,
  bundle: true,
  minify: true,
  write: false,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  // The licences are in a file of their own.
  legalComments: 'none',
  charset: 'utf8',
  logLevel: 'error',
} as const satisfies BuildOptions

/** The text of `services/console/assets.json`. */
export async function consoleAssetsText(): Promise<string> {
  const [script, style, licences, html, icon] = await Promise.all([
    bundle('main.tsx'),
    bundle('style.css'),
    readLicences(),
    readFile(join(PAGE, 'index.html'), 'utf8'),
    readFile(join(PAGE, 'icon.svg'), 'utf8'),
  ])
  const files = {
    [hashedName('app', script, 'js')]: { type: 'text/javascript; charset=utf-8', text: script },
    [hashedName('style', style, 'css')]: { type: 'text/css; charset=utf-8', text: style },
    [hashedName('icon', icon, 'svg')]: { type: 'image/svg+xml', text: icon },
    [hashedName('licences', licences, 'txt')]: { type: 'text/plain; charset=utf-8', text: licences },
  }
  const [app = '', sheet = '', image = '', terms = ''] = Object.keys(files)
  const page = html
    .replaceAll('{{app}}', app)
    .replaceAll('{{style}}', sheet)
    .replaceAll('{{icon}}', image)
    .replaceAll('{{licences}}', terms)
    .replaceAll(/\n\s*/g, '\n')
  return `${JSON.stringify({ page, files }, undefined, 2)}\n`
}

async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({ ...OPTIONS, entryPoints: [join(PAGE, entry)] })
  const [file] = outputFiles ?? []
  if (file === undefined) throw new Error(`${entry} gave no file`)
  return file.text
}

async function readLicences(): Promise<string> {
  const texts = await Promise.all(
    CONSOLE_PACKAGES.map(async (name) => {
      const licence = await readFile(join(ROOT, 'node_modules', name, 'LICENSE'), 'utf8')
      return `${name}\n\n${licence.trim()}\n`
    }),
  )
  return texts.join('\n')
}

function hashedName(name: string, text: string, ending: string): string {
  const hash = createHash('sha256').update(text).digest('hex').slice(0, HASH_CHARACTERS)
  return `${name}-${hash}.${ending}`
}
