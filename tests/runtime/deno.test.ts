/** The runtime cases on deno. */
import { startServer } from '../support/server.ts'
import { runtimeCases } from './cases.ts'

runtimeCases('deno', () => startServer({ runtime: 'deno', arguments: ['--store', 'embedded:memory'] }))
