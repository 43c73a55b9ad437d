/**
 * `fetch` that goes through the proxies of the environment and trusts one's own authorities. Node's own `fetch` does neither.
 *
 * @module
 */

import type { Dispatcher } from 'undici'
import { reasonOf } from '#shared/client/client_error.ts'
import { withTrustHint, type Authorities } from './authorities.ts'
import { proxyText, readProxies, type Proxy } from './proxy.ts'

type Fetch = (url: string, init: RequestInit) => Promise<Response>

type WithDispatcher = (
  url: string,
  init: RequestInit & { dispatcher: Dispatcher; tls?: { readonly ca: readonly string[] } },
) => Promise<Response>

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

interface Way {
  readonly proxy: Proxy | undefined
  readonly authorities: Authorities | undefined
  readonly dispatcher: Dispatcher
}

async function throughAgent(
  url: string,
  init: RequestInit,
  { dispatcher, authorities }: Way,
): Promise<Response> {
  const { fetch } = await import('undici')
  // Bun has its own undici, which takes authorities only here.
  const tls = authorities === undefined ? {} : { tls: { ca: authorities.certificates } }
  // Its declared types are older than those of the web. The client passes and uses only what both have: text, headers, signal, stream.
  return (fetch as unknown as WithDispatcher)(url, { ...init, dispatcher, ...tls })
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
