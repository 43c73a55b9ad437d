import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { runPuts } from '../../../../scripts/bench/bare_puts.ts'
import { withEtcd } from '../../../../scripts/bench/etcd_figures.ts'

async function countKeys(endpoint: string): Promise<number> {
  const body = JSON.stringify({ key: btoa('\0'), range_end: btoa('\0'), count_only: true })
  const answer = await (await fetch(`${endpoint}/v3/kv/range`, { method: 'POST', body })).json()
  return Number((answer as { readonly count?: string }).count ?? 0)
}

describe('runPuts()', () => {
  it('stores a key of its own with every put, over both wires, alone and in transactions', async () => {
    await withEtcd(async ({ endpoints: [endpoint = ''] }) => {
      let expected = 0
      for (const wire of ['gateway:', 'grpc:'] as const) {
        for (const puts of [{ connections: 3 }, { connections: 2, perTransaction: 128 }]) {
          const result = await runPuts(endpoint, wire, 100, puts)
          // Without a compiler there are no puts over gRPC.
          expected += (result?.count ?? 0) * (puts.perTransaction ?? 1)
          assert.equal(await countKeys(endpoint), expected, `${wire} ${JSON.stringify(puts)}`)
        }
      }
      assert.ok(expected > 0)
    })
  })
})
