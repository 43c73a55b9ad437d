/**
 * `fetch` that goes through the proxies of the environment and trusts one's own authorities. Node's own `fetch` does neither. Bun's is told
 * the proxy and the authorities of each request, because undici's tunnels hang there.
 *
 * @module
 */

import type { Dispatcher } from 'undici'
import { reasonOf } from '#shared/client/client_error.ts'
import { withTrustHint, type Authorities } from './authorities.ts'
import { proxyText, readProxies, type Proxy } from './proxy.ts'

type Fetch = (url: string, init: RequestInit) => Promise<Response>

type WithDispatcher = (url: string, init: RequestInit & { dispatcher: Dispatcher }) => Promise<Response>

const PROXY_WANTS_PASSWORD = 407
/** How undici says that the proxy wants to know who asks, for a tunnel and without one. */
const WANTS_PASSWORD = /\(407\)/

/**
 * Makes the `fetch` of the client. Requests that need neither a proxy nor authorities of one's own go to `direct`.
 *
 * @throws {ClientError} for a variable that names no proxy.
 */
export function createProxiedFetch(
  environment: Readonly<Record<string, string | undefined>>,
  direct: Fetch,
  authorities?: Authorities,
): Fetch {
  const proxies = readProxies(environment)
  if ('Bun' in globalThis) return createBunFetch(direct, { proxyOf: proxies.proxyOf, authorities })
  const open = createAgents(authorities)
  return async (url, init) => {
    try {
      const proxy = proxies.proxyOf(url)
      const needsAgent = proxy !== undefined || (authorities !== undefined && url.startsWith('https:'))
      if (!needsAgent) return await direct(url, init)
      const way = { proxy, authorities, dispatcher: await open(proxy) }
      return proxy === undefined
        ? await throughAgent(url, init, way)
        : await throughProxy(url, init, { ...way, proxy })
    } catch (error) {
      throw init.signal?.aborted === true ? error : withTrustHint(error, url, authorities)
    }
  }
}

/** Bun's own ways to name the proxy of a request (`false`: none) and authorities. */
interface BunRequestInit extends RequestInit {
  readonly proxy: string | false
  readonly tls?: { readonly ca: readonly string[] }
}

interface BunWays {
  readonly proxyOf: (url: string) => Proxy | undefined
  readonly authorities: Authorities | undefined
}

function createBunFetch(direct: Fetch, { proxyOf, authorities }: BunWays): Fetch {
  const tls = authorities === undefined ? {} : { tls: { ca: authorities.certificates } }
  return async (url, init) => {
    const proxy = proxyOf(url)
    const bunInit: BunRequestInit = { ...init, proxy: proxy?.url.href ?? false, ...tls }
    const response = await direct(url, bunInit).catch((error: unknown) => {
      if (init.signal?.aborted === true) throw error
      const hinted = withTrustHint(error, url, authorities)
      if (proxy === undefined) throw hinted
      throw new Error(`${reasonOf(hinted)}, through the proxy ${proxyText(proxy)} of ${proxy.variable}`)
    })
    if (proxy !== undefined && response.status === PROXY_WANTS_PASSWORD) throw wantsPassword(proxy)
    return response
  }
}

interface Way {
  readonly proxy: Proxy | undefined
  readonly authorities: Authorities | undefined
  readonly dispatcher: Dispatcher
}

async function throughAgent(url: string, init: RequestInit, { dispatcher }: Way): Promise<Response> {
  const { fetch } = await import('undici')
  // Its declared types are older than those of the web. The client passes and uses only what both have: text, headers, signal, stream.
  return (fetch as unknown as WithDispatcher)(url, { ...init, dispatcher })
}

async function throughProxy(
  url: string,
  init: RequestInit,
  way: Way & { readonly proxy: Proxy },
): Promise<Response> {
  const { proxy } = way
  try {
    return await throughAgent(url, init, way)
  } catch (error) {
    if (init.signal?.aborted === true) throw error
    const reason = reasonOf(withTrustHint(error, url, way.authorities))
    if (WANTS_PASSWORD.test(reason)) throw wantsPassword(proxy)
    throw new Error(`${reason}, through the proxy ${proxyText(proxy)} of ${proxy.variable}`)
  }
}

function wantsPassword(proxy: Proxy): Error {
  return new Error(
    `the proxy ${proxyText(proxy)} of ${proxy.variable} answered 407: it wants a user name and a password, as in http://user:password@host:port`,
  )
}

/** One agent for each proxy, and one for none. undici is loaded with the first: most machines have no proxy. */
function createAgents(
  authorities: Authorities | undefined,
): (proxy: Proxy | undefined) => Promise<Dispatcher> {
  const agents = new Map<string | undefined, Dispatcher>()
  const trust = authorities === undefined ? undefined : { ca: [...authorities.certificates] }
  return async (proxy) => {
    const { Agent, ProxyAgent } = await import('undici')
    const name = proxy?.url.href
    const agent =
      agents.get(name) ??
      (name === undefined
        ? new Agent({ ...(trust && { connect: trust }) })
        : // Plain HTTP goes to the proxy as it is, because many proxies open tunnels to port 443 alone.
          new ProxyAgent({
            uri: name,
            proxyTunnel: false,
            ...(trust && { requestTls: trust, proxyTls: trust }),
          }))
    agents.set(name, agent)
    return agent
  }
}
