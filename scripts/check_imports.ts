/**
 * Checks the import rules of the project: which folder may import which, and where each package may be imported.
 * Reasons are in `.github/CONTRIBUTING.md` ("House rules"). Exits with 1 and one line per violation.
 *
 * @module
 */

import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, posix, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isMain } from './is_main.ts'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')

/** The ground floor: rooms (modules and folders of this table) that know nothing of notifications, stores and services. */
const GROUND = [
  'shared/closest.ts',
  'shared/errors.ts',
  'shared/handler.ts',
  'shared/logger.ts',
  'shared/search.ts',
  'shared/secret.ts',
  'shared/time',
  'shared/bytes',
  'shared/json',
  'shared/geometry',
]
/** The port of the store, for rooms that work with any store. */
const STORE_PORT = 'shared/store/store.ts'
/** The types of a handler, without code. */
const RUNTIME_PORT = 'shared/runtime/runtime.ts'
/** Rooms of `shared/` that services must not import, because the launcher hands them what these rooms make. */
const HANDED_TO_SERVICES = [
  'shared/config/load.ts',
  'shared/runtime',
  'shared/store/etcd',
  'shared/store/embedded',
  'shared/store/open',
  'shared/observe/telemetry/open_telemetry.ts',
]

/**
 * The rooms from the ground floor up, each with what it may import besides itself. A row names only rooms of earlier rows, so imports
 * cannot form a circle. When several rows contain a file, the longest name decides.
 */
const ROOMS: readonly (readonly [room: string, mayImport: readonly string[]])[] = [
  ['package.json', []],
  ['wrangler-like.config.json', []],
  ['shared/closest.ts', []],
  ['shared/errors.ts', []],
  ['shared/logger.ts', []],
  ['shared/search.ts', []],
  ['shared/time', []],
  ['shared/bytes', []],
  ['shared/handler.ts', ['shared/bytes/byte_source.ts']],
  ['shared/json', ['shared/errors.ts', 'shared/bytes']],
  ['shared/secret.ts', ['shared/errors.ts', 'shared/bytes']],
  ['shared/geometry', ['shared/errors.ts', 'shared/search.ts', 'shared/json']],
  ['shared/config', GROUND],
  ['shared/http', GROUND],
  [
    'shared/runtime',
    ['shared/errors.ts', 'shared/handler.ts', 'shared/bytes', 'shared/time', 'shared/http/problem.ts'],
  ],
  ['shared/store', GROUND],
  [
    'shared/store/etcd',
    [
      ...GROUND,
      'shared/store',
      'shared/runtime/fetch_like.ts',
      'shared/runtime/http2_like.ts',
      'shared/runtime/certificate.ts',
    ],
  ],
  ['shared/store/embedded', [...GROUND, 'shared/store', RUNTIME_PORT]],
  [
    'shared/store/open',
    [
      ...GROUND,
      'shared/store',
      'shared/store/etcd',
      'shared/store/embedded',
      'shared/runtime/fetch_like.ts',
      RUNTIME_PORT,
    ],
  ],
  ['shared/journal', [...GROUND, 'shared/store']],
  ['shared/notification', [...GROUND, STORE_PORT, 'shared/journal/journal.ts', 'shared/journal/codec.ts']],
  ['shared/retention', [...GROUND, 'shared/store', 'shared/journal', 'shared/notification']],
  [
    'shared/runs',
    [
      ...GROUND,
      'shared/config/section.ts',
      'shared/config/explain.ts',
      STORE_PORT,
      'shared/journal/journal.ts',
      'shared/notification',
      'shared/retention/duration.ts',
    ],
  ],
  ['shared/publish', [...GROUND, 'shared/store', 'shared/journal', 'shared/notification']],
  ['shared/hub/source', [...GROUND, 'shared/store', 'shared/journal', 'shared/notification']],
  ['shared/hub', [...GROUND, 'shared/store', 'shared/journal', 'shared/notification', 'shared/hub/source']],
  ['shared/service_files', [...GROUND, 'shared/store', 'shared/notification', 'shared/hub/source/follow.ts']],
  ['shared/access/interval.ts', [...GROUND, STORE_PORT]],
  ['shared/access/shapes.ts', [...GROUND, 'shared/config']],
  ['shared/access/quota', [...GROUND, 'shared/config']],
  ['shared/access/access.ts', [...GROUND, STORE_PORT, 'shared/access/interval.ts', 'shared/access/quota']],
  ['shared/access/audit', GROUND],
  ['shared/access/identity', [...GROUND, 'shared/config', 'shared/access/shapes.ts']],
  [
    'shared/access/policy',
    [
      ...GROUND,
      'shared/config',
      STORE_PORT,
      'shared/journal/journal.ts',
      'shared/access/interval.ts',
      'shared/access/shapes.ts',
      'shared/access/access.ts',
      'shared/access/quota',
      'shared/access/audit',
      'shared/access/identity',
    ],
  ],
  [
    'shared/access',
    [
      ...GROUND,
      STORE_PORT,
      'shared/http/route.ts',
      'shared/access/interval.ts',
      'shared/access/access.ts',
      'shared/access/quota',
      'shared/access/audit',
      'shared/access/identity',
      'shared/access/policy',
    ],
  ],
  ['shared/observe/telemetry', [...GROUND, 'shared/config']],
  [
    'shared/observe/metrics',
    [...GROUND, STORE_PORT, 'shared/publish/publish.ts', 'shared/hub/hub.ts', 'shared/observe/telemetry'],
  ],
  ['shared/client', GROUND],
  ['services/rest', ['shared']],
  ['services/auth/streams', ['shared']],
  ['services/auth/listen', ['shared', 'services/auth/streams']],
  ['services/auth/history', ['shared', 'services/auth/streams', 'services/auth/listen']],
  [
    'services/auth/explain',
    ['shared', 'services/auth/streams', 'services/auth/listen', 'services/auth/history'],
  ],
  ['services/auth/etcd_facade', ['shared', 'services/auth/streams', 'services/auth/listen']],
  [
    'services/auth',
    [
      'shared',
      'services/auth/streams',
      'services/auth/listen',
      'services/auth/history',
      'services/auth/explain',
      'services/auth/etcd_facade',
    ],
  ],
  ['services/admin/jobs', ['shared']],
  ['services/admin', ['shared', 'services/admin/jobs']],
  ['services/monitoring/receive', ['shared']],
  ['services/monitoring/checks', ['shared', 'services/monitoring/receive']],
  ['services/monitoring', ['shared', 'services/monitoring/receive', 'services/monitoring/checks']],
  ['services/runs', ['shared']],
  [
    'services/system',
    [
      'package.json',
      'shared',
      'services/rest',
      'services/auth',
      'services/admin',
      'services/monitoring',
      'services/runs',
    ],
  ],
  ...['rest', 'auth', 'admin', 'monitoring', 'runs'].map((name): (typeof ROOMS)[number] => [
    `services/${name}/worker.ts`,
    ['services/system'],
  ]),
  [
    'scripts',
    ['package.json', 'wrangler-like.config.json', 'shared', 'services', 'tests/support', 'tests/faults'],
  ],
  ['tests', ['package.json', 'wrangler-like.config.json', 'shared', 'services', 'scripts']],
]

/** Package → prefixes of the files that may import it. */
const PACKAGE_DOORS: Readonly<Record<string, readonly string[]>> = {
  '@opentelemetry/api': ['shared/observe/telemetry/open_telemetry.ts', 'tests/'],
  'itty-router': ['services/', 'shared/http/'],
  etcd3: ['shared/store/etcd/etcd3.ts', 'scripts/bench/', 'tests/'],
  jose: ['shared/access/identity/', 'tests/'],
  valibot: [
    'shared/config/',
    'shared/notification/',
    'shared/runs/',
    'shared/access/',
    'shared/observe/telemetry/',
    'services/',
    'scripts/aviso/',
    'tests/',
  ],
  re2js: ['shared/notification/linear_regex.ts', 'tests/'],
  'robust-predicates': ['shared/geometry/'],
  rbush: ['shared/geometry/geometry_index.ts'],
  '@valibot/to-json-schema': ['scripts/generate/'],
  ajv: ['tests/'],
  undici: ['shared/runtime/', 'scripts/', 'tests/'],
  croner: ['shared/runtime/', 'scripts/'],
  aws4fetch: ['scripts/aviso/'],
  commander: ['scripts/', 'tests/'],
  yaml: ['scripts/aviso/', 'services/system/schema_text.ts', 'tests/'],
  'eventsource-parser': ['shared/client/', 'scripts/', 'tests/'],
  'fast-check': ['tests/'],
  esbuild: ['scripts/', 'tests/'],
}

const NODE_DOORS = ['shared/runtime/', 'scripts/', 'tests/']
const SPECIFIER =
  /(?:^|\n)\s*(?:import|export)\s[^'"]*?from\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)\s*import\s*['"]([^'"]+)['"]/g

/** All violations, as `file: reason`. */
export async function findViolations(): Promise<string[]> {
  const violations: string[] = []
  for (const folder of ['services', 'shared', 'scripts', 'tests']) {
    for (const file of await typescriptFiles(join(ROOT, folder))) {
      const text = await readFile(join(ROOT, file), 'utf8')
      for (const match of text.matchAll(SPECIFIER)) {
        const reason = violation(file, match[1] ?? match[2] ?? match[3] ?? '')
        if (reason !== undefined) violations.push(`${file}: ${reason}`)
      }
    }
  }
  return violations
}

function violation(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('node:') || specifier.startsWith('bun:')) {
    return NODE_DOORS.some((door) => file.startsWith(door))
      ? undefined
      : `${specifier} may only be imported in shared/runtime, scripts and tests`
  }
  if (!specifier.startsWith('.') && !specifier.startsWith('#')) return packageViolation(file, specifier)
  if (!/\.(?:ts|mjs|json)$/.test(specifier)) return `${specifier} has no file extension: add .ts or .json`
  const target = specifier.startsWith('#') ? specifier.slice(1) : posix.join(posix.dirname(file), specifier)
  if (
    specifier.startsWith('../') &&
    /^(?:shared|services)\//.test(target) &&
    wingOf(file) !== wingOf(target)
  ) {
    return `write ${specifier} as #${target}`
  }
  return directionViolation(file, target)
}

/** The folder below the top level, such as `shared/hub`. Imports inside it are relative, and imports of other folders begin with `#`. */
function wingOf(path: string): string {
  return path.split('/').slice(0, 2).join('/')
}

function packageViolation(file: string, specifier: string): string | undefined {
  const name = specifier.startsWith('@')
    ? specifier.split('/').slice(0, 2).join('/')
    : (specifier.split('/')[0] ?? specifier)
  const doors = PACKAGE_DOORS[name]
  if (doors === undefined)
    return `package ${name} is not listed in scripts/check_imports.ts: add where it may be imported`
  return doors.some((door) => file.startsWith(door))
    ? undefined
    : `package ${name} may be imported from ${doors.join(', ')} only`
}

function directionViolation(file: string, target: string): string | undefined {
  const room = roomOf(file)
  if (room === undefined) return `no row of scripts/check_imports.ts contains this file`
  const [name, mayImport] = room
  if (roomOf(target)?.[0] === name) return undefined
  if (!mayImport.some((allowed) => isWithin(target, allowed))) return `${name} may not import ${target}`
  const isBarred =
    name.startsWith('services/') &&
    name !== 'services/system' &&
    target !== RUNTIME_PORT &&
    HANDED_TO_SERVICES.some((part) => isWithin(target, part))
  return isBarred
    ? `a service must not import ${target}: the launcher hands it what that module makes`
    : undefined
}

function roomOf(file: string): (typeof ROOMS)[number] | undefined {
  return ROOMS.filter(([name]) => isWithin(file, name)).toSorted(([a], [b]) => b.length - a.length)[0]
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`)
}

/** Faults of the table: rows that name a room of a later row, which would allow a circle of imports. */
export function findTableFaults(rooms: typeof ROOMS = ROOMS): string[] {
  const faults: string[] = []
  const above: string[] = []
  for (const [name, mayImport] of rooms) {
    for (const target of mayImport) {
      const stands = above.some((room) => isWithin(target, room) || isWithin(room, target))
      if (!stands && name !== 'scripts')
        faults.push(`${name} may import ${target}, which is not in an earlier row of the table`)
    }
    above.push(name)
  }
  return faults
}

async function typescriptFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .toSorted()
}

if (isMain(import.meta)) {
  const violations = [...findTableFaults(), ...(await findViolations())]
  for (const line of violations) console.error(line)
  if (violations.length > 0) process.exitCode = 1
  else console.log('imports: no violation')
}
