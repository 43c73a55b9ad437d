import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createHeader, rangeMessage } from '#services/auth/etcd_facade/messages.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { KeyValue } from '#shared/store/store.ts'

const HEADER = createHeader('epoch')(7n)

function keyValue(n: number): KeyValue {
  const at = BigInt(n + 1)
  const rest = { createRevision: at, modRevision: at, version: 1n, lease: 0n }
  return { key: toBytes(`/k/"${n}"`), value: toBytes('vü'), ...rest }
}
const kvs = (count: number): KeyValue[] => Array.from({ length: count }, (_, n) => keyValue(n))

describe('rangeMessage()', () => {
  for (const length of [0, 1, 256, 257, 1_000]) {
    it(`writes ${length} keys as one JSON text`, async () => {
      for (const more of [false, true]) {
        for (const count of [0n, 5n]) {
          const text = await rangeMessage(HEADER, { revision: 7n, kvs: kvs(length), more, count }, false)
          const message = JSON.parse(text) as Record<string, unknown>
          const members = ['header', length > 0 && 'kvs', more && 'more', count > 0n && 'count']
          assert.deepEqual(Object.keys(message), members.filter(Boolean))
          assert.equal(text, JSON.stringify(message))
          const keys = (message['kvs'] ?? []) as readonly { readonly key: string; readonly value: string }[]
          assert.deepEqual(
            keys.map(({ key, value }) => [atob(key), value]),
            kvs(length).map((_, n) => [`/k/"${n}"`, 'dsO8']),
          )
        }
      }
    })
  }

  it('lets others have their turns while it writes many keys', async () => {
    let turns = 0
    let isWritten = false
    const count = (): void => {
      turns++
      if (!isWritten) setImmediate(count)
    }
    setImmediate(count)
    await rangeMessage(HEADER, { revision: 7n, kvs: kvs(2_560), more: false, count: 0n }, false)
    isWritten = true
    assert.ok(turns >= 9, `${turns} turns`)
  })
})
