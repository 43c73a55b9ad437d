/** The runtime cases on bun. */
import { startServer } from '../support/server.ts'
import { runtimeCases } from './cases.ts'

runtimeCases('bun', () => startServer({ runtime: 'bun', arguments: ['--store', 'embedded:memory'] }))
