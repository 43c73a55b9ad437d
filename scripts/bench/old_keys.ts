/**
 * Fills a store with old notifications.
 *
 * @module
 */

import { detectPlatform } from '#shared/runtime/detect.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { openStore } from '#shared/store/open/open.ts'
import { systemClock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'

/** Prefix of the keys. */
export const OLD_KEYS = '/ec/mars/'
/** Keys written by one transaction. */
const FILL_KEYS = 120
const FILL_WORKERS = 8

/** Writes notifications of a day long past, as aviso 1.x would have written them. */
export async function fillWithOldKeys(keys: number, store: string, dataFolder = ''): Promise<void> {
  const platform = await detectPlatform()
  const parts = { platform, dataFolder, clock: systemClock, logger: silentLogger }
  const opened = await openStore(store, parts)
  const value = toBytes(`s3://bucket/${'x'.repeat(200)}`)
  let next = 0
  const work = async (): Promise<void> => {
    while (next < keys) {
      const count = Math.min(FILL_KEYS, keys - next)
      const first = next
      next += count
      const success = Array.from({ length: count }, (_, index) => ({
        kind: 'put' as const,
        key: toBytes(
          `${OLD_KEYS}date=20200101,class=od,expver=0001,domain=g,time=00,stream=oper,step=${first + index}`,
        ),
        value,
      }))
      await opened.txn({ compare: [], success })
    }
  }
  await Promise.all(Array.from({ length: FILL_WORKERS }, work))
  await opened.close()
}
