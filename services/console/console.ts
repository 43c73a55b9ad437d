/**
 * The console: a page that shows what the service's own API tells, to people.
 *
 * Flow: rest, auth, admin → **console** → a person's browser
 *
 * The page is static, and the same for all. What it shows it asks of the API, with the token of the person who looks. So this module has no
 * part in who may see what.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { Answer, Handler, HandlerRequest } from '#shared/handler.ts'
import { answerUnlessKnown } from '#shared/http/conditional.ts'
import { createRouter, rawPath, type KnownRoute, type Route } from '#shared/http/route.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { Logger } from '#shared/logger.ts'

export interface ConsoleParts {
  /** Whether there is a console. A function, because the address is known only after listening. */
  readonly isOn: () => boolean
  readonly version: string
  /** Whether files are sent with `Content-Encoding: gzip`. Where the platform compresses by itself, they are not. */
  readonly compresses: boolean
  readonly random: () => string
  readonly logger: Logger
}

/** The console as the dispatcher needs it. */
export interface Console {
  /** Whether there is one now. */
  isOn(): boolean
  /** Answers `/console` and what is below it. It never rejects. */
  readonly handle: Handler
  /** What {@link Console.handle} answers. */
  readonly routes: readonly KnownRoute[]
  /** A handler that gives the page to browsers, and leaves everything else to another. */
  inFrontOf(home: Handler): Handler
}

/** Where the files of the page are. */
const FILES = '/console/'

/** A file that the page loads. Its name holds a part of its hash, so that it never changes. */
interface AssetFile {
  readonly type: string
  readonly text: string
}

/** Nothing from elsewhere, no inline code, and no text becomes markup: the page makes elements alone. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

const COMMON_HEADERS = { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' } as const
const PAGE_HEADERS = {
  ...COMMON_HEADERS,
  'content-type': 'text/html; charset=utf-8',
  vary: 'Accept',
  'content-security-policy': POLICY,
  // For browsers that do not know frame-ancestors.
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
} as const
/** A file keeps its name only as long as its content. */
const FOR_EVER = 'public, max-age=31536000, immutable'

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** Loads the page when it is first asked for: a start does not pay for it. */
async function loadAssets(): Promise<{
  readonly page: string
  readonly files: ReadonlyMap<string, AssetFile>
}> {
  const { default: assets } = await import('./assets.json', { with: { type: 'json' } })
  return { page: assets.page, files: new Map(Object.entries<AssetFile>(assets.files)) }
}

/** Makes the console. */
export function createConsole(parts: ConsoleParts): Console {
  const version = parts.version.replace(/[&<>"]/g, (character) => ESCAPES[character] ?? '')
  /** The page, with the files as its address sees them. */
  const pageAt = async (files: string): Promise<string> => {
    const { page } = await loadAssets()
    return page.replace('{{version}}', () => version).replaceAll('{{at}}', files)
  }
  const packed = new Map<string, Promise<Uint8Array>>()
  const pack = (name: string, text: string): Promise<Uint8Array> => {
    const known = packed.get(name) ?? gzip(text)
    packed.set(name, known)
    return known
  }
  const giving = (at: string) => async (request: HandlerRequest) =>
    answerUnlessKnown(request, { status: 200, headers: PAGE_HEADERS, body: await pageAt(at) })
  const answerFile = async (
    request: HandlerRequest,
    name: string,
    { type, text }: AssetFile,
  ): Promise<Answer> => {
    const headers = {
      ...COMMON_HEADERS,
      'content-type': type,
      'cache-control': FOR_EVER,
      vary: 'Accept-Encoding',
    }
    if (!parts.compresses || !takesGzip(request)) return { status: 200, headers, body: text }
    const body = await pack(name, text)
    return { status: 200, headers: { ...headers, 'content-encoding': 'gzip' }, body }
  }
  const giveFile = async (request: HandlerRequest): Promise<Answer> => {
    const name = rawPath(request.url).slice(FILES.length)
    const { files } = await loadAssets()
    const file = files.get(name)
    if (file === undefined) throw new AvisoError('ERR_NOT_FOUND', 'The console has no such file')
    return answerFile(request, name, file)
  }
  // Where the services are on several addresses, "/" may lead to another one.
  const below = giving('')
  const routes: readonly Route[] = [
    {
      method: 'GET',
      path: '/console',
      doc: 'page',
      trailingSlash: true,
      handle: (request) => (rawPath(request.url).endsWith('/') ? below(request) : toSlash()),
    },
    { method: 'GET', path: `${FILES}*`, doc: 'file', handle: giveFile },
  ]
  const answers = createRouter(routes, parts)
  const off = createRouter(
    routes.map((route): Route => ({ ...route, handle: refuseOff })),
    parts,
  )
  const home = createRouter([{ method: 'GET', path: '/', doc: 'page', handle: giving('console/') }], parts)
  return {
    isOn: parts.isOn,
    routes: answers.routes,
    handle: (request) => (parts.isOn() ? answers(request) : off(request)),
    inFrontOf: (other) => (request) => (isBrowser(request) && parts.isOn() ? home(request) : other(request)),
  }
}

/** The paths stay those of the console, so that their methods are the same. */
function refuseOff(): never {
  throw new AvisoError(
    'ERR_NOT_FOUND',
    'There is no console here: the operator turns it on with vars.console',
  )
}

/** The page's links are relative to a folder. */
function toSlash(): Answer {
  return { status: 302, headers: { location: 'console/', 'cache-control': 'no-store' }, body: null }
}

/** Browsers name HTML when they open a page. Programs take anything, or JSON. */
function isBrowser({ method, headers }: HandlerRequest): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false
  return (headers.get('accept') ?? '').toLowerCase().includes('text/html')
}

function takesGzip({ headers }: HandlerRequest): boolean {
  return /(?:^|[\s,])gzip(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/i.test(headers.get('accept-encoding') ?? '')
}

async function gzip(text: string): Promise<Uint8Array> {
  const stream = new Blob([new Uint8Array(toBytes(text))]).stream().pipeThrough(new CompressionStream('gzip'))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}
