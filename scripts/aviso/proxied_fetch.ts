/**
 * `fetch` that goes through the proxies of the environment. Node's own `fetch` does not look at them.
 *
 * @module
 */

import type { Dispatcher } from 'undici'
import { reasonOf } from '#shared/client/client_error.ts'
import { proxyText, readProxies, type Proxy } from './proxy.ts'

type Fetch = (url: string, init: RequestInit) => Promise<Response>

type WithDispatcher = (url: string, init: RequestInit & { dispatcher: Dispatcher }) => Promise<Response>

/** How undici says that the proxy wants to know who asks, for a tunnel and without one. */
const WANTS_PASSWORD = /\(407\)/

/**
 * Makes the `fetch` of the client. Requests without a proxy go to `direct`.
 *
 * @throws {ClientError} for a variable that names no proxy.
 */
export function createProxiedFetch(
  environment: Readonly<Record<string, string | undefined>>,
  direct: Fetch,
): Fetch {
  const proxies = readProxies(environment)
  const open = createAgents()
  return async (url, init) => {
    const proxy = proxies.proxyOf(url)
    if (proxy === undefined) return direct(url, init)
    return throughProxy(url, init, { proxy, dispatcher: await open(proxy) })
  }
}

interface Way {
  readonly proxy: Proxy
  readonly dispatcher: Dispatcher
}

async function throughProxy(url: string, init: RequestInit, { proxy, dispatcher }: Way): Promise<Response> {
  try {
    const { fetch } = await import('undici')
    // Its declared types are older than those of the web. The client passes and uses only what both have: text, headers, signal, stream.
    return await (fetch as unknown as WithDispatcher)(url, { ...init, dispatcher })
  } catch (error) {
    if (init.signal?.aborted === true) throw error
    const reason = reasonOf(error)
    if (WANTS_PASSWORD.test(reason)) throw wantsPassword(proxy)
    throw new Error(`${reason}, through the proxy ${proxyText(proxy)} of ${proxy.variable}`)
  }
}

function wantsPassword(proxy: Proxy): Error {
  return new Error(
    `the proxy ${proxyText(proxy)} of ${proxy.variable} answered 407: it wants a user name and a password, as in http://user:password@host:port`,
  )
}

/** One agent for each proxy. undici is loaded with the first: most machines have no proxy. */
function createAgents(): (proxy: Proxy) => Promise<Dispatcher> {
  const agents = new Map<string, Dispatcher>()
  return async ({ url }) => {
    const { ProxyAgent } = await import('undici')
    // Plain HTTP goes to the proxy as it is, because many proxies open tunnels to port 443 alone.
    const agent = agents.get(url.href) ?? new ProxyAgent({ uri: url.href, proxyTunnel: false })
    agents.set(url.href, agent)
    return agent
  }
}
