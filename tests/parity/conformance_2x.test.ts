/**
 * Every row of the conformance cases of aviso 2.x has a test or a reason: `rows_2x/table_*.ts` say what is asked, what must come, and where
 * it is asked.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

import { DIFFERENCES } from './rows_2x/differences.ts'
import type { Evidence, Row } from './rows_2x/row.ts'
import { FIRST_ROWS } from './rows_2x/table_first.ts'
import { SECOND_ROWS } from './rows_2x/table_second.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** Letter → how many rows the cases have. */
const COUNTS = { A: 20, B: 10, C: 18, D: 16, E: 13, F: 22, G: 13, H: 20, I: 13, J: 16, K: 17, L: 14 } as const
const ROWS: readonly Row[] = [...FIRST_ROWS, ...SECOND_ROWS]

/** Titles of tests, and the ids that stand alone in tables of cases. */
async function titlesIn({ file }: Evidence): Promise<readonly string[]> {
  const text = await readFile(`${ROOT}/${file}`, 'utf8')
  const titles = [...text.matchAll(/\b(?:it|describe)\(\s*(['"`])((?:(?!\1)[^\\\n]|\\.)*)\1/g)]
  const cells = [...text.matchAll(/'([A-L]\d{1,2}(?: [A-L]\d{1,2})*)'/g)]
  return [...titles.map(([, , title = '']) => title), ...cells.map(([, cell = '']) => cell)]
}

describe('the conformance cases of 2.x', () => {
  it('are all in the table, each once and in order', () => {
    const ids = Object.entries(COUNTS).flatMap(([letter, count]) =>
      Array.from({ length: count }, (_, index) => `${letter}${index + 1}`),
    )
    assert.equal(ids.length, 192)
    assert.deepEqual(
      ROWS.map(([id]) => id),
      ids,
    )
    for (const [id, asks, must] of ROWS) assert.ok(asks !== '' && must !== '', id)
  })

  it('have a test that names them, or a reason', async () => {
    const titles = new Map<string, readonly string[]>()
    const lost: string[] = []
    for (const [id, asks, , by] of ROWS) {
      if (by === undefined) {
        if (!DIFFERENCES.has(id)) lost.push(`${id}: neither a test nor a reason`)
        continue
      }
      const found = titles.get(by.file) ?? (await titlesIn(by))
      titles.set(by.file, found)
      const isNamed = (title: string): boolean =>
        by.title === undefined ? new RegExp(`\\b${id}\\b`).test(title) : title.includes(by.title)
      if (!found.some(isNamed)) lost.push(`${id} (${asks}): ${by.file} has no test of it`)
    }
    assert.deepEqual(lost, [])
  })

  it('in which we differ are told to operators', async () => {
    const page = await readFile(`${ROOT}/services/auth/FROM_2X.md`, 'utf8')
    const told = new Set(page.match(/\b[A-L]\d{1,2}\b/g))
    assert.deepEqual(
      [...DIFFERENCES.keys()].filter((id) => !told.has(id)),
      [],
    )
    const known = new Set(ROWS.map(([id]) => id))
    for (const [id, reason] of DIFFERENCES) assert.ok(known.has(id) && reason !== '', id)
  })
})
