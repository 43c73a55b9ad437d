/**
 * A stand-in for an Opsview server: login, token, passive check results, and a switch per misbehaviour.
 *
 * @see reference/aviso-v1.md §4.4
 * @module
 */

/** A check result as it arrived. */
export interface OpsviewSubmission {
  readonly hostname: string | null
  readonly servicename: string | null
  /** The raw body. */
  readonly body: string
}

/** The stand-in. */
export interface OpsviewStandIn {
  /** `fetch`, answered by the stand-in. */
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  readonly submissions: OpsviewSubmission[]
  /** Requests by path. */
  readonly calls: { readonly login: number; readonly detail: number }
  /** Every token given out so far is refused with 401 from now on. */
  expireTokens(): void
  /** Answers every following request by this instead; `undefined`: behaves again. */
  misbehave(answer: (() => Promise<Response>) | undefined): void
}

/** A server with one user. */
export function createOpsviewStandIn(username: string, password: string): OpsviewStandIn {
  const submissions: OpsviewSubmission[] = []
  const calls = { login: 0, detail: 0 }
  const valid = new Set<string>()
  let tokens = 0
  let misbehaviour: (() => Promise<Response>) | undefined

  async function logIn(request: Request): Promise<Response> {
    calls.login++
    const body = (await request.json()) as Record<string, unknown>
    if (body['username'] !== username || body['password'] !== password)
      return new Response('{}', { status: 401 })
    const token = `token-${++tokens}`
    valid.add(token)
    return Response.json({ token })
  }
  async function submit(request: Request): Promise<Response> {
    calls.detail++
    const { headers } = request
    const isKnown =
      headers.get('x-opsview-username') === username && valid.has(headers.get('x-opsview-token') ?? '')
    if (!isKnown) return new Response('{}', { status: 401 })
    if (headers.get('content-type') !== 'application/json') return new Response('{}', { status: 415 })
    const { searchParams } = new URL(request.url)
    submissions.push({
      hostname: searchParams.get('hostname'),
      servicename: searchParams.get('servicename'),
      body: await request.text(),
    })
    return Response.json({ success: '1' })
  }
  return {
    submissions,
    calls,
    fetch: async (url, init) => {
      if (misbehaviour !== undefined) return misbehaviour()
      const request = new Request(url, init)
      const { pathname } = new URL(url)
      if (request.method === 'POST' && pathname === '/rest/login') return logIn(request)
      if (request.method === 'POST' && pathname === '/rest/detail') return submit(request)
      return new Response(null, { status: 404 })
    },
    expireTokens: () => valid.clear(),
    misbehave: (answer) => {
      misbehaviour = answer
    },
  }
}
