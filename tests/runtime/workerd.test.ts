/** The runtime cases on workerd. */
import { startServer } from '../support/server.ts'
import { runtimeCases } from './cases.ts'

runtimeCases('workerd', () => startServer({ runtime: 'workerd', arguments: ['--store', 'embedded:memory'] }))
