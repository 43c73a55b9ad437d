/**
 * Loaded before a server under measurement: collects garbage at SIGUSR2, so that memory figures are of what is kept.
 *
 * @module
 */

import process from 'node:process'

interface Collectors {
  /** Deno, with `--v8-flags=--expose-gc`. */
  readonly gc?: () => void
  readonly Bun?: { gc(isSynchronous: boolean): void }
}

process.on('SIGUSR2', () => {
  void collect()
})

async function collect(): Promise<void> {
  const { Bun, gc } = globalThis as Collectors
  if (Bun !== undefined) return Bun.gc(true)
  const collectNow = gc ?? (await nodeCollector())
  // What the first round frees may hold the last reference to something else.
  collectNow()
  collectNow()
}

/** V8's own function, which Node hides unless asked. */
async function nodeCollector(): Promise<() => void> {
  const [v8, vm] = await Promise.all([import('node:v8'), import('node:vm')])
  v8.setFlagsFromString('--expose-gc')
  return vm.runInNewContext('gc') as () => void
}
