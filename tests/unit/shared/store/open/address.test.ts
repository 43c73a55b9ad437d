import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseStoreAddress, type StoreAddress } from '#shared/store/open/address.ts'

describe('parseStoreAddress()', () => {
  const rows: Readonly<Record<string, StoreAddress>> = {
    'embedded:': { kind: 'embedded', place: 'disk' },
    'embedded:memory': { kind: 'embedded', place: 'memory' },
    'http://a:2379': { kind: 'http', endpoints: ['http://a:2379'] },
    'https://a:1/, http://b:1': { kind: 'http', endpoints: ['https://a:1', 'http://b:1'] },
    'gateway://a:1,gateways://b': { kind: 'gateway', endpoints: ['http://a:1', 'https://b'] },
    'grpc://a:1,grpcs://b:2': { kind: 'grpc', endpoints: ['http://a:1', 'https://b:2'] },
  }
  for (const [text, expected] of Object.entries(rows))
    it(`reads ${text}`, () => assert.deepEqual(parseStoreAddress(text), expected))

  it('refuses everything else, and shows no password', () => {
    for (const text of [
      '',
      'etcd:',
      'embedded:disk',
      'http://u:secret@a:1',
      'http://a:1,grpc://b:1',
      'grpc://a:1/x',
      'grpc:',
      'gateway:///',
      'httpx://a:1',
    ])
      assert.throws(
        () => parseStoreAddress(text),
        (error: Error & { code?: string }) =>
          error.code === 'ERR_CONFIG' && !error.message.includes('secret'),
      )
  })
})
