import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { proxyText, readProxies } from '../../../../scripts/aviso/proxy.ts'

const HTTP = { http_proxy: 'http://p:3128', https_proxy: 'http://s:3129' }

function wayTo(address: string, environment: Record<string, string>): string {
  const proxy = readProxies(environment).proxyOf(address)
  return proxy === undefined ? 'straight' : `${proxyText(proxy)} ${proxy.variable}`
}

describe('readProxies()', () => {
  for (const [address, environment, expected] of [
    ['http://a.int/', {}, 'straight'],
    ['http://a.int/', HTTP, 'http://p:3128 http_proxy'],
    ['https://a.int/', HTTP, 'http://s:3129 https_proxy'],
    ['https://a.int/', { http_proxy: 'http://p:3128' }, 'straight'],
    ['http://a.int/', { HTTP_PROXY: 'http://p:3128' }, 'http://p:3128 HTTP_PROXY'],
    ['http://a.int/', { http_proxy: 'http://p:1', HTTP_PROXY: 'http://q:2' }, 'http://p:1 http_proxy'],
    ['http://a.int/', { http_proxy: '' }, 'straight'],
    ['http://a.int/', { http_proxy: 'p:3128' }, 'http://p:3128 http_proxy'],
    ['http://a.int/', { http_proxy: 'http://joe:secret@p:3128' }, 'http://joe:…@p:3128 http_proxy'],
    // This machine is never behind a proxy.
    ['http://127.0.0.1:8080/', HTTP, 'straight'],
    ['http://localhost:8080/', HTTP, 'straight'],
    ['http://[::1]:8080/', HTTP, 'straight'],
    // Exceptions.
    ['http://a.int/', { ...HTTP, no_proxy: '*' }, 'straight'],
    ['http://a.int/', { ...HTTP, no_proxy: 'b.int, a.int' }, 'straight'],
    ['http://x.a.int/', { ...HTTP, no_proxy: 'a.int' }, 'straight'],
    ['http://x.A.int/', { ...HTTP, NO_PROXY: '.a.INT' }, 'straight'],
    ['http://x.a.int/', { ...HTTP, no_proxy: '*.a.int' }, 'straight'],
    ['http://ba.int/', { ...HTTP, no_proxy: 'a.int' }, 'http://p:3128 http_proxy'],
    ['http://a.int:81/', { ...HTTP, no_proxy: 'a.int:80' }, 'http://p:3128 http_proxy'],
    ['http://a.int/', { ...HTTP, no_proxy: 'a.int:80' }, 'straight'],
    ['https://a.int/', { ...HTTP, no_proxy: 'a.int:443' }, 'straight'],
    ['http://10.1.2.3/', { ...HTTP, no_proxy: '10.0.0.0/8' }, 'straight'],
    ['http://11.1.2.3/', { ...HTTP, no_proxy: '10.0.0.0/8' }, 'http://p:3128 http_proxy'],
    ['http://10.1.2.3/', { ...HTTP, no_proxy: '10.1.2.3' }, 'straight'],
    ['http://[fd00::1]/', { ...HTTP, no_proxy: 'fd00::/8' }, 'straight'],
    ['http://[fd00::1]/', { ...HTTP, no_proxy: 'fd00::1' }, 'straight'],
    ['http://[fd00::1]:81/', { ...HTTP, no_proxy: '[fd00::1]:81' }, 'straight'],
    ['http://10.1.2.3/', { ...HTTP, no_proxy: '10.0.0.0/99' }, 'http://p:3128 http_proxy'],
  ] as const) {
    it(`${address} with ${JSON.stringify(environment)}: ${expected}`, () => {
      assert.equal(wayTo(address, environment), expected)
    })
  }

  for (const value of ['socks5://p:1080', 'http://', 'http://p:99999'])
    it(`refuses ${value}, with the variable`, () => {
      assert.throws(
        () => readProxies({ HTTPS_PROXY: value }),
        /^ClientError: HTTPS_PROXY: not the address of a proxy/,
      )
    })
})
