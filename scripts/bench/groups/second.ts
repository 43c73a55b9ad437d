/**
 * Measures what operators and users of aviso-server 2.x would notice first: how fast one user's listeners are back, what filters by place
 * cost, and how long a start with their configuration takes.
 *
 * @module
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import configFile from '../../../wrangler-like.config.json' with { type: 'json' }
import { parseDocument2x } from '../../aviso/import_2x/document.ts'
import { importConfig } from '../../aviso/import_2x/import_config.ts'
import { withEtcd } from '../etcd_figures.ts'
import { hasGenerator, runLoads, type WireLoad } from '../generator.ts'
import { openConnection } from '../http_load.ts'
import { interleave, type Bench, type RowGroup } from '../plan.ts'
import { startProcess } from '../processes.ts'
import { atMost, ratio, type Row } from '../row.ts'
import { median } from '../statistics.ts'
import { PUBLISH_PATH, startAviso, withProcess, type Configuration } from '../systems.ts'

const STREAMS = 1_000
const LISTENERS = 10_000
const RATE = 200
const CONNECTIONS = 4
/** How long the load of a single listener takes. */
const SECONDS_OF_ONE = 10
const OPEN_LIMIT_MS = 60_000
/** Each listener waits for one notification, so this takes LISTENERS / RATE seconds, and some. */
const SETTLE_LIMIT_MS = 120_000
const STARTS_PER_RUN = 3
const RETRY_MS = 2
/** Variable with the token of the user. */
const TOKEN_ENV = 'AVISO_BENCH_TOKEN'
const TOKEN = 'the-token-of-the-only-user-of-the-benchmark'

/** The rows about the second generation. */
export const secondGroup: RowGroup = {
  name: 'second',
  summary: "2.x: 1,000 streams of one user; 10,000 listeners by polygon; the start with 2.x's configuration",
  measure: async (bench) => {
    const byGenerator = hasGenerator() ? [await measureStreams(bench), await measurePolygons(bench)] : []
    if (byGenerator.length === 0) bench.say('second: streams and polygons need a C compiler')
    return [...byGenerator, await measureStarts(bench)]
  },
}

/** A POST for a stream, whose body may have the number of its connection. */
function stream(body: string, more: Partial<WireLoad> & Pick<WireLoad, 'connections'>): WireLoad {
  const authorization = `Authorization: Bearer ${TOKEN}\r\n`
  const head = `POST /api/v1/watch HTTP/1.1\r\nHost: localhost\r\n${authorization}Content-Type: application/json\r\n`
  const request = `${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  return { kind: 'wire', isListen: true, protocol: 'http', request, ...more }
}

async function measureStreams(bench: Bench): Promise<Row> {
  process.env[TOKEN_ENV] = TOKEN
  const tokens = [{ username: 'joe', realm: 'local', secretEnv: TOKEN_ENV }]
  const vars = {
    ...configFile.vars,
    identity: { providers: [{ kind: 'tokens', tokens }] },
    policy: { rules: [{ realm: 'local', listen: ['flight'] }] },
  }
  const { seconds } = await interleave(bench.runs, {
    seconds: () => {
      bench.say(`second: ${STREAMS} streams of one user`)
      return withProcess(startAviso({ config: { ...configFile, vars } }), async ({ url }) => {
        const startedAt = performance.now()
        let opened = Number.NaN
        const plan = {
          until: OPEN_LIMIT_MS,
          onOpen: () => {
            opened = (performance.now() - startedAt) / 1_000
          },
        }
        const body = JSON.stringify({ event_type: 'flight', identifier: {} })
        await runLoads(url, plan, [stream(body, { connections: STREAMS, tag: '"id":"flight@', expect: 0 })])
        return opened
      })
    },
  })
  return {
    name: `${STREAMS} streams of one user are open`,
    runtime: 'node',
    unit: 's',
    runs: seconds,
    floor: atMost(5, median(seconds), ' s'),
    goal: atMost(5, median(seconds), ' s'),
    notes: ['with the limits as they come; the start of the generator is part of it'],
  }
}

const AREAS = {
  notification_schema: {
    areas: {
      topic: { base: 'areas', key_order: ['n'] },
      identifier: {
        n: { type: 'StringHandler' },
        polygon: { type: 'PolygonHandler', required: true },
      },
    },
  },
}

/** A triangle of its own for each number of five digits. No two of them touch. */
function triangle(digits: string): string {
  return `(0.${digits},10.0,0.${digits},10.1,0.${digits}4,10.05,0.${digits},10.0)`
}

async function areasConfig(folder: string): Promise<Configuration> {
  const file = join(folder, 'areas.json')
  await writeFile(file, JSON.stringify(AREAS))
  return { ...configFile, vars: { ...configFile.vars, schemas: [file] } }
}

async function measurePolygons(bench: Bench): Promise<Row> {
  const { all, one } = await interleave(bench.runs, {
    all: () => measurePolygonCores(bench, LISTENERS),
    one: () => measurePolygonCores(bench, 1),
  })
  return {
    name: `${LISTENERS} listeners by polygon, ${RATE} notifications/s with polygons`,
    runtime: 'node + etcd',
    unit: 'cores',
    runs: all,
    limit: { name: 'the same with one listener', runs: one },
    floor: atMost(0.3, median(all), ' core'),
    goal: atMost(0.3, median(all), ' core'),
    notes: [
      'processor time of the listening service, with heartbeats; each notification goes to one listener',
    ],
  }
}

function measurePolygonCores(bench: Bench, count: number): Promise<number> {
  bench.say(`second: ${count} listener(s) by polygon`)
  const identifier = { n: '##########', polygon: triangle('@@@@@') }
  const body = JSON.stringify({ event_type: 'areas', identifier, payload: 's3://data.example.int/x' })
  const asked = JSON.stringify({ event_type: 'areas', identifier: { polygon: triangle('0~~~~') } })
  const streams = stream(asked, { connections: count, tag: '"id":"areas@', isSparse: true, expect: 1 })
  return withEtcd((etcd) =>
    withProcess(startAviso({ store: etcd.store, services: ['rest'], config: areasConfig }), (rest) =>
      withProcess(
        startAviso({ store: etcd.store, services: ['auth'], config: areasConfig }),
        async (auth) => {
          const before = { cpu: 0, at: 0 }
          let cores = 0
          const onOpen = async (): Promise<void> => {
            before.cpu = auth.cpuSeconds()
            before.at = performance.now()
            await runLoads(rest.url, { until: SETTLE_LIMIT_MS }, [
              {
                path: PUBLISH_PATH,
                body,
                connections: CONNECTIONS,
                ratePerSecond: RATE,
                requests: count === 1 ? RATE * SECONDS_OF_ONE : LISTENERS,
              },
            ])
          }
          const onSettled = (): void => {
            cores = (auth.cpuSeconds() - before.cpu) / ((performance.now() - before.at) / 1_000)
          }
          await runLoads(auth.url, { until: SETTLE_LIMIT_MS, onOpen, onSettled }, [streams])
          return cores
        },
      ),
    ),
  )
}

const SERVER_YAML = `
application: { host: 127.0.0.1, port: 8000 }
notification_backend: { kind: jetstream, jetstream: { nats_url: "nats://localhost:4222" } }
watch_endpoint: { sse_heartbeat_interval_sec: 30, connection_max_duration_sec: 3600 }
notification_schema:
  mars:
    topic: { base: mars, key_order: [class, date, step] }
    identifier:
      class: { type: StringHandler, max_length: 2, required: true }
      date: { type: DateHandler, canonical_format: "%Y%m%d" }
      step: { type: IntHandler, range: [0, 100000] }
`
const NOTIFICATION = JSON.stringify({
  event_type: 'mars',
  identifier: { class: 'od', date: '20260810', step: 1 },
})

/** Writes the configuration of 2.x, and ours that is made of it. @returns their names */
async function writeConfigs(folder: string): Promise<{ readonly theirs: string; readonly ours: string }> {
  const [theirs, ours, schema] = ['server.yaml', 'ours.json', 'schema.json'].map((name) => join(folder, name))
  if (theirs === undefined || ours === undefined || schema === undefined) throw new Error('unreachable')
  const imported = importConfig(parseDocument2x(SERVER_YAML, 'server.yaml') ?? {}, schema)
  await writeFile(theirs, SERVER_YAML)
  await writeFile(ours, JSON.stringify(imported.config))
  await writeFile(schema, JSON.stringify(imported.schema))
  return { theirs, ours }
}

async function measureStarts(bench: Bench): Promise<Row> {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-bench-'))
  try {
    const files = await writeConfigs(folder)
    const { theirs, ours } = await interleave(bench.runs, {
      theirs: () => measureStart(bench, files.theirs),
      ours: () => measureStart(bench, files.ours),
    })
    const most = ratio(theirs, ours)
    return {
      name: 'start with a configuration of 2.x to the first answer',
      runtime: 'node',
      unit: 's',
      runs: theirs,
      limit: { name: 'start with ours, made of it', runs: ours },
      goal: { text: '≤ 1.1 × ours', isMet: most <= 1.1 },
      notes: ['the answer is the acknowledgement of a stored notification, on a new data folder'],
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** @returns the seconds from the start to the first stored notification, the median of several starts */
async function measureStart(bench: Bench, config: string): Promise<number> {
  bench.say(`second: start with ${config.slice(config.lastIndexOf('/') + 1)}`)
  const seconds: number[] = []
  for (let start = 0; start < STARTS_PER_RUN; start++) {
    const data = await mkdtemp(join(tmpdir(), 'aviso-bench-'))
    const startedAt = performance.now()
    const argv = ['scripts/serve.ts', '--config', config, '--port', '0', '--data', data]
    try {
      await withProcess(startProcess('node', argv, true), async ({ url }) => {
        await postUntilStored(url)
        seconds.push((performance.now() - startedAt) / 1_000)
      })
    } finally {
      await rm(data, { recursive: true, force: true })
    }
  }
  return median(seconds)
}

async function postUntilStored(url: string): Promise<void> {
  const connection = await openConnection(url + PUBLISH_PATH)
  for (let status = 503; status !== 200;) {
    const answer = await connection.post(NOTIFICATION)
    status = answer.status
    if (status !== 200 && status !== 503) throw new Error(`The ingest answered ${status}: ${answer.body}`)
    if (status === 503) await new Promise((next) => setTimeout(next, RETRY_MS))
  }
  connection.close()
}
