/**
 * Writes until it is killed; prints `key revision` of every acknowledged write.
 *
 * @module
 */

import process from 'node:process'
import { openSqlite } from '#shared/runtime/sqlite.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { openEmbeddedStore } from '#shared/store/embedded/store.ts'
import { systemClock } from '#shared/time/clock.ts'

const store = openEmbeddedStore(openSqlite(process.argv[2] ?? ''), { clock: systemClock })
const writers = Array.from({ length: 8 }, async (_, writer) => {
  for (let index = 0; ; index++) {
    const key = `${writer}-${index}`
    const { revision } = await store.txn({
      compare: [],
      success: [{ kind: 'put', key: toBytes(key), value: toBytes('v') }],
    })
    process.stdout.write(`${key} ${revision}\n`)
  }
})
await Promise.all(writers)
