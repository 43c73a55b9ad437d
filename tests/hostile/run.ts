/**
 * `npm run corpus -- [RUNTIME…]`: sends every bad input to the server of each runtime, over HTTP and as bytes, and prints what came of it.
 *
 * @module
 */

import process from 'node:process'

import { RUNTIMES, runCorpus, type CorpusResult } from './corpus.ts'
import { sendSocketRows, startSocketServer } from './socket.ts'
import type { SocketRuntime } from './socket_rows.ts'
import { isMain } from '../../scripts/is_main.ts'

async function main(named: readonly string[]): Promise<number> {
  const unknown = named.filter((name) => !RUNTIMES.some((runtime) => runtime === name))
  if (unknown.length > 0) {
    console.error(`error: no runtime is called ${unknown.join(', ')}; known are ${RUNTIMES.join(', ')}`)
    return 2
  }
  console.log('runtime  sent as     rows  passes  own answers  slowest')
  let wrong = 0
  for (const runtime of RUNTIMES) {
    if (named.length > 0 && !named.includes(runtime)) continue
    const result = await runCorpus(runtime)
    wrong += show(runtime, 'requests', result, `${Math.round(result.slowestMs)} ms`)
    wrong += show(runtime, 'bytes', await runSocketRows(runtime))
  }
  return wrong === 0 ? 0 : 1
}

async function runSocketRows(runtime: SocketRuntime): Promise<CorpusResult> {
  const running = await startSocketServer(runtime)
  try {
    return await sendSocketRows(runtime, running.port)
  } finally {
    await running.close()
  }
}

/** @returns How many rows were answered otherwise than they should. */
function show(runtime: SocketRuntime, kind: string, result: CorpusResult, slowest = ''): number {
  const { rows, passed, differences, wrong } = result
  const counts = `${String(rows).padStart(7)} ${String(passed).padStart(7)} ${String(differences.length).padStart(12)}`
  console.log(`${runtime.padEnd(8)} ${kind.padEnd(8)} ${counts}  ${slowest}`.trimEnd())
  for (const line of differences) console.log(`  as expected: ${line}`)
  for (const line of wrong) console.log(`  WRONG: ${line}`)
  return wrong.length
}

if (isMain(import.meta)) process.exitCode = await main(process.argv.slice(2))
