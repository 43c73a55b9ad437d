/**
 * Serves a worker module as a function of AWS Lambda would: an event becomes a `Request`, and the `Response` becomes a result. Each line of
 * standard input is an event of a function URL; its result is written as a line.
 *
 * @module
 */

import { createInterface } from 'node:readline'
import process from 'node:process'
import worker from '#services/auth/worker.ts'

interface LambdaEvent {
  readonly rawPath: string
  readonly requestContext: { readonly domainName: string; readonly http: { readonly method: string } }
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

const { AVISO_CONFIG, AVISO_SERVICES } = process.env

/** The function, with bindings of its own. */
async function handler({ rawPath, requestContext, headers, body }: LambdaEvent): Promise<object> {
  const { domainName, http } = requestContext
  const request = new Request(`https://${domainName}${rawPath}`, {
    method: http.method,
    headers,
    ...(body !== undefined && { body }),
  })
  const response = await worker.fetch(request, { AVISO_CONFIG, AVISO_SERVICES })
  return {
    statusCode: response.status,
    headers: Object.fromEntries(response.headers),
    body: await response.text(),
  }
}

for await (const line of createInterface({ input: process.stdin }))
  process.stdout.write(`${JSON.stringify(await handler(JSON.parse(line) as LambdaEvent))}\n`)
process.exit()
