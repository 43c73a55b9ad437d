/**
 * Preloaded by every npm script (`node --import`): says what to do when the Node that runs is too old to load TypeScript,
 * which otherwise ends in an error about file extensions. Plain JavaScript for that reason.
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
// Start-up is mostly compiling; the cache halves it from the second start on.
module.enableCompileCache?.()
