import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'

/** What the lock file says of a package. */
interface Locked {
  /** Where the folder has another name. */
  readonly name?: string
  readonly dev?: boolean
  readonly devOptional?: boolean
}

// An optional peer of a production package is installed with it where it is also a development package under its own name:
// valibot wants a compiler that way. So package.json gives ours another name, and valibot finds none.
test('npm ci --omit=dev installs no TypeScript compiler, nor another optional peer that only development needs', async () => {
  const text = await readFile(new URL('../../package-lock.json', import.meta.url), 'utf8')
  const lock = JSON.parse(text) as { readonly packages: Readonly<Record<string, Locked>> }
  const names = (isTaken: (locked: Locked) => boolean): readonly string[] =>
    Object.entries(lock.packages)
      .filter(([path, locked]) => path !== '' && isTaken(locked))
      .map(([path, { name }]) => name ?? path.replace(/^.*node_modules\//, ''))
  assert.deepEqual(
    names(({ devOptional }) => devOptional === true),
    [],
  )
  assert.deepEqual(
    names(({ dev }) => dev !== true).filter((name) => name.includes('typescript')),
    [],
  )
  assert.ok(
    names(({ dev }) => dev === true).includes('typescript'),
    'the development install has the compiler',
  )
})
