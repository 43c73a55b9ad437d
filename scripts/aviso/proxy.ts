/**
 * Says which proxy a request goes through, by the variables that other tools read: `http_proxy`, `https_proxy` and `no_proxy`, in small or
 * in capital letters. The small ones come first, as in curl.
 *
 * @module
 */

import { BlockList, isIP } from 'node:net'
import { ClientError } from '#shared/client/client_error.ts'

/** A proxy, and the variable that names it. */
export interface Proxy {
  readonly url: URL
  readonly variable: string
}

/** The proxies of an environment. */
export interface Proxies {
  /** The proxy for an address; `undefined`: the request goes straight there. */
  proxyOf(address: string): Proxy | undefined
}

interface Exception {
  readonly host: string
  readonly port: string | undefined
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' }
const WITH_SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i

/**
 * Reads the variables.
 *
 * @throws {ClientError} for a proxy that cannot be used, with its variable.
 */
export function readProxies(environment: Readonly<Record<string, string | undefined>>): Proxies {
  const http = readProxy('http_proxy', environment)
  const https = readProxy('https_proxy', environment)
  const isException = readExceptions(variableOf('no_proxy', environment)?.value ?? '')
  return {
    proxyOf(address) {
      const url = new URL(address)
      const proxy = url.protocol === 'https:' ? https : http
      return proxy === undefined || isLoopback(hostOf(url)) || isException(url) ? undefined : proxy
    },
  }
}

/** A proxy's address as it may be shown: without the password. */
export function proxyText({ url }: Proxy): string {
  return `${url.protocol}//${url.username === '' ? '' : `${url.username}:…@`}${url.host}`
}

function variableOf(
  name: string,
  environment: Readonly<Record<string, string | undefined>>,
): { readonly variable: string; readonly value: string } | undefined {
  for (const variable of [name, name.toUpperCase()]) {
    const value = environment[variable]?.trim()
    if (value !== undefined && value !== '') return { variable, value }
  }
  return undefined
}

function readProxy(
  name: string,
  environment: Readonly<Record<string, string | undefined>>,
): Proxy | undefined {
  const given = variableOf(name, environment)
  if (given === undefined) return undefined
  const { variable, value } = given
  // curl takes `proxy:3128`, so people write it.
  const text = WITH_SCHEME.test(value) ? value : `http://${value}`
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.hostname !== '') return { url, variable }
  throw new ClientError(
    `${variable}: not the address of a proxy that this client can use: give http://host:port, or take the variable away`,
  )
}

/** Go and others reach this machine without a proxy, too: a proxy would reach its own machine. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '::1' || host.startsWith('127.')
}

/** `*`, `host`, `.domain` (which also means its sub-domains), `10.0.0.0/8`, each also with `:port`. */
function readExceptions(text: string): (url: URL) => boolean {
  const entries = text.split(/[,\s]+/).filter((entry) => entry !== '')
  const networks = new BlockList()
  const exceptions: Exception[] = []
  for (const entry of entries) {
    const [network = '', prefix] = entry.split('/')
    const family = isIP(network)
    if (
      prefix !== undefined &&
      family !== 0 &&
      /^\d{1,3}$/.test(prefix) &&
      Number(prefix) <= (family === 4 ? 32 : 128)
    )
      networks.addSubnet(network, Number(prefix), family === 4 ? 'ipv4' : 'ipv6')
    else exceptions.push(toException(entry))
  }
  return (url) => {
    const host = hostOf(url)
    const port = url.port === '' ? DEFAULT_PORTS[url.protocol] : url.port
    const family = isIP(host)
    if (family !== 0 && networks.check(host, family === 4 ? 'ipv4' : 'ipv6')) return true
    return exceptions.some(
      (exception) =>
        (exception.port === undefined || exception.port === port) &&
        (exception.host === '*' || host === exception.host || host.endsWith(`.${exception.host}`)),
    )
  }
}

function toException(entry: string): Exception {
  // An IPv6 address has colons of its own; with a port it stands in brackets.
  const [, host = entry, port] = (isIP(entry) === 6 ? undefined : /^(.+?)(?::(\d+))?$/.exec(entry)) ?? []
  return {
    host: bare(host)
      .toLowerCase()
      .replace(/^\*?\./, ''),
    port,
  }
}

function hostOf({ hostname }: URL): string {
  return bare(hostname).toLowerCase()
}

function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1')
}
