import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import type { HandlerRequest } from '#shared/handler.ts'
import { createAddressOf, networkOf } from '#shared/access/policy/address.ts'

function request(forwarded: string, peer?: string): HandlerRequest {
  const sent = new Request('http://aviso.test/', { headers: { 'x-forwarded-for': forwarded } })
  return Object.assign(sent, { peer })
}

describe('createAddressOf()', () => {
  it('believes no header where there is no proxy of ours', () => {
    assert.equal(createAddressOf(0)(request('203.0.113.9', '192.0.2.1')), '192.0.2.1')
    assert.equal(createAddressOf(0)(request('203.0.113.9')), undefined)
  })

  it('believes the address that the outermost proxy of ours saw, whatever the client put before it', () => {
    const forwarded = 'forged, 203.0.113.9, 10.0.0.2'
    assert.equal(createAddressOf(1)(request(forwarded)), '10.0.0.2')
    assert.equal(createAddressOf(2)(request(forwarded)), '203.0.113.9')
    assert.equal(createAddressOf(2)(request('10.0.0.2', '192.0.2.1')), '192.0.2.1')
  })
})

describe('networkOf()', () => {
  it('takes an IPv4 address as it is, also inside an IPv6 one', () => {
    assert.equal(networkOf('192.0.2.1'), '192.0.2.1')
    assert.equal(networkOf('::ffff:192.0.2.1'), '192.0.2.1')
  })

  it('takes the network of an IPv6 address, in whatever spelling', () => {
    for (const address of ['2001:db8:1:2:3:4:5:6', '2001:DB8:1:2::9', '2001:db8:1:2::']) {
      assert.equal(networkOf(address), '2001:db8:1:2', address)
    }
    assert.equal(networkOf('2001:db8::1'), '2001:db8:0:0')
    assert.equal(networkOf('::1'), '0:0:0:0')
  })
})
