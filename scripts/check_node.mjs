/**
 * Explains what to do when this Node is too old to load TypeScript; otherwise it fails with an error about file extensions. Then it makes
 * starts quick. Every npm script preloads this module (`node --import`). It is plain JavaScript, because an old Node must be able to run it.
 */
import { readFileSync } from 'node:fs'
import module from 'node:module'
import { fileURLToPath } from 'node:url'

const ROOT = new URL('../', import.meta.url).href

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(
    `This is Node ${process.versions.node}; Aviso needs Node 22.18 or newer and brings its own.\n` +
      'Its install script did not run. Install again with scripts allowed: npm ci --omit=dev --ignore-scripts=false\n' +
      'Or run the client on this Node, after npm ci: node --import tsx scripts/aviso.ts --help',
  )
  process.exit(2)
}

// A start mostly compiles code, and a cache saves that from the second start on. It is in the clone and not, as by default, in the folder
// for temporary files, where another user of the machine could put code. NODE_COMPILE_CACHE and NODE_DISABLE_COMPILE_CACHE come first.
// Without permission to write there is no cache; nothing is printed then.
module.enableCompileCache?.(fileURLToPath(new URL('.cache/node_compile', ROOT)))

// Our own imports name a file, so Node need not search for one, nor for a `package.json` in every folder above it. That search takes 50 ms
// of a start (measured on Node 24, 250 modules).
module.registerHooks?.({
  resolve(specifier, context, next) {
    const url = specifier.endsWith('.ts') ? ownUrl(specifier, context.parentURL) : undefined
    if (url !== undefined) return { url, format: 'module-typescript', shortCircuit: true }
    try {
      return next(specifier, context)
    } catch (error) {
      explainMissing(specifier, context)
      throw error
    }
  },
})

/** Tools of developers are not there after a production install, and a stack trace does not say so. */
function explainMissing(specifier, { parentURL, conditions }) {
  if (!parentURL?.startsWith(ROOT) || parentURL.includes('/node_modules/')) return
  if (!conditions?.includes('import')) return
  const { devDependencies = {} } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8'))
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
  if (!Object.hasOwn(devDependencies, name)) return
  console.error(`error: ${name} is not installed, which only developers need: run npm ci without --omit=dev`)
  process.exit(2)
}

/** The address of a module of the project; `undefined` for any other. */
function ownUrl(specifier, parent) {
  if (!parent?.startsWith(ROOT) || parent.includes('/node_modules/')) return undefined
  // As in `imports` of package.json.
  if (specifier.startsWith('#shared/') || specifier.startsWith('#services/')) return ROOT + specifier.slice(1)
  return specifier.startsWith('.') ? new URL(specifier, parent).href : undefined
}
