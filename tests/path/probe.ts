/**
 * Runs inside the traced server, loaded before it (`node --import`). It tells which functions ran, when its parent process asks.
 *
 * @module
 */

import { Session } from 'node:inspector/promises'
import process from 'node:process'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Place, ProbeAnswer, ProbeQuestion } from './trace.ts'

/** What an answer and a delivery leave to be done takes fewer turns of the event loop than this. */
const SETTLING_TURNS = 20
/** The global function that every marked function calls. */
const MARK = 'avisoPathMark'

const session = new Session()
session.connect()
await session.post('Profiler.enable')
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false })
/** Functions in the order of their first call, since `mark` or the last `order`: indexes of the list that was sent. */
const order = new Set<number>()

process.on('message', (question: ProbeQuestion) => {
  void answer(question).then((reply) => process.send?.(reply))
})
// The server must not outlive the trace.
process.once('disconnect', () => process.exit(1))

async function answer(question: ProbeQuestion): Promise<ProbeAnswer> {
  for (let turn = 0; turn < SETTLING_TURNS; turn++) await nextTurn()
  if (question.ask === 'order') {
    const answer = { order: [...order] }
    order.clear()
    return answer
  }
  if (question.ask === 'mark') {
    await markFirstCalls(question.places, question.folder)
    return {}
  }
  const { result } = await session.post('Profiler.takePreciseCoverage')
  const places: Place[] = []
  for (const { url, functions } of result) {
    const file = fileIn(question.folder, url)
    if (file === undefined) continue
    for (const { functionName, ranges } of functions) {
      const [range] = ranges
      if (range !== undefined && range.count > 0)
        places.push({ file, name: functionName, offset: range.startOffset })
    }
  }
  return { places }
}

/** Has each function say when it is entered: by a breakpoint whose condition takes a note and never holds, so nothing ever pauses. */
async function markFirstCalls(places: readonly Place[], folder: string): Promise<void> {
  const scripts = new Map<string, string>()
  session.on('Debugger.scriptParsed', ({ params }) => {
    const file = fileIn(folder, params.url)
    if (file !== undefined) scripts.set(file, params.scriptId)
  })
  await session.post('Debugger.enable')
  Reflect.set(globalThis, MARK, (index: number) => void order.add(index))
  for (const [index, { file, offset }] of places.entries()) {
    const scriptId = scripts.get(file)
    if (scriptId === undefined) continue
    const { scriptSource } = await session.post('Debugger.getScriptSource', { scriptId })
    const before = scriptSource.slice(0, offset).split('\n')
    const start = { scriptId, lineNumber: before.length - 1, columnNumber: before.at(-1)?.length ?? 0 }
    const { locations } = await session.post('Debugger.getPossibleBreakpoints', {
      start,
      restrictToFunction: true,
    })
    const [location] = locations
    if (location !== undefined)
      await session.post('Debugger.setBreakpoint', { location, condition: `${MARK}(${index})` })
  }
}

/** Path of a script inside the house that is traced; `undefined` for any other script. */
function fileIn(folder: string, url: string): string | undefined {
  if (!url.startsWith('file:')) return undefined
  const path = fileURLToPath(url)
  if (!path.startsWith(folder)) return undefined
  const file = path.slice(folder.length)
  return /^(?:services|shared|scripts)\//.test(file) ? file : undefined
}
