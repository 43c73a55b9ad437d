/**
 * Says why the store does not answer: the cause, what to do about it, and whether waiting may help. The store's own errors say what a
 * client may know. What is behind them, in the words of each runtime, is read here for the operator.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { Logger } from '#shared/logger.ts'

/** Why the store does not answer. */
export interface StoreTrouble {
  /** The cause and the remedy, without any address, because anybody may read `/readyz`. */
  readonly reason: string
  /** Whether it may end by itself, as a restart of the store does. */
  readonly mayPass: boolean
}

/** What a code or text of an error, or of one behind it, says. The first that fits decides. */
const CAUSES: readonly (readonly [signs: RegExp, reason: string, mayPass: boolean])[] = [
  [
    /ALERT_BAD_CERTIFICATE|ALERT_CERTIFICATE|alert: \w*Certificate/,
    'it wants a certificate, or does not accept the one that it is shown: name certificate and key in vars.storeTls',
    false,
  ],
  [
    /ENOTFOUND|EAI_AGAIN|dns error|Name resolution failed|failed to lookup address/,
    'the host name is unknown: check the spelling of vars.store, and the name service of this machine',
    false,
  ],
  [
    /WRONG_VERSION_NUMBER|TLS handshake failed|InvalidContentType|EPROTO/,
    'it does not speak TLS at this port, or it wants a certificate: check the port, write http:// (grpc://) in vars.store, or name a certificate in vars.storeTls',
    false,
  ],
  [
    /ECONNREFUSED|ConnectionRefused|Connection refused/,
    'the connection was refused, so nothing listens there: check that the store runs, and the port in vars.store',
    true,
  ],
  [
    /EHOSTUNREACH|ENETUNREACH|No route to host|Network is unreachable/,
    'there is no route to it: check the network and the address in vars.store',
    true,
  ],
  [
    /CONNECT_TIMEOUT|ETIMEDOUT|No answer within|timed out|DEADLINE_EXCEEDED/,
    'it does not answer in time: a firewall may drop the connection, or the store may hang',
    true,
  ],
  [
    /There is nothing at this path/,
    'another Aviso answers there, and not an etcd: name its token in vars.storeTokenEnv, or give the address of etcd in vars.store',
    false,
  ],
  [
    /HTTP status \d+ without/,
    'another program answers there, and not an etcd or an Aviso: check host and port in vars.store, and any proxy in front of it',
    false,
  ],
  [
    /Protocol error/,
    'what answers there does not speak gRPC: check host and port in vars.store, or write http://',
    false,
  ],
  [
    /UND_ERR_SOCKET|ECONNRESET|connection closed before|socket hang up|other side closed/,
    'it closes the connection without an answer: check the port, whether it expects TLS (write https:// or grpcs://), and whether it wants a certificate (vars.storeTls)',
    true,
  ],
]

/** The errors whose own message names cause and remedy already. */
const EXPLAINED = /^The store's certificate|^The store refuses us|^The addresses of the store/
/** How many errors behind an error are looked at. */
const MAX_DEPTH = 8

/** @returns the cause of an error of the store */
export function explainTrouble(error: AvisoError): StoreTrouble {
  if (EXPLAINED.test(error.message)) return { reason: error.message, mayPass: false }
  const text = textOf(error)
  const found = CAUSES.find(([signs]) => signs.test(text))
  if (found !== undefined) {
    const [, reason, mayPass] = found
    const status = /HTTP status (\d+) without/.exec(text)?.[1]
    return { reason: status === undefined ? reason : `${reason} (HTTP status ${status})`, mayPass }
  }
  return { reason: error.message, mayPass: error.code !== 'ERR_STORE_PROTOCOL' }
}

/** The codes and messages of an error and of those behind it, of which nothing is shown. */
function textOf(error: unknown, depth = 0): string {
  if (!(error instanceof Error) || depth === MAX_DEPTH) return ''
  const code = 'code' in error ? String(error.code) : ''
  // An error of ours says only that there is one; its cause says which.
  const own = error instanceof AvisoError ? '' : `${code} ${error.message}\n`
  const several: readonly unknown[] = error instanceof AggregateError ? error.errors : []
  return own + [error.cause, ...several].map((one) => textOf(one, depth + 1)).join('')
}

/** Time after which a cause that has not changed is logged again. An operator who comes later finds it near the end of the log. */
const REPEAT_MS = 30_000

/** Logs while the store is waited for: each cause when it is new, and from time to time. */
export function createTroubleLog(
  logger: Logger,
  { store, now }: { readonly store: string; readonly now: () => number },
): (error: AvisoError) => StoreTrouble {
  let last: { readonly reason: string; readonly at: number } | undefined
  return (error) => {
    const trouble = explainTrouble(error)
    const { reason, mayPass } = trouble
    const isNews = last === undefined || last.reason !== reason || now() - last.at >= REPEAT_MS
    if (!isNews) return trouble
    last = { reason, at: now() }
    logger(mayPass ? 'warn' : 'error', 'waiting for the store', {
      code: error.code,
      store,
      reason: mayPass ? reason : `${reason}. Waiting alone does not mend this`,
    })
    return trouble
  }
}
