/**
 * Serves a worker module with srvx, as its users do: `serve({ fetch })`. The module gets no bindings, so it reads environment variables.
 *
 * @module
 */

import process from 'node:process'
import { pathToFileURL } from 'node:url'
import worker from '#services/auth/worker.ts'

/** The part of srvx that is used. */
interface Srvx {
  serve(options: {
    readonly port: number
    readonly hostname: string
    fetch(request: Request): Promise<Response>
  }): unknown
}

const [path = '', port = ''] = process.argv.slice(2)
const { serve } = (await import(pathToFileURL(path).href)) as Srvx
serve({ port: Number(port), hostname: '127.0.0.1', fetch: (request) => worker.fetch(request) })
