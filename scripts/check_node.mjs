/**
 * Explains what to do when this Node is too old to load TypeScript; otherwise it fails with an error about file extensions. Then it makes
 * starts quick. Every npm script preloads this module (`node --import`). It is plain JavaScript, because an old Node must be able to run it.
 */
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
    return url === undefined
      ? next(specifier, context)
      : { url, format: 'module-typescript', shortCircuit: true }
  },
})

/** The address of a module of the project; `undefined` for any other. */
function ownUrl(specifier, parent) {
  if (!parent?.startsWith(ROOT) || parent.includes('/node_modules/')) return undefined
  // As in `imports` of package.json.
  if (specifier.startsWith('#shared/') || specifier.startsWith('#services/')) return ROOT + specifier.slice(1)
  return specifier.startsWith('.') ? new URL(specifier, parent).href : undefined
}
