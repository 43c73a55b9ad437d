/**
 * Measures the cost of identities and a policy: a read of a 1.x listener with them, beside the same read without.
 *
 * @module
 */

import { runLoad } from '../http_load.ts'
import { interleave, type Bench, type RowGroup } from '../plan.ts'
import { startProcess, type BenchProcess } from '../processes.ts'
import { atMost, ratio, type Row } from '../row.ts'
import { withProcess } from '../systems.ts'
import { JOE_TOKEN, OPERATOR_TOKEN } from '../../../tests/support/auth_servers_system.ts'
import { pyavisoPull } from '../../../tests/support/etcd_wire.ts'

const CONNECTIONS = 16
/** Number of short loads, taken in turn, so that all three run under the same conditions. */
const ROUNDS = 8
const ROUND_MS = 700
/** Least rate of reads, as a share of the rate without identities. */
const LEAST_SHARE = 0.85
const SERVER = 'scripts/bench/servers/identity.ts'
/** The request of pyaviso 1.x for a destination. */
const BODY = JSON.stringify(pyavisoPull('/ec/diss/SCL/', '/ec/diss/SCL0'))

/** The row about identities. */
export const identityGroup: RowGroup = {
  name: 'identity',
  summary: 'authorised reads of 1.x listeners with cached decisions, beside the same without identities',
  measure: (bench) =>
    withProcess(startProcess('node', [SERVER, 'none']), (open) =>
      withProcess(startProcess('node', [SERVER, 'identities']), (closed) => measure(bench, open, closed)),
    ),
}

async function measure(bench: Bench, open: BenchProcess, closed: BenchProcess): Promise<readonly Row[]> {
  bench.say('identity: reads with and without')
  const emailKey = `EmailKey joe@x.int:${JOE_TOKEN}`
  const costs = {
    without: costOf(open, emailKey),
    opaque: costOf(closed, emailKey),
    token: costOf(closed, `Bearer ${OPERATOR_TOKEN}`),
  }
  await interleave(1, costs)
  const results: Record<keyof typeof costs, number[]> = { without: [], opaque: [], token: [] }
  for (let run = 0; run < bench.runs; run++) {
    const { without, opaque, token } = await interleave(ROUNDS, costs)
    results.without.push(Math.min(...without))
    results.opaque.push(Math.min(...opaque))
    results.token.push(Math.min(...token))
  }
  const row = (name: string, runs: readonly number[]): Row => ({
    name: `read of a 1.x listener, ${name}`,
    runtime: 'node',
    unit: 'µs of processor time',
    runs,
    limit: { name: 'without identities', runs: results.without },
    goal: atMost(1 / LEAST_SHARE, ratio(runs, results.without), ' × without'),
  })
  return [
    row('EmailKey by auth-o-tron and ECPDS', results.opaque),
    row('static token, everything granted', results.token),
  ]
}

/**
 * Processor time of one read, in microseconds. Unlike a rate it depends little on other work of the machine, and the least of several
 * values depends even less.
 */
function costOf(server: BenchProcess, authorization: string): () => Promise<number> {
  const headers = `Authorization: ${authorization}\r\n`
  const posts = { url: `${server.url}/v3/kv/range`, body: () => BODY, connections: CONNECTIONS, headers }
  return async () => {
    const before = server.cpuSeconds()
    const { calls } = await runLoad({ ...posts, durationMs: ROUND_MS })
    return ((server.cpuSeconds() - before) / calls) * 1e6
  }
}
