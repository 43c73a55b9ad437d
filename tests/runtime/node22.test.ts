/** The runtime cases on the oldest supported Node. */
import { findNode22 } from '../support/node22.ts'
import { startServer } from '../support/server.ts'
import { runtimeCases } from './cases.ts'

runtimeCases('node22', async () =>
  startServer({
    runtime: 'node22',
    nodeBinary: await findNode22(),
    arguments: ['--store', 'embedded:memory'],
  }),
)
