/**
 * Where the program of a release starts. Services start without the client's code.
 *
 * @module
 */

import process from 'node:process'
import { findProgram } from '../programs.ts'

const argv = process.argv.slice(2)
const run = findProgram(argv) ?? (async () => (await import('../aviso.ts')).aviso(argv))
process.exitCode = await run()
// Sockets that are kept for reuse must not keep the process running.
process.exit()
