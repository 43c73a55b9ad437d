/**
 * Collects garbage at SIGUSR2, so that memory figures do not count garbage. It is loaded before a server under measurement.
 *
 * @module
 */

import process from 'node:process'

interface Collectors {
  /** Exists in Deno with `--v8-flags=--expose-gc`. */
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
  // Two rounds, because an object that the first round frees may hold the last reference to another.
  collectNow()
  collectNow()
}

/** V8's function to collect garbage, which Node hides by default. */
async function nodeCollector(): Promise<() => void> {
  const [v8, vm] = await Promise.all([import('node:v8'), import('node:vm')])
  v8.setFlagsFromString('--expose-gc')
  return vm.runInNewContext('gc') as () => void
}
