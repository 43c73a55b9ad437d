/** The runtime cases on node. */
import { startServer } from '../support/server.ts'
import { runtimeCases } from './cases.ts'

runtimeCases('node', () => startServer({ runtime: 'node', arguments: ['--store', 'embedded:memory'] }))
