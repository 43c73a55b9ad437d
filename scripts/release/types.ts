/**
 * Makes the declarations of the libraries, which TypeScript and editors read.
 *
 * @module
 */

import { glob, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, posix, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { outputOf } from '../run_command.ts'
import { LIBRARIES, LIBRARY_SOURCES } from './bundle.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TSC = join(ROOT, 'node_modules', '.bin', 'tsc')

/** The declarations of every worker module. Those of our sources would ask for the types of bundled packages. */
const WORKER = `/** A cron trigger. */
export interface ScheduledController {
  readonly cron: string
  /** Milliseconds since 1970. */
  readonly scheduledTime: number
}
/** A service as a worker module. Its bindings are in the page of the services. */
declare const worker: {
  fetch(request: Request, env?: unknown, context?: unknown): Promise<Response>
  scheduled(controller: ScheduledController, env?: unknown, context?: unknown): Promise<void>
}
export default worker
/** The Durable Object that runs the services on Cloudflare: the class of the binding AVISO_HOST. */
export declare class AvisoHost {
  constructor(state: unknown, env: unknown)
  fetch(request: Request): Promise<Response>
}
`

/** Writes them into `folder`: one for each library, and those that these import. */
export async function writeTypes(folder: string): Promise<void> {
  const project = await mkdtemp(join(dirname(folder), 'types-'))
  try {
    const configFile = join(project, 'tsconfig.json')
    await writeFile(configFile, JSON.stringify(configFor(folder)))
    await outputOf(TSC, ['-p', configFile])
  } finally {
    await rm(project, { recursive: true, force: true })
  }
  for await (const path of glob('**/*.d.ts', { cwd: folder })) {
    const file = join(folder, path)
    await writeFile(file, withRelativeImports(await readFile(file, 'utf8'), path.split(sep).join('/')))
  }
  for (const [name, text] of Object.entries(LIBRARIES))
    await writeFile(join(folder, `${name}.d.ts`), withRelativeImports(text, `${name}.d.ts`))
  await writeFile(join(folder, 'worker.d.ts'), WORKER)
}

function configFor(outDir: string): unknown {
  return {
    extends: join(ROOT, 'tsconfig.json'),
    compilerOptions: { noEmit: false, declaration: true, emitDeclarationOnly: true, outDir, rootDir: ROOT },
    files: LIBRARY_SOURCES.map((path) => join(ROOT, path)),
    include: [],
  }
}

/** A package's users have neither our `#shared` nor `.ts` files: `#shared/time/clock.ts` becomes `../time/clock.js`. */
function withRelativeImports(text: string, path: string): string {
  return text.replaceAll(
    /((?:from|import\() ?['"])((?:#|\.{1,2}\/)[^'"]+)\.ts(?=['"])/g,
    (_match, start: string, name: string) => {
      const target = name.startsWith('#') ? relativeFrom(path, name.slice(1)) : name
      return `${start}${target}.js`
    },
  )
}

function relativeFrom(path: string, target: string): string {
  const found = posix.join(relative(dirname(path), dirname(target)), posix.basename(target))
  return found.startsWith('.') ? found : `./${found}`
}
