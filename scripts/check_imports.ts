/**
 * Holds the import directions of the house: who may import whom, and which package has which door.
 * Reasons are in the README ("House rules"). Exit 1 with one line per violation.
 *
 * @module
 */

import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, posix, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')

/** Folder → the folders of `shared/` it may import besides itself. The first matching row decides. */
const MAY_IMPORT: readonly (readonly [folder: string, targets: readonly string[] | 'anything'])[] = [
  ['scripts', 'anything'],
  ['tests', 'anything'],
  ['shared/errors.ts', []],
  ['shared/store/open.ts', ['shared/errors.ts', 'shared/telemetry', 'shared/runtime/runtime.ts']],
  ['shared/store/embedded', ['shared/errors.ts', 'shared/telemetry', 'shared/runtime/runtime.ts']],
  ['shared/store', ['shared/errors.ts', 'shared/telemetry']],
  ['shared/http', ['shared/errors.ts', 'shared/telemetry', 'shared/store/base64.ts']],
  ['shared/interval', ['shared/store/bytes.ts', 'shared/store/store.ts']],
  [
    'shared/notification',
    ['shared/errors.ts', 'shared/store/store.ts', 'shared/store/bytes.ts', 'shared/journal/journal.ts'],
  ],
  ['shared/journal', ['shared/errors.ts', 'shared/store', 'shared/telemetry']],
  [
    'shared/publish',
    ['shared/errors.ts', 'shared/store', 'shared/telemetry', 'shared/journal', 'shared/notification'],
  ],
  [
    'shared/watch',
    [
      'shared/errors.ts',
      'shared/store',
      'shared/telemetry',
      'shared/journal',
      'shared/notification',
      'shared/http/byte_source.ts',
    ],
  ],
  [
    'shared/identity',
    [
      'shared/errors.ts',
      'shared/telemetry/clock.ts',
      'shared/telemetry/logger.ts',
      'shared/http/strict_json.ts',
      'shared/store/base64.ts',
      'shared/store/bytes.ts',
    ],
  ],
  [
    'shared/policy',
    [
      'shared/errors.ts',
      'shared/telemetry/clock.ts',
      'shared/telemetry/logger.ts',
      'shared/http/strict_json.ts',
      'shared/audit',
      'shared/identity',
      'shared/quota',
      'shared/interval',
      'shared/journal/journal.ts',
      'shared/store/base64.ts',
      'shared/store/bytes.ts',
      'shared/store/store.ts',
    ],
  ],
  ['shared/audit', ['shared/errors.ts', 'shared/telemetry/clock.ts', 'shared/telemetry/logger.ts']],
  ['shared/quota', ['shared/errors.ts', 'shared/telemetry/clock.ts']],
  [
    'shared/removal',
    [
      'shared/errors.ts',
      'shared/store',
      'shared/journal',
      'shared/notification',
      'shared/telemetry',
      'shared/watch/follow.ts',
    ],
  ],
  [
    'shared/service_files',
    ['shared/errors.ts', 'shared/store', 'shared/notification', 'shared/telemetry', 'shared/watch/follow.ts'],
  ],
  ['shared/retention', ['shared/errors.ts', 'shared/store', 'shared/notification', 'shared/journal']],
  ['shared/config', ['shared/errors.ts', 'shared/retention', 'shared/http/strict_json.ts']],
  ['shared/telemetry', []],
  [
    'shared/metrics',
    [
      'shared/errors.ts',
      'shared/telemetry',
      'shared/store/store.ts',
      'shared/publish/publish.ts',
      'shared/watch/hub.ts',
    ],
  ],
  [
    'shared/runtime',
    [
      'shared/errors.ts',
      'shared/store/certificate.ts',
      'shared/store/gateway_wire.ts',
      'shared/store/fetch_like.ts',
      'shared/http/byte_source.ts',
    ],
  ],
  [
    'services/system',
    [
      'shared',
      'services/system_access.ts',
      'services/system_routes.ts',
      'services/system_epoch.ts',
      'services/system_schemas.ts',
      'services/system_instruments.ts',
      'services/system_monitoring.ts',
      'services/monitoring',
      'services/rest',
      'services/auth',
      'services/admin',
    ],
  ],
  ['services/rest', ['shared']],
  ['services/admin', ['shared']],
  ['services/monitoring', ['shared']],
  ['services/auth', ['shared']],
]

/** Parts of `shared/` that a service never imports: they are handed to it. */
const NOT_FOR_SERVICES = [
  'shared/config',
  'shared/runtime',
  'shared/store/etcd.ts',
  'shared/store/gateway',
  'shared/store/open.ts',
  'shared/telemetry/open_telemetry.ts',
]

/** Types only: what a handler is. */
const PORT_OF_RUNTIME = 'shared/runtime/runtime.ts'

/** Package → where it may be imported (prefixes). */
const PACKAGE_DOORS: Readonly<Record<string, readonly string[]>> = {
  '@opentelemetry/api': ['shared/telemetry/open_telemetry.ts', 'tests/'],
  'itty-router': ['services/', 'shared/http/'],
  etcd3: ['shared/store/etcd.ts', 'scripts/bench/', 'tests/'],
  jose: ['shared/identity/', 'tests/'],
  valibot: ['shared/config/', 'shared/notification/', 'services/', 'scripts/client/', 'tests/'],
  undici: ['shared/runtime/', 'scripts/', 'tests/'],
  srvx: ['shared/runtime/'],
  croner: ['shared/runtime/', 'scripts/'],
  commander: ['scripts/', 'tests/'],
  yaml: ['scripts/client/', 'tests/'],
  'eventsource-parser': ['scripts/', 'tests/'],
  'fast-check': ['tests/'],
  esbuild: ['scripts/', 'tests/'],
}

const NODE_DOORS = ['shared/runtime/', 'scripts/', 'tests/']
const SPECIFIER =
  /(?:^|\n)\s*(?:import|export)\s[^'"]*?from\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)\s*import\s*['"]([^'"]+)['"]/g

/** Every violation, as `file: reason`. */
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
      : `${specifier} is for shared/runtime, scripts and tests`
  }
  if (!specifier.startsWith('.') && !specifier.startsWith('#')) return packageViolation(file, specifier)
  if (!/\.(?:ts|json)$/.test(specifier)) return `${specifier} lacks its extension`
  const target = specifier.startsWith('#') ? specifier.slice(1) : posix.join(posix.dirname(file), specifier)
  if (
    specifier.startsWith('../') &&
    !file.startsWith('tests/') &&
    target.split('/')[0] === 'shared' &&
    !file.startsWith('shared/')
  ) {
    return `write ${specifier} as #${target}`
  }
  return directionViolation(file, target)
}

function packageViolation(file: string, specifier: string): string | undefined {
  const name = specifier.startsWith('@')
    ? specifier.split('/').slice(0, 2).join('/')
    : (specifier.split('/')[0] ?? specifier)
  const doors = PACKAGE_DOORS[name]
  if (doors === undefined) return `package ${name} has no door in scripts/check_imports.ts`
  return doors.some((door) => file.startsWith(door))
    ? undefined
    : `package ${name} may be imported from ${doors.join(', ')} only`
}

function directionViolation(file: string, target: string): string | undefined {
  const row = MAY_IMPORT.find(
    ([folder]) => file === folder || file.startsWith(`${folder}/`) || file.startsWith(folder),
  )
  if (row === undefined) return `no row for this folder in scripts/check_imports.ts`
  const [folder, targets] = row
  if (targets === 'anything') return undefined
  const ownFolder = file.split('/').slice(0, 2).join('/')
  if (target === ownFolder || target.startsWith(`${ownFolder}/`)) return undefined
  if (!targets.some((allowed) => target === allowed || target.startsWith(`${allowed}/`)))
    return `${folder} may not import ${target}`
  const service = file.startsWith('services/') && !file.startsWith('services/system')
  const barred =
    service && target !== PORT_OF_RUNTIME
      ? NOT_FOR_SERVICES.find((part) => target.startsWith(part))
      : undefined
  return barred === undefined ? undefined : `a service is handed what ${barred} makes; it does not import it`
}

async function typescriptFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .toSorted()
}

if (import.meta.main) {
  const violations = await findViolations()
  for (const line of violations) console.error(line)
  if (violations.length > 0) process.exitCode = 1
  else console.log('imports: every direction holds')
}
