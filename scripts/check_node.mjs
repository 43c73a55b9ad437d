/**
 * Explains what to do when this Node is too old to load TypeScript; otherwise it fails with an error about file extensions. Every npm
 * script preloads this module (`node --import`). It is plain JavaScript, because an old Node must be able to run it.
 */
import module from 'node:module'

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(
    `This is Node ${process.versions.node}; Aviso needs Node 22.18 or newer and brings its own.\n` +
      'Its install script did not run. Install again with scripts allowed: npm ci --omit=dev --ignore-scripts=false\n' +
      'Or run the client on this Node, after npm ci: node --import tsx scripts/aviso.ts --help',
  )
  process.exit(2)
}
// A start mostly compiles code. The cache halves the time from the second start on.
module.enableCompileCache?.()
