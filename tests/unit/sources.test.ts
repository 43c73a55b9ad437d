import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { outputOf } from '../../scripts/run_command.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** What Git leaves where it cannot merge. In a comment no compiler sees it. */
const CONFLICT = /^(?:<{7}|>{7}) /m

test('no file holds the markers of an unfinished merge', async () => {
  const list = await outputOf('git', ['ls-files', '-z'], { folder: ROOT })
  const paths = list.split('\0').filter((path) => path !== '')
  assert.ok(paths.length > 100)
  const unfinished: string[] = []
  for (const path of paths) {
    // A file that was removed and not committed is still in the list.
    const text = await readFile(join(ROOT, path), 'utf8').catch(() => '')
    if (CONFLICT.test(text)) unfinished.push(path)
  }
  assert.deepEqual(unfinished, [])
})
