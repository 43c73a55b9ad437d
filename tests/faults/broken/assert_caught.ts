import assert from 'node:assert/strict'
import { countByKind } from '../checker.ts'
import type { BrokenVariant } from './variants.ts'

/** A variant must be found out, by one of the findings that show it; the sound system beside it is not suspected. */
export async function assertCaught({ run, shownBy }: BrokenVariant, seed: number): Promise<void> {
  const { broken, sound } = await run(seed)
  if (sound !== undefined) assert.deepEqual(countByKind(sound.violations), {})
  const found = countByKind(broken.violations)
  assert.ok(
    shownBy.some((kind) => (found[kind] ?? 0) > 0),
    `expected ${shownBy.join(' or ')}, found ${JSON.stringify(found)}`,
  )
}
